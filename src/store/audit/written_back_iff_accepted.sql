-- Contacts on whom something else is written than what the ledger says was accepted. One that overlapping
-- campaigns have taken carries the number of any of them.
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
        when e.campaign_number is null then 'accepted and not written back'
        when e.outreach_sent_date is null or e.outreach_type is null
            then 'accepted and written back without date or type'
        else format('accepted by campaign %s and written back as %s', l.campaign_number, e.campaign_number)
    end as detail
from public.employees e
full join latest l on l.employee_id = e.id
where e.id is not null
  and (
      (
          l.employee_id is not null
          and (
              e.campaign_number is null
              or e.outreach_sent_date is null
              or e.outreach_type is null
              or not exists (
                  select from outreach.pushes p
                  where p.employee_id = e.id
                    and p.campaign_number = e.campaign_number
                    and p.action = 'enroll'
                    and p.state = 'accepted'
              )
          )
      )
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
