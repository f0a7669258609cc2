-- Claims notices. $1 target, $2 now, $3 conditions since then or longer
with due as (
    select c.campaign_number, c.kind, c.since, c.holds
    from outreach.conditions c
    where c.kind in ('blocked', 'degraded') and c.since <= $3
      and (
          c.holds
          -- An end is told to whom its beginning was.
          or exists (
              select from outreach.notices n
              where n.campaign_number = c.campaign_number and n.kind = c.kind and n.target = $1
                and n.holds and n.state = 'sent' and n.since < c.since
                and not exists (
                    select from outreach.notices e
                    where e.campaign_number = n.campaign_number and e.kind = n.kind and e.target = n.target
                      and not e.holds and e.since > n.since and e.since < c.since
                )
          )
      )
    order by c.campaign_number, c.kind
    limit 20
),
claimed as (
    insert into outreach.notices as n (campaign_number, kind, since, holds, target, state, at)
    select campaign_number, kind, since, holds, $1, 'claimed', $2 from due
    on conflict (campaign_number, kind, since, holds, target) do update
        set state = 'claimed', attempts = n.attempts + 1, at = excluded.at
        -- What failed is tried ten times, later and later. What was claimed by a process that died may have
        -- arrived: it is left.
        where n.state = 'failed' and n.attempts < 10
          and n.at < excluded.at - interval '5 seconds' * (2 ^ least(n.attempts, 8))
    returning campaign_number, kind, since, holds
)
select l.campaign_number, l.kind, l.since, l.holds, c.reason, c.message
from claimed l
join outreach.conditions c using (campaign_number, kind)
order by l.since, l.campaign_number, l.kind
