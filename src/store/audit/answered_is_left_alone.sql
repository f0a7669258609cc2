-- Mails that left although an answer, a bounce or a stop had been read before. A claim may be under way while a mail is
-- taken in, so the first minute is not listed.
select
    p.employee_id,
    p.campaign_number,
    format('push %s was claimed at %s, although mail %s (%s) was read at %s', p.ordinal, p.handed_at, r.id, r.meaning,
        greatest(r.read_at, r.corrected_at)) as detail
from outreach.replies r
join outreach.pushes p using (employee_id, campaign_number)
where r.meaning is not null
  -- A dead address says nothing of the one that came after it.
  and (r.meaning <> 'bounced' or r.email = p.email)
  and p.action in ('enroll', 'send')
  and p.state in ('claimed', 'in_doubt', 'accepted')
  and p.handed_at > greatest(r.read_at, r.corrected_at) + interval '1 minute'
limit $1
