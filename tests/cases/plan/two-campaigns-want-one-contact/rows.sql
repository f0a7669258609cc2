insert into companies (id, company_name, segment) values (n(1), 'Acme', 'Fintech');
insert into employees (id, company_id, full_name, work_email) values
    (n(1), n(1), 'Anna', 'anna@acme.example'),
    (n(2), n(1), 'Boris', 'boris@acme.example'),
    (n(3), n(1), 'Clara', 'clara@acme.example');
insert into employees (id, company_id, full_name, work_email, position) values
    (n(4), n(1), 'Dmitri', 'dmitri@acme.example', 'CTO'),
    -- The same person again, as another list has him.
    (n(5), n(1), 'D. Petrov', ' Dmitri@ACME.example ', null);
