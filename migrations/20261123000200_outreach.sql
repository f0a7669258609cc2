-- Our own tables. Every per-contact table has employee_id in its primary key, and joins go along it.
-- No foreign key leads to the reference tables: what a provider holds of a contact must still be
-- known after somebody deletes the contact's row.

create schema if not exists outreach;

-- An address as it is compared everywhere: trimmed of blanks of every kind, lower-cased. Plain SQL, so that it is
-- inlined where it is used.
create function outreach.address(text) returns text
language sql immutable parallel safe as
$$ select lower(btrim($1, E' \t\n\u000b\f\r\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000')) $$;

-- Campaigns that have ever been reconciled: tells an orphan from one that never was.
create table outreach.campaigns (
    number   integer primary key check (number > 0),
    name     text not null,
    provider text not null,
    -- When its name or provider was last seen to change.
    declared_at timestamptz not null
);

-- One contact in one campaign, and what the provider is known to hold of it.
create table outreach.enrollments (
    employee_id     uuid not null,
    campaign_number integer not null,
    company_id      uuid,
    -- Trimmed and lower-cased, as the provider holds it.
    email           text not null,
    status          text not null check (status in
        ('queued', 'active', 'replied', 'bounced', 'unsubscribed', 'finished', 'withdrawn', 'failed')),
    live            boolean not null generated always as (status in ('queued', 'active')) stored,
    -- Ordinal of the last push; the next one has the next.
    ordinal         integer not null check (ordinal > 0),
    -- What the provider holds, by field name.
    fields          jsonb not null,
    -- Hash of the values and templates that the fields were made from.
    source_hash     bigint not null,
    -- Hash that the provider refused; nothing is tried again until it changes.
    refused_hash    bigint,
    refused_reason  text,
    enrolled_at     timestamptz not null,
    updated_at      timestamptz not null,
    left_reason     text,
    primary key (employee_id, campaign_number)
);
-- Never twice: one address is live in a campaign once, however many rows carry it.
create unique index enrollments_one_live_address on outreach.enrollments (campaign_number, email) where live;
-- The start of the ramp and what was handed over today.
create index enrollments_of_campaign on outreach.enrollments (campaign_number, enrolled_at);
create index enrollments_of_company on outreach.enrollments (company_id) where live;

-- One action on its way to a provider: committed before the provider is called, kept for ever.
create table outreach.pushes (
    employee_id     uuid not null,
    campaign_number integer not null,
    -- Counts the pushes of one contact in one campaign; the three columns are the push's key.
    ordinal         integer not null check (ordinal > 0),
    action          text not null check (action in ('enroll', 'update', 'withdraw')),
    provider        text not null,
    company_id      uuid,
    email           text not null,
    reason          text not null,
    fields          jsonb not null,
    -- What templates read; null when the campaign has none.
    inputs          jsonb,
    source_hash     bigint not null,
    state           text not null default 'recorded'
        check (state in ('recorded', 'claimed', 'retry', 'in_doubt', 'accepted', 'refused')),
    attempts        smallint not null default 0,
    -- An answer was lost once: the provider may hold it although nobody said so.
    doubted         boolean not null default false,
    not_before      timestamptz,
    -- Fencing token of the provider lease under which it was claimed: whoever holds a later token
    -- knows that this one's holder is gone.
    token           bigint,
    reconcile_id    uuid not null,
    -- Its place in the plan. Claims go along it: contacts whose rows lie side by side are written back
    -- together, which on a large table costs a third of writing them in any other order.
    place           bigint not null default 0,
    recorded_at     timestamptz not null,
    handed_at       timestamptz,
    settled_at      timestamptz,
    -- What the provider answered, in words.
    answer          text,
    primary key (employee_id, campaign_number, ordinal),
    constraint pushes_settled check ((settled_at is not null) = (state in ('accepted', 'refused')))
) with (fillfactor = 45); -- A claim changes every row of a page at once, in place.
-- Never twice: at most one unsettled push of a contact in a campaign. Its predicate, as that of the next,
-- leaves out `state`, so that a claim stays an update in place.
create unique index pushes_one_open on outreach.pushes (campaign_number, employee_id) where settled_at is null;
create index pushes_due on outreach.pushes (campaign_number, place) where settled_at is null;

-- Companies whose status a campaign's `write_back` changed for as long as somebody of theirs is enrolled.
create table outreach.companies_in_flight (
    company_id     uuid primary key,
    status_before  text,
    status_written text not null,
    since          timestamptz not null
);

