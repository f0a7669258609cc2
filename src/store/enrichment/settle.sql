-- Settles what a service answered, and gives back what was reserved and not charged.
-- $1 lease name, $2 lease token, $3 step, $4 now, $5 employees, $6 ordinals,
-- $7 states (`settled`, `in_doubt`, `released`), $8 charged, $9 outcomes, $10 answers
with holder as (
    select token from outreach.leases where name = $1 and token = $2 and until > clock_timestamp()
),
said as materialized (
    select $3::text as step, s.*
    from unnest($5::uuid[], $6::integer[], $7::text[], $8::numeric[], $9::text[], $10::jsonb[])
        as s (employee_id, ordinal, state, charged, outcome, answer)
),
settled as (
    update outreach.enrichment_calls c
    set state = s.state,
        charged = s.charged,
        outcome = s.outcome,
        answer = s.answer,
        settled_at = case when s.state = 'settled' then $4 end
    from said s, holder
    where c.employee_id = s.employee_id
      and c.step = s.step
      and c.ordinal = s.ordinal
      and c.settled_at is null
      and c.token = $2
      and s.state <> 'released'
    returning c.employee_id, c.ordinal, c.state, c.service, c.day, c.run_id,
        c.price - coalesce(c.charged, c.price) as back
),
released as (
    delete from outreach.enrichment_calls c
    using said s, holder
    where c.employee_id = s.employee_id
      and c.step = s.step
      and c.ordinal = s.ordinal
      and c.settled_at is null
      and c.token = $2
      and s.state = 'released'
    returning c.employee_id, c.ordinal, 'released'::text as state, c.service, c.day, c.run_id, c.price as back
),
closed as (
    select * from settled union all select * from released
),
day_back as (
    update outreach.spending p set used = p.used - b.back
    from (select service, day, sum(back) as back from closed group by 1, 2) b
    where p.service = b.service and p.day = b.day and b.back <> 0
),
run_back as (
    update outreach.spending_runs r set used = r.used - b.back
    from (select run_id, sum(back) as back from closed group by 1) b
    where r.id = b.run_id and b.back <> 0
)
select employee_id, ordinal, state from closed
