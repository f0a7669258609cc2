-- Writes down mails that were not seen before, in whatever folder.
-- $1 mailbox, $2 folder, $3 now, $4 ids, $5 dedupe keys, $6 received, $7 kinds, $8 rules, $9 evidence, $10 confidence,
-- $11 employees, $12 campaigns, $13 ordinals, $14 matched by, $15 status, $16 hard, $17 away until, $18 raw,
-- $19 address written to, $20 addresses to stop (as json), $21 left the company
insert into outreach.replies (
    id, dedupe, mailbox, folder, received_at, read_at, kind, rule, evidence, confidence, employee_id, campaign_number,
    ordinal, matched_by, status, hard, away_until, raw, email, stops, left_company
)
select
    r.id, r.dedupe, $1, $2, r.received_at, $3, r.kind, r.rule, r.evidence, r.confidence, r.employee_id,
    r.campaign_number, r.ordinal, r.matched_by, r.status, r.hard, r.away_until, r.raw, r.email,
    array(select jsonb_array_elements_text(r.stops)), r.left_company
from unnest(
    $4::uuid[], $5::text[], $6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::text[], $11::uuid[],
    $12::integer[], $13::integer[], $14::text[], $15::text[], $16::boolean[], $17::timestamptz[], $18::bytea[],
    $19::text[], $20::jsonb[], $21::boolean[]
) as r (
    id, dedupe, received_at, kind, rule, evidence, confidence, employee_id, campaign_number, ordinal, matched_by, status,
    hard, away_until, raw, email, stops, left_company
)
on conflict (dedupe) do nothing
returning id
