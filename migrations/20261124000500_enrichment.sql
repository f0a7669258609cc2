-- What is bought of contacts and companies: a ledger that is written before each call, budgets, and what came of it.

-- What a paid service has cost by day, over all processes: reserved before a call, corrected by its answer.
create table outreach.spending (
    service text not null,
    day     date not null,
    used    numeric not null default 0,
    primary key (service, day)
);

-- One run of a job that pays.
create table outreach.spending_runs (
    id          uuid primary key,
    service     text not null,
    trigger     text not null,
    -- Null: only the day's budget holds.
    most        numeric check (most >= 0),
    used        numeric not null default 0,
    started_at  timestamptz not null,
    finished_at timestamptz,
    message     text
);

-- Questions that a service gets as one job and answers later.
create table outreach.enrichment_jobs (
    id           uuid primary key,
    service      text not null,
    step         text not null,
    run_id       uuid not null,
    -- The service's own name for it; null as long as nobody knows whether it was taken.
    remote_id    text,
    rows         integer not null,
    state        text not null default 'submitting'
        check (state in ('submitting', 'running', 'done', 'dropped', 'mixed_up')),
    token        bigint not null,
    submitted_at timestamptz not null,
    -- Not to be asked before.
    ask_at       timestamptz,
    finished_at  timestamptz,
    message      text,
    unique (service, remote_id)
);
create index enrichment_jobs_open on outreach.enrichment_jobs (service) where finished_at is null;

-- One question that costs: committed before the call, kept for ever once it was answered. What surely was
-- not asked is taken out again.
create table outreach.enrichment_calls (
    employee_id uuid not null,
    step        text not null check (step in ('validate', 'find', 'company')),
    ordinal     integer not null check (ordinal > 0),
    company_id  uuid,
    -- In the form in which questions are compared.
    question    text not null,
    asked       jsonb not null,
    state       text not null default 'claimed' check (state in ('claimed', 'in_doubt', 'settled')),
    price       numeric not null,
    charged     numeric,
    service     text not null,
    day         date not null,
    run_id      uuid not null,
    job_id      uuid,
    row_index   integer,
    -- Fencing token of the lease under which it was asked.
    token       bigint not null,
    claimed_at  timestamptz not null,
    settled_at  timestamptz,
    outcome     text,
    answer      jsonb,
    primary key (employee_id, step, ordinal),
    constraint enrichment_settled check ((settled_at is not null) = (state = 'settled'))
);
-- Never bought twice: one question is open once, however many rows ask it.
create unique index enrichment_calls_one_open on outreach.enrichment_calls (step, question) where settled_at is null;
create index enrichment_calls_answered on outreach.enrichment_calls (step, question, settled_at desc);
create index enrichment_calls_of_job on outreach.enrichment_calls (job_id, row_index) where job_id is not null;

-- What is known of the address that a contact has.
create table outreach.verifications (
    employee_id uuid primary key,
    -- Trimmed and lower-cased; when the contact has another address by now, this says nothing of it.
    email       text not null,
    status      text not null check (status in ('valid', 'valid_catch_all', 'catch_all', 'unknown', 'invalid')),
    -- `syntax`, `domain`, or the service that was asked.
    source      text not null,
    checked_at  timestamptz not null,
    -- What processing_status was set to because of it; null when it was left alone.
    wrote       text
);
create index verifications_of_address on outreach.verifications (email);

-- What was learnt of companies, and which of their columns were filled with it.
create table outreach.company_facts (
    company_id uuid primary key,
    facts      jsonb not null,
    filled     text[] not null,
    source     text not null,
    at         timestamptz not null
);

do $$
declare
    t text;
    api_role text;
begin
    foreach t in array array['spending', 'spending_runs', 'enrichment_jobs', 'enrichment_calls', 'verifications',
                             'company_facts'] loop
        execute format('alter table outreach.%I enable row level security', t);
    end loop;
    for api_role in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
        execute format('revoke all on all tables in schema outreach from %I', api_role);
    end loop;
end $$;
