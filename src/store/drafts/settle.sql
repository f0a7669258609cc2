-- Settles calls: each that may have been paid for becomes one row of public.ai_interactions.
-- $1 lease name, $2 lease token, $3 now, $4 digests, $5 states (`settled`, `in_doubt`, `released`),
-- $6 outcomes, $7 responses, $8 confidences
with holder as (
    select token from outreach.leases where name = $1 and token = $2 and until > clock_timestamp()
),
said as materialized (
    select s.* from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::double precision[])
        as s (digest, state, outcome, response, confidence)
),
settled as (
    update outreach.draft_calls c
    set state = s.state, outcome = s.outcome, settled_at = case when s.state = 'settled' then $3 end
    from said s, holder
    where c.digest = s.digest and c.settled_at is null and c.token = $2 and s.state <> 'released'
    returning c.interaction_id, c.session_key, c.employee_id, c.campaign_number, c.field, c.prompt, c.model,
        c.claimed_at, c.digest, s.response, s.confidence
),
logged as (
    insert into public.ai_interactions (
        id, session_key, conversation_id, prompt, response, model_used, confidence_score, created_at, updated_at
    )
    select interaction_id, session_key, format('draft:%s:%s:%s', campaign_number, employee_id, field), prompt,
        response, model, confidence, claimed_at, $3
    from settled
    on conflict (id) do nothing
),
released as (
    delete from outreach.draft_calls c
    using said s, holder
    where c.digest = s.digest and c.settled_at is null and c.token = $2 and s.state = 'released'
    returning c.service, c.day, c.run_id, c.digest
),
day_back as (
    update outreach.spending p set used = p.used - b.calls
    from (select service, day, count(*) as calls from released group by 1, 2) b
    where p.service = b.service and p.day = b.day
),
run_back as (
    update outreach.spending_runs r set used = r.used - b.calls
    from (select run_id, count(*) as calls from released group by 1) b
    where r.id = b.run_id
)
select digest from settled union all select digest from released
