-- Contacts whose last campaign, by the ledger, is not the one written on them.
-- Only campaigns that outreachd runs are looked at; numbers from before are none of our business.
with latest as (
    select distinct on (employee_id)
        employee_id, campaign_number
    from outreach.pushes
    where state = 'accepted' and action = 'enroll'
    order by employee_id, settled_at desc, campaign_number
)
select
    e.id as employee_id,
    coalesce(l.campaign_number, e.campaign_number) as campaign_number,
    case
        when l.employee_id is null then 'written back although no push was accepted'
        else 'accepted and not written back'
    end as detail
from public.employees e
full join latest l on l.employee_id = e.id
where e.id is not null
  and (
      (l.employee_id is not null and e.campaign_number is null)
      or (
          l.employee_id is null
          and e.campaign_status = 'queued'
          and e.campaign_number in (select number from outreach.campaigns)
          and exists (
              select from outreach.pushes p
              where p.employee_id = e.id and p.campaign_number = e.campaign_number
          )
      )
  )
limit $1
