-- Settles what a provider answered, with enrollments and write-back, in one statement.
-- $1 campaign, $2 lease name, $3 lease token, $4 now,
-- $5 employees, $6 ordinals, $7 states, $8 answers, $9 not before, $10 fields as rendered,
-- $14 whether the provider may hold it although nobody said so (null: as before),
-- $15 whether it counts as an attempt,
-- $11 outreach type, $12 processing_status, $13 client_status (null: leave alone),
-- $16 whether the address is dead, $17 whether each push is a mail that we send, $18 seconds from each mail of the
-- sequence to the next one, $19 hash of the sequence
with holder as (
    select token from outreach.leases where name = $2 and token = $3 and until > clock_timestamp()
),
-- Materialised and with the campaign as a column: each push is looked up by its primary key. Seen as
-- constants, campaign, token and state would look so selective in a table without statistics yet that
-- the planner reads all pushes for each answer.
answered as materialized (
    select $1::integer as campaign_number, a.*
    from unnest($5::uuid[], $6::integer[], $7::text[], $8::text[], $9::timestamptz[], $10::jsonb[],
            $14::boolean[], $15::boolean[], $16::boolean[])
        as a (employee_id, ordinal, state, answer, not_before, rendered, doubted, counts, bounced)
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
        p.state, p.answer, p.doubted, a.bounced, coalesce(p.handed_at, $4) as handed_at
),
-- What surely did not leave counts against no limit.
mailed as (
    update outreach.mails m
    set sent_at = case when s.state = 'accepted' then s.handed_at end,
        handed_at = case when s.state = 'accepted' or s.doubted then m.handed_at end
    from settled s
    where $17 and m.employee_id = s.employee_id and m.campaign_number = $1 and m.ordinal = s.ordinal
    returning m.employee_id, m.step, m.sender
),
-- How a contact stands in its sequence after an accepted mail.
stepped as (
    select m.employee_id, m.step, m.sender, m.step > cardinality($18::bigint[]) as is_last,
        s.handed_at + make_interval(secs => ($18::bigint[])[m.step]) as next_at
    from mailed m
    join settled s using (employee_id)
    where s.action in ('enroll', 'send') and s.state = 'accepted'
),
entered as (
    insert into outreach.enrollments as n (
        employee_id, campaign_number, company_id, email, status, ordinal, fields, source_hash,
        refused_hash, refused_reason, enrolled_at, updated_at, step, next_at, sender
    )
    select employee_id, $1, company_id, email,
        case
            when state = 'refused' then case when bounced then 'bounced' else 'failed' end
            when is_last then 'finished'
            when $17 then 'active'
            else 'queued'
        end,
        ordinal, fields, source_hash,
        case state when 'refused' then source_hash # $19 end,
        case state when 'refused' then answer end,
        handed_at, $4, step, next_at, sender
    from settled
    left join stepped using (employee_id)
    where action = 'enroll' and state in ('accepted', 'refused')
    on conflict (employee_id, campaign_number) do update
    set company_id = excluded.company_id, email = excluded.email, status = excluded.status,
        ordinal = excluded.ordinal, fields = excluded.fields, source_hash = excluded.source_hash,
        refused_hash = excluded.refused_hash, refused_reason = excluded.refused_reason,
        enrolled_at = excluded.enrolled_at, updated_at = excluded.updated_at, left_reason = null,
        step = excluded.step, next_at = excluded.next_at, sender = excluded.sender
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
-- A mail that was accepted moves its contact on, unless a stop came first; one that was refused is tried again
-- a day later.
advanced as (
    update outreach.enrollments n
    set ordinal = s.ordinal,
        step = coalesce(t.step, n.step),
        sender = coalesce(t.sender, n.sender),
        status = case
                     when not n.live then n.status
                     when s.bounced then 'bounced'
                     when t.is_last then 'finished'
                     when s.state = 'accepted' then 'active'
                     else n.status
                 end,
        next_at = case when n.live and not s.bounced then
                      case when s.state = 'accepted' then t.next_at else $4 + interval '1 day' end
                  end,
        refused_reason = case when s.state = 'refused' then s.answer end,
        left_reason = case when n.live and s.bounced then 'bounced' else n.left_reason end,
        updated_at = $4
    from settled s
    left join stepped t using (employee_id)
    where n.employee_id = s.employee_id
      and n.campaign_number = $1
      and s.action = 'send'
      and s.state in ('accepted', 'refused')
    returning n.employee_id, n.status, s.state, s.bounced, s.handed_at
),
-- A dead address is one for everybody who writes.
buried as (
    insert into outreach.suppressions (target, reason, source)
    select email, 'bounced', 'smtp' from settled where bounced and state = 'refused'
    on conflict (target) do nothing
),
-- If and only if the provider accepted. Rows that say so already are not touched.
written as (
    update public.employees e
    set campaign_number = $1,
        outreach_sent_date = s.handed_at,
        outreach_type = $11,
        campaign_status = case when t.is_last then 'finished' when $17 then 'active' else 'queued' end,
        processing_status = coalesce($12, e.processing_status),
        client_status = coalesce($13, e.client_status)
    from settled s
    left join stepped t using (employee_id)
    where e.id = s.employee_id
      and s.action = 'enroll'
      and s.state = 'accepted'
    returning e.id
),
followed as (
    update public.employees e
    set outreach_sent_date = case when e.campaign_number = $1 and a.state = 'accepted' then a.handed_at
                             else e.outreach_sent_date end,
        campaign_status = case when e.campaign_number = $1 then a.status else e.campaign_status end,
        reply_bounce = case when a.bounced then true else e.reply_bounce end
    from advanced a
    where e.id = a.employee_id and (a.state = 'accepted' or a.bounced)
    returning e.id
),
flagged as (
    update public.employees e
    set reply_bounce = true
    from settled s
    where e.id = s.employee_id and s.bounced and s.state = 'refused' and s.action = 'enroll'
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
select state, count(*) as n,
    (select count(*) from written) + (select count(*) from closed) + (select count(*) from followed) as written
from settled group by state
