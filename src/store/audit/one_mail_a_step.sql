-- Contacts that got one mail of their sequence twice. A sequence begins with its first mail.
with gone as (
    select
        employee_id, campaign_number, step,
        max(ordinal) filter (where step = 1) over (
            partition by employee_id, campaign_number order by ordinal
        ) as sequence
    from outreach.mails
    where handed_at is not null
)
select
    employee_id,
    campaign_number,
    format('mail %s of its sequence was handed over %s times', step, count(*)) as detail
from gone
group by employee_id, campaign_number, sequence, step
having count(*) > 1
limit $1
