insert into companies (id, company_name, segment) values (n(1), 'Acme', 'Fintech');
insert into employees (id, company_id, full_name, work_email) values
    (n(1), n(1), 'Anna', 'anna@acme.example'),
    (n(2), n(1), 'Boris', 'boris@acme.example'),
    (n(3), n(1), 'Clara', 'clara@acme.example'),
    (n(4), n(1), 'Dmitri', 'dmitri@acme.example');
