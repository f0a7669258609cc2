-- Days and runs whose budget was charged otherwise than the calls on record say.
with calls as (
    select service, day, run_id, coalesce(charged, price) as cost from outreach.enrichment_calls
    union all
    select service, day, run_id, 1 from outreach.draft_calls
),
by_day as (
    select service, day, sum(cost) as cost from calls group by 1, 2
),
by_run as (
    select run_id, sum(cost) as cost from calls group by 1
)
select null::uuid as employee_id, null::integer as campaign_number, detail
from (
    select format('%s on %s: %s was counted and %s is on record', coalesce(s.service, c.service), coalesce(s.day, c.day),
        coalesce(s.used, 0), coalesce(c.cost, 0)) as detail
    from outreach.spending s
    full join by_day c on c.service = s.service and c.day = s.day
    where coalesce(s.used, 0) <> coalesce(c.cost, 0)
    union all
    select format('run %s: %s was counted and %s is on record', r.id, r.used, coalesce(c.cost, 0))
    from outreach.spending_runs r
    left join by_run c on c.run_id = r.id
    where r.used <> coalesce(c.cost, 0)
) wrong
limit $1
