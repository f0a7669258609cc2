-- Figures of campaigns. $1 numbers
with people as (
    select
        campaign_number as number,
        count(*) filter (where live) as enrolled,
        count(*) filter (where status = 'replied') as replied,
        count(*) filter (where status = 'bounced') as bounced,
        count(*) filter (where status = 'unsubscribed') as unsubscribed,
        count(*) filter (where status = 'finished') as finished,
        count(*) filter (where status = 'withdrawn') as withdrawn,
        count(*) filter (where status = 'failed') as failed
    from outreach.enrollments
    where campaign_number = any ($1)
    group by campaign_number
),
open as (
    select
        p.campaign_number as number,
        count(*) filter (where p.state = 'retry') as put_off,
        -- What is handed over at this moment is in no doubt yet.
        count(*) filter (where p.state = 'in_doubt' or p.state = 'claimed' and l.name is null) as in_doubt
    from outreach.pushes p
    left join outreach.leases l on l.name = 'provider:' || p.provider and l.until > clock_timestamp()
    where p.settled_at is null and p.campaign_number = any ($1)
    group by p.campaign_number
)
select
    c.number,
    coalesce(p.enrolled, 0) as enrolled,
    coalesce(p.replied, 0) as replied,
    coalesce(p.bounced, 0) as bounced,
    coalesce(p.unsubscribed, 0) as unsubscribed,
    coalesce(p.finished, 0) as finished,
    coalesce(p.withdrawn, 0) as withdrawn,
    coalesce(p.failed, 0) as failed,
    coalesce(o.put_off, 0) as put_off,
    coalesce(o.in_doubt, 0) as in_doubt,
    r.outcome as last_outcome,
    r.message as last_message,
    coalesce(r.finished_at, r.started_at) as last_at
from unnest($1::integer[]) as c (number)
left join people p using (number)
left join open o using (number)
left join lateral (
    select outcome, message, started_at, finished_at
    from outreach.reconciles r
    where r.campaign_number = c.number
    order by started_at desc
    limit 1
) r on true
order by c.number
