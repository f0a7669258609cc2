-- Takes over the people of a campaign that was made at the provider by hand. Nothing is sent for it.
-- $1 campaign, $2 provider, $3 now, $4 outreach type, $5 campaigns that may share people with it, $6 reconcile id,
-- $7 addresses, $8 the provider's names, $9 states, $10 fields, $11 instants of entering
with members as materialized (
    select distinct on (email) email, held, status, fields, coalesce(since, $3) as since
    from unnest($7::text[], $8::text[], $9::text[], $10::jsonb[], $11::timestamptz[])
        as m (email, held, status, fields, since)
    order by email
),
-- One address is one contact in a campaign, however many rows carry it.
matched as materialized (
    select distinct on (m.email) m.*, e.id as employee_id, e.company_id
    from members m
    join public.employees e on outreach.address(e.work_email) = m.email
    order by m.email, e.id
),
judged as materialized (
    select
        m.*,
        exists (
            select from outreach.enrollments n
            where n.campaign_number = $1 and (n.employee_id = m.employee_id or n.email = m.email)
              and n.status <> 'failed'
        ) or exists (
            select from outreach.pushes p
            where p.campaign_number = $1 and p.employee_id = m.employee_id
        ) as known,
        exists (
            select from outreach.enrollments n
            where n.live and n.campaign_number <> all ($5) and (n.employee_id = m.employee_id or n.email = m.email)
        ) as elsewhere
    from matched m
),
taken as materialized (
    select * from judged where not known and not elsewhere
),
pushed as (
    insert into outreach.pushes (
        employee_id, campaign_number, ordinal, action, provider, company_id, email, reason, fields, source_hash,
        state, attempts, reconcile_id, recorded_at, handed_at, settled_at, answer
    )
    select employee_id, $1, 1, 'enroll', $2, company_id, email, 'adopted', fields, 0,
        'accepted', 0, $6, $3, since, $3, 'was at the provider already'
    from taken
    returning employee_id
),
entered as (
    insert into outreach.enrollments (
        employee_id, campaign_number, company_id, email, status, ordinal, fields, source_hash, enrolled_at, updated_at
    )
    select employee_id, $1, company_id, email, status, 1, fields, 0, since, $3
    from taken
    on conflict (employee_id, campaign_number) do update
        set company_id = excluded.company_id, email = excluded.email, status = excluded.status,
            ordinal = excluded.ordinal, fields = excluded.fields, source_hash = excluded.source_hash,
            enrolled_at = excluded.enrolled_at, updated_at = excluded.updated_at,
            refused_hash = null, refused_reason = null
    returning employee_id
),
named as (
    insert into outreach.remote_leads (employee_id, campaign_number, held)
    select employee_id, $1, held from judged where not elsewhere
    on conflict (employee_id, campaign_number) do update set held = excluded.held
    returning employee_id
),
written as (
    update public.employees e
    set campaign_number = $1, outreach_sent_date = t.since, outreach_type = $4, campaign_status = t.status
    from taken t
    where e.id = t.employee_id
    returning e.id
)
select m.email,
    case
        when j.email is null then 'stranger'
        when j.elsewhere then 'elsewhere'
        when j.known then 'known'
        else 'taken'
    end as fate
from members m
left join judged j using (email)
order by m.email
