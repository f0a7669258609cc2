insert into companies (id, company_name, segment, revenue) values
    (n(1), 'Acme', 'Fintech', 10), (n(2), 'Bolt', 'Fintech', 30), (n(3), 'Cask', 'Fintech', null);
insert into employees (id, company_id, full_name, work_email) values
    (n(1), n(1), 'Anna', 'anna@acme.example'),
    (n(2), n(1), 'Boris', 'boris@acme.example'),
    (n(3), n(1), 'Clara', 'clara@acme.example');
insert into employees (id, company_id, full_name, work_email) values
    (n(4), n(2), 'Dmitri', 'dmitri@bolt.example'),
    (n(5), n(2), 'Elena', 'elena@bolt.example'),
    (n(6), n(2), 'Fedor', 'fedor@bolt.example');
insert into employees (id, company_id, full_name, work_email) values
    (n(7), n(3), 'Galina', 'galina@cask.example'),
    (n(8), n(3), 'Ivan', 'ivan@cask.example');
insert into employees (id, company_id, full_name, work_email) values
    (n(9), null, 'Julia', 'julia@alone.example'),
    (n(10), null, 'Kirill', 'kirill@alone.example'),
    (n(11), null, 'Lena', 'lena@alone.example');
