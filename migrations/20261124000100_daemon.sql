-- What any number of daemons on one database share: pauses, conditions, what was looked at last, call rates.

-- Somebody waits for the lease: its holder lets go between two batches.
alter table outreach.leases add column wanted_at timestamptz;

alter table outreach.campaigns
    -- The latest tick of its schedule that a pass has served; ticks before its declaration count as served.
    add column served_tick timestamptz,
    -- What the last whole look was made from. As long as all of it is the same, there is nothing new to see.
    add column seen_digest  text,
    add column seen_changes bigint,
    add column seen_at      timestamptz;

alter table outreach.reconciles add column git_revision text;

-- Campaigns that a person has paused beside the files: nobody enters, nothing is updated, stops go out.
create table outreach.pauses (
    campaign_number integer primary key,
    reason          text not null,
    paused_by       text not null,
    since           timestamptz not null,
    -- Resumes by itself; null: when a person says so.
    until           timestamptz check (until > since)
);

-- The state of each campaign, a row a question, as daemons last saw it.
create table outreach.conditions (
    campaign_number integer not null,
    kind            text not null check (kind in ('ready', 'blocked', 'degraded', 'paused')),
    holds           boolean not null,
    reason          text not null,
    message         text not null default '',
    -- When it began to hold, or ceased to.
    since           timestamptz not null,
    -- Digest of the manifest that it was seen under.
    observed_digest text not null,
    primary key (campaign_number, kind)
);

-- How often a provider account may be called: the instant from which a next call is within its rate
-- (the generic cell rate algorithm keeps no more than that).
create table outreach.rates (
    provider     text primary key,
    next_at      timestamptz not null,
    -- The provider itself said when to come back.
    paused_until timestamptz
);

-- Daemons, as long as they show signs of life.
create table outreach.daemons (
    id              uuid primary key,
    host            text not null,
    pid             integer not null,
    version         text not null,
    started_at      timestamptz not null,
    seen_at         timestamptz not null,
    manifest_digest text not null,
    git_revision    text,
    -- What is wrong in the files that it could not take; it goes on with those before.
    diagnostics     jsonb not null default '[]',
    -- Settings that only a restart applies.
    restart_for     text[] not null default '{}'
);

do $$
declare
    t text;
    api_role text;
begin
    foreach t in array array['pauses', 'conditions', 'rates', 'daemons'] loop
        execute format('alter table outreach.%I enable row level security', t);
    end loop;
    for api_role in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
        execute format('revoke all on all tables in schema outreach from %I', api_role);
    end loop;
end $$;
