-- What people see and do in the browser.

-- A plan that the guard blocks, let through once by a person: exactly the one that was looked at.
create table outreach.approvals (
    campaign_number integer primary key,
    plan_digest     text not null,
    approved_by     text not null,
    at              timestamptz not null
);

-- Notices about conditions, once each over all daemons: claimed before they are sent, and never sent again
-- where nobody knows whether they arrived.
create table outreach.notices (
    campaign_number integer not null,
    kind            text not null,
    -- Since when the condition holds, or ceased to.
    since           timestamptz not null,
    holds           boolean not null,
    -- Hash of where it goes to.
    target          text not null,
    state           text not null check (state in ('claimed', 'sent', 'failed')),
    attempts        smallint not null default 1,
    at              timestamptz not null,
    primary key (campaign_number, kind, since, holds, target)
);

-- When the plan of a pass was recorded: how long planning takes.
alter table outreach.reconciles add column planned_at timestamptz;

-- Answers by the day they came.
create index enrollments_answered on outreach.enrollments (updated_at)
    where status in ('replied', 'bounced', 'unsubscribed');
create index enrollments_by_time on outreach.enrollments (enrolled_at);
create index reconciles_by_time on outreach.reconciles (started_at desc);
create index events_by_time on outreach.events (at desc);

do $$
declare
    t text;
    api_role text;
begin
    foreach t in array array['approvals', 'notices'] loop
        execute format('alter table outreach.%I enable row level security', t);
    end loop;
    for api_role in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
        execute format('revoke all on all tables in schema outreach from %I', api_role);
    end loop;
end $$;
