-- Writes down what addresses are known to be, and moves processing_status as far as nobody else has set it.
-- $1 employees, $2 addresses, $3 statuses, $4 what they mean for processing_status (null: nothing), $5 sources, $6 when
with said as (
    select s.*
    from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
        as s (employee_id, email, status, means, source, checked_at)
),
-- The answer is about an address: a row that has another one by now is left alone.
judged as (
    select s.*,
        s.means is not null
            and (e.processing_status is null or e.processing_status = 'pending' or e.processing_status = v.wrote)
            as moves
    from said s
    join public.employees e on e.id = s.employee_id and outreach.address(e.work_email) = s.email
    left join outreach.verifications v on v.employee_id = s.employee_id
),
known as (
    insert into outreach.verifications as v (employee_id, email, status, source, checked_at, wrote)
    select employee_id, email, status, source, checked_at, case when moves then means end from judged
    on conflict (employee_id) do update
    set email = excluded.email, status = excluded.status, source = excluded.source,
        checked_at = excluded.checked_at, wrote = excluded.wrote
    returning v.employee_id
)
update public.employees e
set processing_status = case when j.moves then j.means else e.processing_status end,
    ai_research_data = case
        when jsonb_typeof(coalesce(e.ai_research_data, '{}')) <> 'object' then e.ai_research_data
        else coalesce(e.ai_research_data, '{}') || jsonb_build_object(
            'enrichment',
            case when jsonb_typeof(e.ai_research_data -> 'enrichment') = 'object'
                then e.ai_research_data -> 'enrichment' else '{}' end
            || jsonb_build_object(
                'email_status', j.status, 'email_source', j.source, 'email_checked_at', j.checked_at))
    end
from judged j
where e.id = j.employee_id
