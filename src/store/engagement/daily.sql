-- What happened on each day, by campaign. $1 since when, $2 time zone of the days
with sent_by_us as (
    select number
    from outreach.campaigns c
    where exists (select from outreach.mails m where m.campaign_number = c.number and m.handed_at is not null)
),
happened as (
    select campaign_number, enrolled_at as at, 'queued' as what
    from outreach.enrollments
    where enrolled_at >= $1 and status <> 'failed'
    union all
    select campaign_number, sent_at, 'sent'
    from outreach.mails
    where handed_at >= $1 and sent_at is not null
    union all
    -- Where the provider sends by itself, the first mail is what is known.
    select e.campaign_number::integer, e.outreach_sent_date, 'sent'
    from public.employees e
    where e.outreach_sent_date >= $1 and e.campaign_number is not null
      and e.campaign_number::integer not in (select number from sent_by_us)
    union all
    select campaign_number, updated_at, status
    from outreach.enrollments
    where updated_at >= $1 and status in ('replied', 'bounced', 'unsubscribed')
)
select
    campaign_number,
    (at at time zone $2)::date as day,
    count(*) filter (where what = 'queued') as queued,
    count(*) filter (where what = 'sent') as sent,
    count(*) filter (where what = 'replied') as replied,
    count(*) filter (where what = 'bounced') as bounced,
    count(*) filter (where what = 'unsubscribed') as unsubscribed
from happened
group by 1, 2
order by 1, 2
