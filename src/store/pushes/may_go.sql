-- Whether nothing has stopped a claimed mail meanwhile. $1 employee, $2 campaign, $3 ordinal, $4 now
select
    exists (
        select from public.employees e
        where e.id = p.employee_id
          and not coalesce(e.reply_unsubscribe or e.reply_bounce or e.reply_info_request, false)
    )
    and not exists (
        select from outreach.suppressions s where s.target in (p.email, '@' || split_part(p.email, '@', 2))
    )
    and not exists (
        select from outreach.pauses where campaign_number = $2 and (until is null or until > $4)
    )
    and not exists (
        select from outreach.paused_companies w
        where w.company_id = p.company_id and w.campaign_number = $2 and (w.until is null or w.until > $4)
    )
    and (p.action <> 'send' or exists (
        select from outreach.enrollments n
        where n.employee_id = p.employee_id and n.campaign_number = $2 and n.live
    )) as may_go
from outreach.pushes p
where p.employee_id = $1 and p.campaign_number = $2 and p.ordinal = $3 and p.state = 'claimed'
