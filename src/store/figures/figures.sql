-- Metrics, a sample a row. $1 now
with passes as (
    select
        campaign_number, outcome, count(*) as n, max(started_at) as latest,
        sum(accepted) as accepted, sum(refused) as refused, sum(retry) as retry, sum(in_doubt) as in_doubt
    from outreach.reconciles
    group by campaign_number, outcome
),
open as (
    select campaign_number, state, count(*) as n
    from outreach.pushes
    where settled_at is null
    group by campaign_number, state
),
people as (
    select campaign_number, status, count(*) as n
    from outreach.enrollments
    group by campaign_number, status
),
-- Hand-overs that began after a stop was committed: there are none, but for withdrawals.
stops as (
    select max(extract(epoch from p.handed_at - s.created_at)) as lag
    from outreach.suppressions s
    join outreach.enrollments n on n.email = s.target
    join outreach.pushes p on p.employee_id = n.employee_id and p.campaign_number = n.campaign_number
    where s.created_at > $1 - interval '1 day' and p.action <> 'withdraw' and p.handed_at > s.created_at
)
select 'outreachd_daemons' as name, '{}'::jsonb as labels, count(*)::double precision as value
from outreach.daemons where seen_at > $1 - interval '45 seconds'
union all
select 'outreachd_passes_total', jsonb_build_object('campaign', campaign_number::text, 'outcome', outcome), n
from passes
union all
select 'outreachd_last_pass_timestamp_seconds', jsonb_build_object('campaign', campaign_number::text),
    extract(epoch from max(latest))
from passes group by campaign_number
union all
select 'outreachd_pushes_total', jsonb_build_object('campaign', campaign_number::text, 'verdict', v.verdict), sum(v.n)
from passes
cross join lateral (values ('accepted', accepted), ('refused', refused), ('retry', retry), ('in_doubt', in_doubt)) v (verdict, n)
group by campaign_number, v.verdict
union all
select 'outreachd_pass_seconds_max', '{}', coalesce(max(extract(epoch from finished_at - started_at)), 0)
from outreach.reconciles where started_at > $1 - interval '1 hour'
union all
select 'outreachd_plan_seconds', jsonb_build_object('campaign', c.number::text),
    greatest(extract(epoch from r.planned_at - r.started_at), 0)
from outreach.campaigns c
cross join lateral (
    select planned_at, started_at from outreach.reconciles r
    where r.campaign_number = c.number and r.planned_at is not null order by started_at desc limit 1
) r
union all
select 'outreachd_pushes_open', jsonb_build_object('campaign', campaign_number::text, 'state', state), n from open
union all
select 'outreachd_in_doubt', jsonb_build_object('campaign', c.number::text),
    coalesce((select sum(n) from open o where o.campaign_number = c.number and o.state in ('in_doubt', 'claimed')), 0)
from outreach.campaigns c
union all
select 'outreachd_enrolled', jsonb_build_object('campaign', campaign_number::text), sum(n)
from people where status in ('queued', 'active') group by campaign_number
union all
select 'outreachd_answers_total', jsonb_build_object('campaign', campaign_number::text, 'kind', status), n
from people where status in ('replied', 'bounced', 'unsubscribed')
union all
select 'outreachd_condition', jsonb_build_object('campaign', campaign_number::text, 'kind', kind, 'reason', reason),
    holds::integer
from outreach.conditions
union all
select 'outreachd_condition_since_seconds', jsonb_build_object('campaign', campaign_number::text, 'kind', kind),
    extract(epoch from since)
from outreach.conditions
union all
select 'outreachd_stop_lag_seconds_max', '{}', coalesce(lag, 0) from stops
union all
select 'outreachd_feed_lag_seconds',
    jsonb_build_object('feed', f.feed, 'campaign', r.campaign_number::text),
    extract(epoch from $1 - f.value::timestamptz)
from outreach.remote_campaigns r
cross join lateral jsonb_each_text(r.heard) f (feed, value)
where r.remote_id is not null and f.feed not like '% whole'
union all
select 'outreachd_feed_lag_seconds', jsonb_build_object('feed', 'mailbox', 'mailbox', name),
    extract(epoch from $1 - read_at)
from outreach.mailboxes where read_at is not null
union all
select 'outreachd_sender_paused', jsonb_build_object('mailbox', name), (coalesce(paused_until > $1, false))::integer
from outreach.mailboxes
union all
select 'outreachd_sender_paused', jsonb_build_object('provider', provider), (coalesce(paused_until > $1, false))::integer
from outreach.rates
