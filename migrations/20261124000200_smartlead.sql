-- Campaigns that a provider keeps itself, and what it tells us.

-- A campaign of ours at its provider.
create table outreach.remote_campaigns (
    campaign_number integer primary key,
    provider        text not null,
    -- The name it was created under: an answer that was lost is looked up by it.
    name            text not null,
    -- Null as long as it is not known whether it was created.
    remote_id       text,
    asked_at        timestamptz not null,
    adopted         boolean not null default false,
    -- By setting: what was declared when it was last written, and what the provider then showed.
    written         jsonb not null default '{}',
    -- How far each feed was read.
    heard           jsonb not null default '{}',
    unique (provider, remote_id)
);

-- The provider's own names for contacts.
create table outreach.remote_leads (
    employee_id     uuid not null,
    campaign_number integer not null,
    held            text not null,
    primary key (employee_id, campaign_number)
);

-- Webhooks that were taken: each is delivered at least once.
create table outreach.webhooks_taken (
    provider text not null,
    key      text not null,
    at       timestamptz not null,
    primary key (provider, key)
);
create index webhooks_taken_by_time on outreach.webhooks_taken (at);

-- Suppressions that a provider was told of, or that concern nobody whom it has had from us.
create table outreach.stops_told (
    provider text not null,
    target   text not null,
    at       timestamptz not null,
    told     boolean not null default true,
    primary key (provider, target)
);

do $$
declare
    t text;
    api_role text;
begin
    foreach t in array array['remote_campaigns', 'remote_leads', 'webhooks_taken', 'stops_told'] loop
        execute format('alter table outreach.%I enable row level security', t);
    end loop;
    for api_role in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
        execute format('revoke all on all tables in schema outreach from %I', api_role);
    end loop;
end $$;
