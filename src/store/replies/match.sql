-- Finds what mails answer: for each mail the first of its claims that holds.
-- $1 mailbox, $2 number of the mail, $3 rank, $4 by what, $5 employee, $6 campaign, $7 ordinal, $8 id or address, $9 now
with claims as materialized (
    select *
    from unnest($2::integer[], $3::integer[], $4::text[], $5::uuid[], $6::integer[], $7::integer[], $8::text[])
        as c (mail, rank, via, employee_id, campaign_number, ordinal, word)
),
found as (
    -- Signed by us, so that the key is ours; pushes are kept for ever.
    select c.mail, c.rank, c.via, p.employee_id, p.campaign_number, p.ordinal, p.email, p.recorded_at as at
    from claims c
    join outreach.pushes p using (employee_id, campaign_number, ordinal)
    union all
    select c.mail, c.rank, c.via, m.employee_id, m.campaign_number, m.ordinal, m.email, m.made_at
    from claims c
    join outreach.mails m on m.message_id = c.word
    where c.employee_id is null and c.via <> 'address'
    union all
    -- No id of ours: whom we wrote to lately, from this very mailbox before any other.
    select c.mail, c.rank, c.via, w.employee_id, w.campaign_number, w.ordinal, w.email, w.made_at
    from claims c
    cross join lateral (
        select m.*
        from outreach.mails m
        where m.email = c.word and m.made_at > $9 - interval '180 days'
        order by m.sender = $1 desc, m.made_at desc
        limit 1
    ) w
    where c.via = 'address'
    union all
    -- Campaigns whose provider sends by itself may be answered here, too.
    select c.mail, c.rank + 1000, c.via, w.employee_id, w.campaign_number, null, w.email, w.updated_at
    from claims c
    cross join lateral (
        select n.*
        from outreach.campaigns k
        join outreach.enrollments n on n.campaign_number = k.number and n.email = c.word and n.live
        order by n.updated_at desc
        limit 1
    ) w
    where c.via = 'address'
)
select distinct on (mail) mail, via, employee_id, campaign_number, ordinal, email
from found
order by mail, rank, at desc
