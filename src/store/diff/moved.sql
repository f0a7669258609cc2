-- Who is in one side only, and what keeps it out of the other.
with moved as (
    select
        coalesce(h.employee_id, b.employee_id) as employee_id,
        coalesce(h.email, b.email) as email,
        h.employee_id is not null as enters,
        coalesce(h.enrolled, b.enrolled) as enrolled
    from (select * from sides where side = 'head' and campaign_number = {number} and is_in) h
    full join (select * from sides where side = 'base' and campaign_number = {number} and is_in) b
        on b.employee_id = h.employee_id
    where h.employee_id is null or b.employee_id is null
),
told as (
    select
        m.employee_id, m.email, m.enters, m.enrolled, o.reason,
        case
            when o.reason is not null then null
            when m.enters then ({base_depth})
            else ({head_depth})
        end as clause,
        concat_ws(', ', nullif(btrim(e.full_name), ''), nullif(btrim(e.position), ''),
            nullif(btrim(coalesce(c.company_name, e.company_name)), '')) as who
    from moved m
    left join sides o
        on o.side = case when m.enters then 'base' else 'head' end
        and o.campaign_number = {number} and o.employee_id = m.employee_id
    left join public.employees e on e.id = m.employee_id
    left join public.companies c on c.id = e.company_id
),
placed as (
    select
        t.*,
        row_number() over (
            partition by enters, enrolled, reason, clause order by email collate "C", employee_id
        ) as place
    from told t
)
select
    enters, enrolled, reason, clause, count(*) as people,
    coalesce(
        jsonb_agg(
            jsonb_build_object('employee_id', employee_id, 'email', email, 'who', who) order by place
        ) filter (where place <= {samples}),
        '[]'
    ) as sample
from placed
group by enters, enrolled, reason, clause
order by enters desc, enters = enrolled, people desc, reason, clause
