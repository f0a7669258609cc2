-- Rows that share an address share what is known of it: nothing is bought for the second one.
-- $1 younger than this
select e.id as employee_id, known.email, known.status, known.source, known.checked_at
from (
    select distinct on (email) email, status, source, checked_at
    from outreach.verifications
    where checked_at > $1
    order by email, checked_at desc
) known
join public.employees e on outreach.address(e.work_email) = known.email
left join outreach.verifications own on own.employee_id = e.id
where own.employee_id is null or own.email <> known.email or own.checked_at < known.checked_at
