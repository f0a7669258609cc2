-- What a mail said, so that a sequence whose mails were moved about sends none of them twice; and who was written to,
-- whatever became of their rows.
alter table outreach.mails
    -- Hash of the declared texts; null on mails from before it was kept.
    add column words bigint;
create index mails_of_address_in_campaign on outreach.mails (campaign_number, email) where handed_at is not null;
