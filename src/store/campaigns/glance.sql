-- Whether a campaign needs a pass, without looking at any contact. Goes on after `with changed as (changes.sql),`.
-- $1 campaign, $2 now
open as (
    select
        min(coalesce(not_before, recorded_at)) filter (where state in ('recorded', 'retry') and action in ('enroll', 'send')) as enroll_due,
        min(coalesce(not_before, recorded_at)) filter (where state in ('recorded', 'retry') and action not in ('enroll', 'send')) as other_due,
        bool_or(state = 'claimed' and l.until <= clock_timestamp()) as is_orphaned
    from outreach.pushes p
    left join outreach.leases l on l.name = 'provider:' || p.provider
    where p.campaign_number = $1 and p.settled_at is null
)
select
    n.changes,
    c.served_tick, coalesce(c.intake_open, false) as intake_open, c.seen_digest, c.seen_changes, c.seen_at,
    o.enroll_due, o.other_due,
    (
        -- What was due by the last look waits for a push that was put off, or for another day.
        select min(next_at) from outreach.enrollments
        where campaign_number = $1 and live and next_at > coalesce(c.seen_at, '-infinity')
    ) as mail_due, coalesce(o.is_orphaned, false) as is_orphaned,
    exists (
        select from outreach.pauses where campaign_number = $1 and (until is null or until > $2)
    ) as is_paused
from changed n
cross join open o
left join outreach.campaigns c on c.number = $1
