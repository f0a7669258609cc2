-- Writes down a mail that is about to be handed over. Tried again it is the same mail, with the same Message-ID.
-- $1 employee, $2 campaign, $3 ordinal, $4 step, $5 sender, $6 message id, $7 subject, $8 address, $9 now,
-- $10 when the sender may send the next one, $11 lease name, $12 lease token, $13 hash of what it says
with holder as (
    select token from outreach.leases where name = $11 and token = $12 and until > clock_timestamp()
),
made as (
    insert into outreach.mails as m (
        employee_id, campaign_number, ordinal, step, sender, message_id, subject, email, words, made_at, handed_at
    )
    select $1, $2, $3, $4, $5, $6, $7, $8, $13, $9, $9
    from holder
    on conflict (employee_id, campaign_number, ordinal) do update
    set sender = excluded.sender, message_id = excluded.message_id, subject = excluded.subject,
        step = excluded.step, email = excluded.email, words = excluded.words, handed_at = excluded.handed_at
    returning m.step
),
paced as (
    insert into outreach.mailboxes (name, next_send_at)
    select $5, $10 from made
    on conflict (name) do update set next_send_at = excluded.next_send_at
)
select step from made
