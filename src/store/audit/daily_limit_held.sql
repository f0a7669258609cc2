-- Local days on which a campaign enrolled more contacts than its limit of that day.
-- Only days that began under the limit as it is declared now are looked at: of another one nothing is known.
with declared as (
    select
        number,
        limits_since,
        limits ->> 'timezone' as zone,
        (limits #>> '{limits,per_day}')::bigint as per_day,
        (limits #>> '{limits,ramp,start}')::bigint as ramp_start,
        (limits #>> '{limits,ramp,add}')::bigint as ramp_add,
        greatest((limits #>> '{limits,ramp,every_days}')::bigint, 1) as ramp_every
    from outreach.campaigns
    where limits #>> '{limits,per_day}' is not null or limits #>> '{limits,ramp,start}' is not null
),
days as (
    select number, day, count(*) as enrolled, min(day) over (partition by number) as first_day
    from declared d
    cross join lateral (
        select (n.enrolled_at at time zone d.zone)::date as day
        from outreach.enrollments n
        where n.campaign_number = d.number and n.status <> 'failed'
    ) n
    group by number, day
),
bounded as (
    select
        d.number, d.day, d.enrolled, c.limits_since, d.day::timestamp at time zone c.zone as began,
        least(c.per_day, c.ramp_start + c.ramp_add * ((d.day - d.first_day) / c.ramp_every)) as bound
    from days d
    join declared c using (number)
)
select
    null::uuid as employee_id,
    number as campaign_number,
    format('%s contacts enrolled on %s, the limit is %s', enrolled, day, bound) as detail
from bounded
where enrolled > bound
  and began >= limits_since
limit $1
