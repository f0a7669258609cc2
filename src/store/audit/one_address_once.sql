-- Several contacts of one campaign that were contacted at the same address.
select
    null::uuid as employee_id,
    campaign_number,
    format('%s contacts share one address: %s', count(*), string_agg(employee_id::text, ', ' order by employee_id))
        as detail
from outreach.enrollments
where status not in ('failed', 'withdrawn')
group by campaign_number, email
having count(*) > 1
limit $1
