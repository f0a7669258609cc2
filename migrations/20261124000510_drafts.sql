-- Texts that a model drafts for single contacts: each paid call once, and what became of its answer.

-- One call to the endpoint: committed before it is made, kept for ever unless it surely was not made.
create table outreach.draft_calls (
    employee_id     uuid not null,
    campaign_number integer not null,
    field           text not null,
    ordinal         integer not null check (ordinal > 0),
    -- Of everything that was sent, the model included: one digest is paid for once.
    digest          text not null,
    -- The call's row in public.ai_interactions, written when it is settled.
    interaction_id  uuid not null,
    session_key     text not null,
    prompt          text not null,
    model           text not null,
    state           text not null default 'claimed' check (state in ('claimed', 'in_doubt', 'settled')),
    service         text not null,
    day             date not null,
    run_id          uuid not null,
    -- Fencing token of the lease under which it was made.
    token           bigint not null,
    claimed_at      timestamptz not null,
    settled_at      timestamptz,
    -- `answered`, `lost`, `empty`
    outcome         text,
    primary key (employee_id, campaign_number, field, ordinal),
    constraint draft_calls_settled check ((settled_at is not null) = (state = 'settled'))
);
create unique index draft_calls_one_open on outreach.draft_calls (digest) where settled_at is null;
create index draft_calls_answered on outreach.draft_calls (digest) where outcome = 'answered';

-- The text of one field for one contact of a campaign.
create table outreach.drafts (
    employee_id     uuid not null,
    campaign_number integer not null,
    field           text not null,
    -- Of what the campaign declares about the field; another one wants another draft.
    spec            text not null,
    -- Of what was sent to the model for it.
    digest          text not null,
    text            text not null,
    state           text not null check (state in ('drafted', 'approved', 'rejected', 'failed')),
    -- What the checks found.
    problem         text,
    interaction_id  uuid,
    drafted_at      timestamptz not null,
    decided_at      timestamptz,
    decided_by      text,
    primary key (employee_id, campaign_number, field)
);
create index drafts_of_campaign on outreach.drafts (campaign_number, state);

do $$
declare
    t text;
    api_role text;
begin
    foreach t in array array['draft_calls', 'drafts'] loop
        execute format('alter table outreach.%I enable row level security', t);
    end loop;
    for api_role in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
        execute format('revoke all on all tables in schema outreach from %I', api_role);
    end loop;
end $$;
