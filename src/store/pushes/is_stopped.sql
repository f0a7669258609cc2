-- What stops the push `p`, whatever was planned. $4 now
(
    not exists (
        select from public.employees e
        where e.id = p.employee_id
          and not coalesce(e.reply_unsubscribe or e.reply_bounce or e.reply_info_request, false)
    )
    or exists (
        select from outreach.suppressions s
        where s.target in (p.email, '@' || split_part(p.email, '@', 2))
    )
    or p.action = 'send' and not exists (
        select from outreach.enrollments n
        where n.employee_id = p.employee_id and n.campaign_number = p.campaign_number and n.live
    )
    or p.action in ('enroll', 'send') and exists (
        select from outreach.paused_companies w
        where w.company_id = p.company_id and w.campaign_number = p.campaign_number
          and (w.until is null or w.until > $4)
    )
)
