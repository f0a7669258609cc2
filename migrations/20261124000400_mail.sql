-- Mails that we send and read ourselves: sequences step by step, senders, answers.

alter table outreach.pushes drop constraint pushes_action_check;
alter table outreach.pushes add constraint pushes_action_check
    check (action in ('enroll', 'update', 'withdraw', 'send'));

alter table outreach.enrollments
    -- The last mail of the sequence that was accepted; null where the provider sends by itself.
    add column step    smallint,
    -- When the next mail is due; null: there is none.
    add column next_at timestamptz,
    -- The mailbox that writes to this contact.
    add column sender  text;
create index enrollments_due on outreach.enrollments (campaign_number, next_at) where live and next_at is not null;

-- A mail that we made. Its key is that of the push that hands it over.
create table outreach.mails (
    employee_id     uuid not null,
    campaign_number integer not null,
    ordinal         integer not null check (ordinal > 0),
    step            smallint not null check (step > 0),
    sender          text not null,
    -- Without angle brackets. Made before the mail is handed over, and the same when that is tried again.
    message_id      text not null,
    -- As it went out: a follow-up keeps it.
    subject         text not null,
    -- Normalised.
    email           text not null,
    made_at         timestamptz not null,
    -- Counts against the limits from here on; null again when it surely did not leave.
    handed_at       timestamptz,
    -- The server accepted it.
    sent_at         timestamptz,
    primary key (employee_id, campaign_number, ordinal)
);
create index mails_by_message_id on outreach.mails (message_id);
create index mails_of_sender on outreach.mails (sender, handed_at) where handed_at is not null;
create index mails_of_campaign on outreach.mails (campaign_number, handed_at) where handed_at is not null;

create table outreach.mailboxes (
    name          text primary key,
    next_send_at  timestamptz,
    paused_until  timestamptz,
    paused_reason text,
    -- Every folder was read to its end at this time.
    read_at       timestamptz,
    -- Why it cannot be read.
    read_fault    text
);

-- How far a folder has been read (RFC 3501 2.3.1.1).
create table outreach.mailbox_folders (
    mailbox      text not null,
    folder       text not null,
    uid_validity bigint not null,
    last_uid     bigint not null,
    primary key (mailbox, folder)
);

-- A mail that we read, with its class and the rule that says so.
create table outreach.replies (
    id              uuid primary key,
    -- Its Message-ID, or a hash of the mail where it has none: it may lie in several folders.
    dedupe          text not null unique,
    mailbox         text not null,
    folder          text not null,
    received_at     timestamptz not null,
    read_at         timestamptz not null,
    kind            text not null,
    rule            text not null,
    evidence        text not null,
    confidence      text not null check (confidence in ('sure', 'unsure')),
    -- Whom it answers; null: nobody of ours.
    employee_id     uuid,
    campaign_number integer,
    ordinal         integer,
    matched_by      text,
    status          text,
    hard            boolean,
    away_until      timestamptz,
    -- As it came, up to a bound, so that new rules can be tried on it.
    raw             bytea not null,
    -- What a person says it is; wins over every rule.
    corrected_kind  text,
    corrected_by    text,
    corrected_at    timestamptz
);
create index replies_of_contact on outreach.replies (employee_id, campaign_number, received_at);
create index replies_by_time on outreach.replies (received_at desc);

-- Somebody of the company has answered, and the campaign says that colleagues are left alone.
create table outreach.paused_companies (
    company_id      uuid not null,
    campaign_number integer not null,
    reason          text not null,
    since           timestamptz not null,
    -- Ends by itself; null: when a person says so.
    until           timestamptz check (until > since),
    primary key (company_id, campaign_number)
);

do $$
declare
    t text;
    api_role text;
begin
    foreach t in array array['mails', 'mailboxes', 'mailbox_folders', 'replies', 'paused_companies'] loop
        execute format('alter table outreach.%I enable row level security', t);
    end loop;
    for api_role in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
        execute format('revoke all on all tables in schema outreach from %I', api_role);
    end loop;
end $$;
