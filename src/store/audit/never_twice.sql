-- Two accepted enrollments of one contact with no accepted withdrawal between them, and two unsettled pushes.
with entered as (
    select
        employee_id,
        campaign_number,
        ordinal,
        lag(ordinal) over contact as previous
    from outreach.pushes
    where state = 'accepted' and action = 'enroll'
    window contact as (partition by employee_id, campaign_number order by ordinal)
)
select
    e.employee_id,
    e.campaign_number,
    format('enrolled by push %s and again by push %s', e.previous, e.ordinal) as detail
from entered e
where e.previous is not null
  and not exists (
      select from outreach.pushes w
      where w.employee_id = e.employee_id
        and w.campaign_number = e.campaign_number
        and w.action = 'withdraw'
        and w.state = 'accepted'
        and w.ordinal between e.previous and e.ordinal
  )
limit $1
