-- Reserves credits and records questions in one statement: as many as day and run allow, in their order.
-- $1 lease name, $2 lease token, $3 step, $4 price, $5 service, $6 day, $7 credits of a day, $8 run, $9 now,
-- $10 job (null: each by itself), $11 employees, $12 companies, $13 questions, $14 as they are asked
with holder as (
    select token from outreach.leases where name = $1 and token = $2 and until > clock_timestamp()
),
-- Both rows are locked, so that whoever claims at the same time counts what this one takes.
today as (
    select used from outreach.spending where service = $5 and day = $6 for update
),
run as (
    select used, most from outreach.spending_runs where id = $8 for update
),
room as (
    select floor(least($7::numeric - today.used, coalesce(run.most - run.used, $7::numeric)) / nullif($4::numeric, 0))
        as calls
    from today, run, holder
),
wanted as (
    select w.*,
        coalesce((
            select max(ordinal) from outreach.enrichment_calls c
            where c.employee_id = w.employee_id and c.step = $3
        ), 0) + 1 as ordinal,
        row_number() over (order by w.place) as turn
    from unnest($11::uuid[], $12::uuid[], $13::text[], $14::jsonb[]) with ordinality
        as w (employee_id, company_id, question, asked, place)
    where not exists (
        select from outreach.enrichment_calls c
        where c.step = $3 and c.question = w.question and c.settled_at is null
    )
),
claimed as (
    insert into outreach.enrichment_calls (
        employee_id, step, ordinal, company_id, question, asked, price, service, day, run_id, job_id, row_index,
        token, claimed_at
    )
    select employee_id, $3, ordinal, company_id, question, asked, $4, $5, $6, $8, $10,
        case when $10::uuid is not null then turn - 1 end, $2, $9
    from wanted, room
    where room.calls is null or turn <= room.calls
    on conflict do nothing
    returning employee_id, ordinal, company_id, question, asked, row_index
),
taken as (
    select count(*) * $4::numeric as credits, count(*) as calls from claimed
),
day_used as (
    update outreach.spending s set used = s.used + taken.credits
    from taken where s.service = $5 and s.day = $6 and taken.calls > 0
),
run_used as (
    update outreach.spending_runs r set used = r.used + taken.credits
    from taken where r.id = $8 and taken.calls > 0
),
job as (
    insert into outreach.enrichment_jobs (id, service, step, run_id, rows, token, submitted_at)
    select $10, $5, $3, $8, taken.calls, $2, $9 from taken where $10::uuid is not null and taken.calls > 0
)
select employee_id, ordinal, company_id, question, asked, row_index from claimed
order by row_index, employee_id