-- Standing reasons never to write to an address (`a@b.co`) or a whole domain (`@b.co`).
create table outreach.suppressions (
    target     text primary key check (target = lower(btrim(target)) and target like '%@%'),
    reason     text not null check (reason in
        ('unsubscribed', 'bounced', 'complained', 'do_not_contact')),
    -- Who or what said so: `flag` for a reply flag of employees, `cli`, a file name ...
    source     text not null,
    note       text,
    created_at timestamptz not null default now()
);

-- One pass over one campaign.
create table outreach.reconciles (
    id              uuid primary key,
    campaign_number integer not null,
    campaign        text not null,
    trigger         text not null,
    manifest_digest text not null,
    plan_digest     text,
    enroll          bigint not null default 0,
    update          bigint not null default 0,
    withdraw        bigint not null default 0,
    keep            bigint not null default 0,
    accepted        bigint not null default 0,
    refused         bigint not null default 0,
    retry           bigint not null default 0,
    in_doubt        bigint not null default 0,
    outcome         text not null default 'running'
        check (outcome in ('running', 'done', 'blocked', 'partial', 'failed')),
    message         text,
    started_at      timestamptz not null,
    finished_at     timestamptz
);
create index reconciles_of_campaign on outreach.reconciles (campaign_number, started_at desc);

-- Row leases: who plans a campaign, who pushes to a provider account. The token only ever grows.
create table outreach.leases (
    name   text primary key,
    holder text not null,
    token  bigint not null,
    until  timestamptz not null
);

-- Deliveries of import files.
create table outreach.imports (
    id          uuid primary key,
    entity      text not null check (entity in ('companies', 'employees')),
    session_key text,
    batch_id    text,
    file_name   text not null,
    file_digest text not null,
    inserted    bigint not null,
    updated     bigint not null,
    unchanged   bigint not null,
    rejected    bigint not null,
    started_at  timestamptz not null,
    finished_at timestamptz not null
);
create index imports_of_session on outreach.imports (session_key, batch_id);

-- What people did by hand, and what the daemon noticed.
create table outreach.events (
    id      uuid primary key,
    at      timestamptz not null,
    actor   text not null,
    kind    text not null,
    subject text not null,
    detail  jsonb not null default '{}'
);
create index events_of_subject on outreach.events (subject, at desc);

-- A reply flag of employees suppresses the address, not only the row: whoever sets it, every row
-- with that address is stopped from the same commit on.
create function outreach.suppress_flagged() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    address text := outreach.address(new.work_email);
begin
    if address like '%@%' then
        insert into outreach.suppressions (target, reason, source)
        values (address, case when new.reply_unsubscribe then 'unsubscribed' else 'bounced' end, 'flag')
        on conflict (target) do nothing;
    end if;
    return null;
end $$;
revoke all on function outreach.suppress_flagged() from public;

create trigger outreach_suppress_flagged
    after insert or update of reply_unsubscribe, reply_bounce, work_email on public.employees
    for each row when (new.reply_unsubscribe or new.reply_bounce)
    execute function outreach.suppress_flagged();

-- A flag taken back by a person lifts the suppression that it made, unless another row still has it.
create function outreach.lift_unflagged() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from outreach.suppressions s
    where s.target = outreach.address(old.work_email)
      and s.source = 'flag'
      and not exists (
          select from public.employees e
          where outreach.address(e.work_email) = s.target and (e.reply_unsubscribe or e.reply_bounce)
      );
    return null;
end $$;
revoke all on function outreach.lift_unflagged() from public;

create trigger outreach_lift_unflagged
    after update of reply_unsubscribe, reply_bounce on public.employees
    for each row when ((old.reply_unsubscribe or old.reply_bounce)
        and not coalesce(new.reply_unsubscribe or new.reply_bounce, false))
    execute function outreach.lift_unflagged();

insert into outreach.suppressions (target, reason, source)
select outreach.address(work_email),
       case when bool_or(reply_unsubscribe) then 'unsubscribed' else 'bounced' end,
       'flag'
from public.employees
where (reply_unsubscribe or reply_bounce) and work_email like '%@%'
group by 1
on conflict (target) do nothing;

-- Closed to the API roles of a Supabase project: no policy lets them in, nor does what default privileges
-- of the database may have granted.
do $$
declare
    t text;
    api_role text;
begin
    foreach t in array array['campaigns', 'enrollments', 'pushes', 'suppressions', 'reconciles',
                             'leases', 'imports', 'events',
                             'companies_in_flight'] loop
        execute format('alter table outreach.%I enable row level security', t);
    end loop;
    revoke all on schema outreach from public;
    for api_role in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
        execute format('revoke all on schema outreach from %I', api_role);
        execute format('revoke all on all tables in schema outreach from %I', api_role);
    end loop;
end $$;
