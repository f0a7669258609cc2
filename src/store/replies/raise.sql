-- Brings contacts to what replies mean for them. Doing it twice, or in another order, comes to the same.
-- $1 replies, $2 now, $3 campaigns in which colleagues of one who answers are left alone
with told as materialized (
    select r.*,
        -- Where the sequence stands; the furthest wins. An address that is dead says nothing of the one that came after it.
        case
            when r.meaning = 'finished' then 3
            when r.meaning in ('replied', 'asked') then 4
            when r.meaning = 'bounced' then case when n.email is null or n.email = r.email then 5 end
            when r.meaning in ('unsubscribed', 'complained') then 6
        end as rank,
        r.meaning in ('unsubscribed', 'complained') as unsubscribes,
        r.meaning = 'bounced' and r.email = outreach.address(e.work_email) as kills
    from outreach.replies r
    left join outreach.enrollments n using (employee_id, campaign_number)
    left join public.employees e on e.id = r.employee_id
    where r.id = any ($1)
),
heard as materialized (
    select
        employee_id, campaign_number,
        max(rank) as rank,
        bool_or(left_company and meaning = 'finished') as has_left,
        bool_or(meaning in ('replied', 'asked') or unsubscribes) as answers,
        max(away_until) filter (where coalesce(corrected_kind, kind) = 'auto_reply') as away_until
    from told
    where employee_id is not null
    group by employee_id, campaign_number
),
judged as materialized (
    select h.*, n.company_id,
        case when h.rank > array_position(
                 array['queued', 'active', 'finished', 'replied', 'bounced', 'unsubscribed'], n.status)
             then (array['queued', 'active', 'finished', 'replied', 'bounced', 'unsubscribed'])[h.rank]
             else n.status end as next
    from heard h
    join outreach.enrollments n using (employee_id, campaign_number)
),
moved as (
    update outreach.enrollments n
    set status = j.next,
        left_reason = case when j.next = 'finished' and n.status <> 'finished' and j.has_left then 'left_company'
                      else n.left_reason end,
        -- Somebody who is away gets the next mail after that.
        next_at = greatest(n.next_at, case when n.next_at is not null then j.away_until end),
        updated_at = $2
    from judged j
    where n.employee_id = j.employee_id
      and n.campaign_number = j.campaign_number
      and (n.status <> j.next or j.away_until > n.next_at)
    returning n.employee_id
),
-- One reason an address: the gravest that was ever given. What a person has entered stays.
stopped as (
    insert into outreach.suppressions as s (target, reason, source, created_at)
    select distinct on (a.target) a.target, case t.meaning when 'complained' then 'complained'
            when 'unsubscribed' then 'unsubscribed' else 'bounced' end, 'mail',
        -- As near to the commit as can be: what was claimed before it was in time.
        clock_timestamp()
    from told t
    cross join lateral unnest(t.stops) as a (target)
    where t.meaning in ('complained', 'unsubscribed', 'bounced')
    order by a.target, t.rank desc, t.meaning = 'complained' desc
    on conflict (target) do update
    set reason = excluded.reason, source = excluded.source
    where s.source in ('flag', 'mail')
      and array_position(array['bounced', 'unsubscribed', 'complained'], excluded.reason)
          > array_position(array['bounced', 'unsubscribed', 'complained'], s.reason)
    returning s.target
),
people as materialized (
    select
        t.employee_id,
        bool_or(t.unsubscribes) as unsubscribed,
        bool_or(t.kills) as bounced,
        bool_or(t.meaning = 'asked') as asked
    from told t
    where t.employee_id is not null
    group by t.employee_id
),
flagged as (
    update public.employees e
    set reply_unsubscribe = coalesce(e.reply_unsubscribe, false) or coalesce(p.unsubscribed, false),
        reply_bounce = coalesce(e.reply_bounce, false) or coalesce(p.bounced, false),
        reply_info_request = coalesce(e.reply_info_request, false) or coalesce(p.asked, false),
        -- The row speaks of one campaign.
        campaign_status = coalesce(
            (select j.next from judged j
             where j.employee_id = e.id and j.campaign_number = e.campaign_number),
            e.campaign_status)
    from people p
    where e.id = p.employee_id
      and (
          p.unsubscribed and e.reply_unsubscribe is not true
          or p.bounced and e.reply_bounce is not true
          or p.asked and e.reply_info_request is not true
          or exists (
              select from judged j
              where j.employee_id = e.id
                and j.campaign_number = e.campaign_number
                and j.next is distinct from e.campaign_status
          )
      )
    returning e.id
),
noted as (
    update outreach.replies r
    set flags_set = array_remove(array[
            case when t.unsubscribes and e.reply_unsubscribe is not true then 'reply_unsubscribe' end,
            case when t.kills and e.reply_bounce is not true then 'reply_bounce' end,
            case when t.meaning = 'asked' and e.reply_info_request is not true then 'reply_info_request' end
        ], null) || r.flags_set,
        pending = exists (
            select from outreach.pushes p
            where (p.employee_id, p.campaign_number, p.ordinal) = (t.employee_id, t.campaign_number, t.ordinal)
              and p.settled_at is null
        )
    from told t
    left join public.employees e on e.id = t.employee_id
    where r.id = t.id
    returning r.id
),
spared as (
    insert into outreach.paused_companies (company_id, campaign_number, reason, since)
    select distinct j.company_id, j.campaign_number, 'a colleague has answered', $2
    from judged j
    where j.answers and j.company_id is not null and j.campaign_number = any ($3)
    on conflict do nothing
    returning company_id
)
select
    (select count(*) from moved) as moved,
    (select count(*) from flagged) as written,
    (select count(*) from stopped) as stopped,
    (select count(*) from told where employee_id is null) as strangers
