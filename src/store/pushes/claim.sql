-- Claims the next due pushes of a campaign for one provider call.
-- $1 campaign, $2 lease name, $3 lease token, $4 now, $5 how many
with holder as (
    select token from outreach.leases where name = $2 and token = $3 and until > clock_timestamp()
),
due as (
    select p.employee_id, p.campaign_number, p.ordinal, p.action, p.email, p.company_id, p.fields,
        p.source_hash, p.doubted, p.handed_at
    from outreach.pushes p, holder
    where p.campaign_number = $1
      and p.settled_at is null
      and p.state in ('recorded', 'retry')
      and (p.not_before is null or p.not_before <= $4)
    order by p.place
    limit $5
    for update of p
),
-- Checked here and not only in the plan: a stop that was committed meanwhile holds.
stopped as (
    select d.*
    from due d
    left join public.employees e on e.id = d.employee_id
    where d.action <> 'withdraw'
      and (e.id is null
           or e.reply_unsubscribe or e.reply_bounce or e.reply_info_request
           or exists (
               select from outreach.suppressions s
               where s.target in (d.email, '@' || split_part(d.email, '@', 2))
           ))
),
-- These surely never arrived, so there is nothing to remember: the next plan names the reason.
dropped as (
    delete from outreach.pushes p using stopped s
    where (p.employee_id, p.campaign_number, p.ordinal) = (s.employee_id, s.campaign_number, s.ordinal)
      and not s.doubted
    returning p.employee_id
),
-- These may have arrived: they are not sent again, and the provider is taken to hold the contact,
-- so that the next plan withdraws it.
closed as (
    update outreach.pushes p
    set state = 'refused', settled_at = $4, answer = 'stopped before it could be sent again'
    from stopped s
    where (p.employee_id, p.campaign_number, p.ordinal) = (s.employee_id, s.campaign_number, s.ordinal)
      and s.doubted
    returning p.employee_id
),
assumed as (
    insert into outreach.enrollments as n (
        employee_id, campaign_number, company_id, email, status, ordinal, fields, source_hash,
        enrolled_at, updated_at
    )
    select employee_id, $1, company_id, email, 'queued', ordinal, fields, source_hash,
        coalesce(handed_at, $4), $4
    from stopped
    where doubted
    on conflict (employee_id, campaign_number) do update
    set ordinal = excluded.ordinal, updated_at = excluded.updated_at,
        status = case when n.live then n.status else 'queued' end
    returning n.employee_id
),
claimed as (
    update outreach.pushes p
    set state = 'claimed', token = $3, handed_at = $4, attempts = p.attempts + 1
    from due d
    where (p.employee_id, p.campaign_number, p.ordinal) = (d.employee_id, d.campaign_number, d.ordinal)
      and not exists (select from stopped s where s.employee_id = d.employee_id)
    returning p.employee_id, p.ordinal, p.action, p.email, p.fields, p.inputs, p.attempts
)
select employee_id, ordinal, action, email, fields, inputs, attempts, (select count(*) from stopped) as dropped
from claimed
union all
select null, null, null, null, null, null, null, count(*) from stopped having count(*) > 0
order by employee_id
