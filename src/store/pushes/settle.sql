-- Settles what a provider answered, with enrollments and write-back, in one statement.
-- $1 campaign, $2 lease name, $3 lease token, $4 now,
-- $5 employees, $6 ordinals, $7 states, $8 answers, $9 not before, $10 fields as rendered,
-- $14 whether the provider may hold it although nobody said so (null: as before),
-- $15 whether it counts as an attempt,
-- $11 outreach type, $12 processing_status, $13 client_status (null: leave alone)
with holder as (
    select token from outreach.leases where name = $2 and token = $3 and until > clock_timestamp()
),
-- Materialised and with the campaign as a column: each push is looked up by its primary key. Seen as
-- constants, campaign, token and state would look so selective in a table without statistics yet that
-- the planner reads all pushes for each answer.
answered as materialized (
    select $1::integer as campaign_number, a.*
    from unnest($5::uuid[], $6::integer[], $7::text[], $8::text[], $9::timestamptz[], $10::jsonb[],
            $14::boolean[], $15::boolean[])
        as a (employee_id, ordinal, state, answer, not_before, rendered, doubted, counts)
),
settled as (
    update outreach.pushes p
    set state = a.state,
        answer = a.answer,
        not_before = a.not_before,
        doubted = coalesce(a.doubted, p.doubted),
        fields = coalesce(a.rendered, p.fields),
        attempts = p.attempts - case when a.counts then 0 else 1 end,
        settled_at = case when a.state in ('accepted', 'refused') then $4 end
    from answered a, holder
    where p.employee_id = a.employee_id
      and p.campaign_number = a.campaign_number
      and p.ordinal = a.ordinal
      and case when p.state in ('claimed', 'in_doubt') then p.token = $3 else false end
    returning p.employee_id, p.ordinal, p.action, p.company_id, p.email, p.reason, p.fields, p.source_hash,
        p.state, p.answer, coalesce(p.handed_at, $4) as handed_at
),
entered as (
    insert into outreach.enrollments as n (
        employee_id, campaign_number, company_id, email, status, ordinal, fields, source_hash,
        refused_hash, refused_reason, enrolled_at, updated_at
    )
    select employee_id, $1, company_id, email,
        case state when 'accepted' then 'queued' else 'failed' end,
        ordinal, fields, source_hash,
        case state when 'refused' then source_hash end,
        case state when 'refused' then answer end,
        handed_at, $4
    from settled
    where action = 'enroll' and state in ('accepted', 'refused')
    on conflict (employee_id, campaign_number) do update
    set company_id = excluded.company_id, email = excluded.email, status = excluded.status,
        ordinal = excluded.ordinal, fields = excluded.fields, source_hash = excluded.source_hash,
        refused_hash = excluded.refused_hash, refused_reason = excluded.refused_reason,
        enrolled_at = excluded.enrolled_at, updated_at = excluded.updated_at, left_reason = null
    returning n.employee_id
),
-- What the provider holds changes with an accepted update; a refused one is parked under its hash.
changed as (
    update outreach.enrollments n
    set ordinal = s.ordinal,
        email = case when s.action = 'update' and s.state = 'accepted' then s.email else n.email end,
        fields = case when s.action = 'update' and s.state = 'accepted' then s.fields else n.fields end,
        source_hash = case when s.action = 'update' and s.state = 'accepted' then s.source_hash
                      else n.source_hash end,
        refused_hash = case when s.action = 'update' and s.state = 'refused' then s.source_hash end,
        refused_reason = case when s.state = 'refused' then s.answer end,
        status = case when s.action = 'withdraw' and s.state = 'accepted' then case
                     when s.reason in ('unsubscribed', 'suppressed') then 'unsubscribed'
                     when s.reason = 'bounced' then 'bounced'
                     when s.reason = 'replied' then 'replied'
                     else 'withdrawn' end
                 else n.status end,
        left_reason = case when s.action = 'withdraw' and s.state = 'accepted' then s.reason else n.left_reason end,
        updated_at = $4
    from settled s
    where n.employee_id = s.employee_id
      and n.campaign_number = $1
      and s.action in ('update', 'withdraw')
      and s.state in ('accepted', 'refused')
    returning n.employee_id, n.status, s.action, s.state
),
-- If and only if the provider accepted. Rows that say so already are not touched.
written as (
    update public.employees e
    set campaign_number = $1,
        outreach_sent_date = s.handed_at,
        outreach_type = $11,
        campaign_status = 'queued',
        processing_status = coalesce($12, e.processing_status),
        client_status = coalesce($13, e.client_status)
    from settled s
    where e.id = s.employee_id
      and s.action = 'enroll'
      and s.state = 'accepted'
    returning e.id
),
closed as (
    update public.employees e
    set campaign_status = c.status
    from changed c
    where e.id = c.employee_id
      and c.action = 'withdraw'
      and c.state = 'accepted'
      -- A plain comparison would have the planner read all rows of the campaign, by the index on its number.
      and case when e.campaign_number = $1 then e.campaign_status is distinct from c.status else false end
    returning e.id
)
select state, count(*) as n, (select count(*) from written) + (select count(*) from closed) as written
from settled group by state
