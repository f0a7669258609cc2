-- Reserves calls and records them in one statement: as many as day and run allow, in their order.
-- $1 lease name, $2 lease token, $3 service, $4 day, $5 calls of a day, $6 run, $7 now, $8 campaign,
-- $9 employees, $10 fields, $11 digests, $12 interactions, $13 session keys, $14 prompts, $15 models
with holder as (
    select token from outreach.leases where name = $1 and token = $2 and until > clock_timestamp()
),
today as (
    select used from outreach.spending where service = $3 and day = $4 for update
),
run as (
    select used, most from outreach.spending_runs where id = $6 for update
),
room as (
    select floor(least($5::numeric - today.used, coalesce(run.most - run.used, $5::numeric))) as calls
    from today, run, holder
),
wanted as (
    select w.*,
        coalesce((
            select max(ordinal) from outreach.draft_calls c
            where c.employee_id = w.employee_id and c.campaign_number = $8 and c.field = w.field
        ), 0) + 1 as ordinal,
        row_number() over (order by w.place) as turn
    from unnest($9::uuid[], $10::text[], $11::text[], $12::uuid[], $13::text[], $14::text[], $15::text[])
        with ordinality as w (employee_id, field, digest, interaction_id, session_key, prompt, model, place)
    where not exists (
        select from outreach.draft_calls c where c.digest = w.digest and c.settled_at is null
    )
),
claimed as (
    insert into outreach.draft_calls (
        employee_id, campaign_number, field, ordinal, digest, interaction_id, session_key, prompt, model, service,
        day, run_id, token, claimed_at
    )
    select employee_id, $8, field, ordinal, digest, interaction_id, session_key, prompt, model, $3, $4, $6, $2, $7
    from wanted, room
    where turn <= room.calls
    on conflict do nothing
    returning digest
),
taken as (
    select count(*) as calls from claimed
),
day_used as (
    update outreach.spending s set used = s.used + taken.calls
    from taken where s.service = $3 and s.day = $4 and taken.calls > 0
),
run_used as (
    update outreach.spending_runs r set used = r.used + taken.calls
    from taken where r.id = $6 and taken.calls > 0
)
select digest from claimed
