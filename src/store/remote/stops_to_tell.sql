-- Stops that a provider does not know yet.
-- $1 provider, $2 now, $3 how many are looked at
with open as materialized (
    select s.target, s.created_at
    from outreach.suppressions s
    where not exists (select from outreach.stops_told t where t.provider = $1 and t.target = s.target)
    order by s.created_at
    limit $3
),
concerned as materialized (
    select o.target
    from open o
    where o.target in (
        select n.email
        from outreach.enrollments n
        join outreach.campaigns c on c.number = n.campaign_number
        where c.provider = $1 and n.status <> 'failed'
    )
    union
    select o.target
    from open o
    where o.target like '@%'
      and o.target in (
          select '@' || split_part(n.email, '@', 2)
          from outreach.enrollments n
          join outreach.campaigns c on c.number = n.campaign_number
          where c.provider = $1 and n.status <> 'failed'
      )
),
passed_over as (
    insert into outreach.stops_told (provider, target, at, told)
    select $1, o.target, $2, false
    from open o
    where o.created_at < $2 - interval '1 hour'
      and o.target not in (select target from concerned)
    on conflict do nothing
    returning target
)
select target from concerned order by target
