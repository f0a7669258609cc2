-- Claims of an enrollment or update that came after the suppression of its address.
-- A claim in the same instant as the suppression cannot be told apart by the clock and is not listed.
select
    p.employee_id,
    p.campaign_number,
    format('push %s was claimed at %s, suppressed since %s', p.ordinal, p.handed_at, s.created_at) as detail
from outreach.pushes p
join outreach.suppressions s on s.target in (p.email, '@' || split_part(p.email, '@', 2))
where p.action <> 'withdraw'
  and p.state <> 'recorded'
  and p.reason <> 'adopted'
  and p.handed_at > s.created_at
  and not (p.state = 'refused' and p.answer = 'stopped before it could be sent again')
limit $1
