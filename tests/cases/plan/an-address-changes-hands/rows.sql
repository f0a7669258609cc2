insert into companies (id, company_name, segment) values (n(1), 'Acme', 'Fintech');
insert into employees (id, company_id, full_name, work_email) values
    (n(1), n(1), 'Anna', 'anna@acme.example'),
    (n(2), n(1), 'Boris', 'boris@acme.example');
insert into employees (id, company_id, full_name, work_email, position) values
    (n(9), n(1), 'Zoe', 'zoe@acme.example', 'later');
