-- Enrollments and pushes that contradict each other.
select
    n.employee_id,
    n.campaign_number,
    'live without an accepted enrollment in the ledger' as detail
from outreach.enrollments n
where n.live
  and not exists (
      select from outreach.pushes p
      where p.employee_id = n.employee_id
        and p.campaign_number = n.campaign_number
        and p.action = 'enroll'
        and (p.state = 'accepted' or p.doubted)
  )
union all
select
    p.employee_id,
    p.campaign_number,
    format('push %s is settled and its enrollment does not know it', p.ordinal)
from outreach.pushes p
left join outreach.enrollments n using (employee_id, campaign_number)
where p.settled_at is not null
  and coalesce(n.ordinal, 0) < p.ordinal
limit $1
