-- Everything that happened to one contact, newest first. $1 employee, $2 how many
select at, what, campaign_number, subject, detail
from (
    select
        coalesce(p.settled_at, p.handed_at, p.recorded_at) as at, 'push' as what, p.campaign_number,
        p.action || ' (' || replace(p.reason, '_', ' ') || '): ' || replace(p.state, '_', ' ') as subject, p.answer as detail
    from outreach.pushes p
    where p.employee_id = $1
    union all
    select
        coalesce(m.sent_at, m.handed_at, m.made_at), 'mail', m.campaign_number,
        'step ' || m.step || ' from ' || m.sender
            || case when m.sent_at is not null then ': sent' when m.handed_at is not null then ': handed over' else ': made' end,
        m.subject
    from outreach.mails m
    where m.employee_id = $1
    union all
    select
        r.received_at, 'answer', r.campaign_number,
        replace(coalesce(r.corrected_kind, r.kind), '_', ' ')
            || case when r.corrected_by is not null then ', as ' || r.corrected_by || ' says' else '' end,
        r.evidence
    from outreach.replies r
    where r.employee_id = $1
    union all
    select v.at, 'event', null, v.kind || ' by ' || v.actor, v.detail ->> 'reason'
    from outreach.events v
    where v.subject = 'contact:' || $1
    union all
    select s.created_at, 'stop', null, replace(s.reason, '_', ' ') || ', from ' || s.source, s.note
    from outreach.suppressions s
    join public.employees e on e.id = $1
    where s.target in (outreach.address(e.work_email), '@' || split_part(outreach.address(e.work_email), '@', 2))
) t
order by at desc, what
limit $2
