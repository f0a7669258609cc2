-- Whether a campaign needs a pass, without looking at any contact. $1 campaign, $2 now
with changes as (
    -- As in changes.sql.
    select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint as n
    from pg_stat_all_tables
    where relid in (
        'public.companies'::regclass, 'public.employees'::regclass, 'outreach.enrollments'::regclass,
        'outreach.suppressions'::regclass, 'outreach.pauses'::regclass
    )
),
open as (
    select
        min(coalesce(not_before, recorded_at)) filter (where state in ('recorded', 'retry') and action = 'enroll')
            as enroll_due,
        min(coalesce(not_before, recorded_at)) filter (where state in ('recorded', 'retry') and action <> 'enroll')
            as other_due,
        bool_or(state = 'claimed' and l.until <= clock_timestamp()) as is_orphaned
    from outreach.pushes p
    left join outreach.leases l on l.name = 'provider:' || p.provider
    where p.campaign_number = $1 and p.settled_at is null
)
select
    n.n as changes,
    c.served_tick, c.seen_digest, c.seen_changes, c.seen_at,
    o.enroll_due, o.other_due, coalesce(o.is_orphaned, false) as is_orphaned,
    exists (
        select from outreach.pauses where campaign_number = $1 and (until is null or until > $2)
    ) as is_paused
from changes n
cross join open o
left join outreach.campaigns c on c.number = $1
