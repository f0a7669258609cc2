insert into companies (id, company_name) values (n(1), 'Acme'), (n(2), 'Bolt'), (n(3), 'Cask');
insert into employees (id, company_id, full_name, work_email) values
    (n(1), n(1), 'Anna', 'anna@acme.example'),
    (n(2), n(1), 'Boris', 'boris@acme.example'),
    (n(3), n(2), 'Clara', 'clara@bolt.example'),
    (n(4), n(3), 'Dmitri', 'dmitri@cask.example');
-- The provider put Anna off; the other push was recorded and never claimed, and counts for nothing.
insert into outreach.pushes (employee_id, campaign_number, ordinal, action, provider, company_id, email,
    reason, fields, source_hash, state, attempts, not_before, reconcile_id, recorded_at) values
    (n(1), 1, 1, 'enroll', 'outbox', n(1), 'anna@acme.example', 'pair', '{"name": "Anna"}', 0, 'retry', 1,
     '2026-11-23T12:00:00Z', n(99), '2026-11-23T08:00:00Z'),
    (n(4), 1, 1, 'enroll', 'outbox', n(3), 'dmitri@cask.example', 'pair', '{"name": "Dmitri"}', 0, 'recorded', 0,
     null, n(99), '2026-11-23T08:00:00Z');
