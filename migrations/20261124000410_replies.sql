-- What a mail that we read comes to, so that it can be taken back when it was read wrongly.

alter table outreach.replies
    -- What it means for the contact: 'complained', 'unsubscribed', 'bounced', 'asked', 'replied', 'finished'; null: nothing.
    add column meaning      text check (meaning in
        ('complained', 'unsubscribed', 'bounced', 'asked', 'replied', 'finished')),
    -- The address that we wrote to.
    add column email        text,
    -- The addresses that are stopped if it is a stop.
    add column stops        text[] not null default '{}',
    -- A person who has left, rather than one who is away.
    add column left_company boolean not null default false,
    -- Reply flags of employees that were not set before it came.
    add column flags_set    text[] not null default '{}',
    -- The push that it answers is not settled yet, so there was no enrollment to end or to shift.
    add column pending      boolean not null default false;

create index replies_pending on outreach.replies (campaign_number) where pending;
create index replies_of_address on outreach.replies (email, received_at) where kind = 'bounce';
create index replies_of_push on outreach.replies (employee_id, campaign_number, ordinal);
create index replies_to_decide on outreach.replies (received_at) where confidence = 'unsure' and corrected_kind is null;
create index replies_stopping on outreach.replies using gin (stops);
-- Whom an answer without ids may be from.
create index mails_by_address on outreach.mails (email, made_at);
