insert into companies (id, company_name, segment, company_research) values
    (n(1), 'Acme', 'Fintech', 'Acme moves money.'), (n(2), 'Bolt', 'Fintech', null), (n(3), 'Cask', 'Fintech', '  ');
insert into employees (id, company_id, full_name, work_email) values
    (n(1), n(1), 'Anna', 'anna@acme.example'),
    (n(2), n(2), 'Boris', 'boris@bolt.example'),
    (n(3), n(3), 'Clara', 'clara@cask.example');
