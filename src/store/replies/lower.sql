-- Takes back what replies had brought about and no reply does any more. To be run when their new meanings stand.
-- $1 replies whose meaning is another one now, $2 what they meant before, $3 now, $4 whom they stopped before
with changed as materialized (
    select r.id, r.employee_id, r.campaign_number, array(select jsonb_array_elements_text(c.stops)) as stops,
        c.meant, r.meaning as means
    from unnest($1::uuid[], $2::text[], $4::jsonb[]) as c (id, meant, stops)
    join outreach.replies r using (id)
),
-- Their own hand has followed a link: no reading of a mail takes that back.
by_link as materialized (
    select distinct p.employee_id
    from outreach.pushes p
    join outreach.suppressions s on s.target = p.email and s.source = 'link'
    where p.employee_id in (select employee_id from changed)
),
-- What all replies of these people, the changed ones too, mean now.
present as materialized (
    select r.employee_id, r.campaign_number, r.meaning, r.flags_set,
        case r.meaning
            when 'finished' then 3 when 'replied' then 4 when 'asked' then 4 when 'bounced' then 5
            when 'unsubscribed' then 6 when 'complained' then 6 end as rank
    from outreach.replies r
    where r.employee_id in (select employee_id from changed)
),
-- Flags that a mail had set, and that none stands for now. What a person has set stays.
taken_back as materialized (
    select
        employee_id,
        bool_or('reply_unsubscribe' = any (flags_set))
            and not coalesce(bool_or(meaning in ('unsubscribed', 'complained')), false)
            and employee_id not in (select employee_id from by_link) as unsubscribe,
        bool_or('reply_bounce' = any (flags_set)) and not coalesce(bool_or(meaning = 'bounced'), false) as bounce,
        bool_or('reply_info_request' = any (flags_set)) and not coalesce(bool_or(meaning = 'asked'), false) as asked
    from present
    group by employee_id
),
ended as materialized (
    select distinct on (c.employee_id, c.campaign_number)
        c.employee_id, c.campaign_number, n.company_id, n.status as before,
        case
            when p.rank is not null
                then (array['queued', 'active', 'finished', 'replied', 'bounced', 'unsubscribed'])[p.rank]
            -- It goes on, unless the address or the contact is in a campaign meanwhile.
            when n.next_at is not null and not exists (
                select from outreach.enrollments o
                where o.live
                  and (o.employee_id = n.employee_id
                       or o.campaign_number = n.campaign_number and o.email = n.email)
            ) then 'active'
            else 'finished'
        end as next
    from changed c
    join outreach.enrollments n using (employee_id, campaign_number)
    left join (
        select employee_id, campaign_number, max(rank) as rank from present group by employee_id, campaign_number
    ) p using (employee_id, campaign_number)
    -- Only what the reply itself had brought about.
    where n.status = case c.meant
            when 'complained' then 'unsubscribed' when 'unsubscribed' then 'unsubscribed' when 'bounced' then 'bounced'
            when 'asked' then 'replied' when 'replied' then 'replied' when 'finished' then 'finished' end
      and coalesce(p.rank, 0)
          < array_position(array['queued', 'active', 'finished', 'replied', 'bounced', 'unsubscribed'], n.status)
      and (c.meant <> 'finished' or n.left_reason = 'left_company')
      and (n.status <> 'unsubscribed' or n.employee_id not in (select employee_id from by_link))
),
moved as (
    update outreach.enrollments n
    set status = e.next, left_reason = null, updated_at = $3
    from ended e
    where n.employee_id = e.employee_id and n.campaign_number = e.campaign_number and n.status <> e.next
    returning n.employee_id
),
lifted as (
    delete from outreach.suppressions s
    using (
        select distinct a.target
        from changed c
        cross join lateral unnest(c.stops) as a (target)
        where c.meant in ('complained', 'unsubscribed', 'bounced')
    ) t
    where s.target = t.target
      and s.source in ('mail', 'flag')
      and not exists (
          select from outreach.replies r
          where r.stops @> array[t.target] and r.meaning in ('complained', 'unsubscribed', 'bounced')
      )
      -- Another row of that address, or this one by a person's hand, may carry a flag.
      and not exists (
          select from public.employees e
          left join taken_back b on b.employee_id = e.id
          where e.work_email = t.target
            and (e.reply_unsubscribe and not coalesce(b.unsubscribe, false)
                 or e.reply_bounce and not coalesce(b.bounce, false))
      )
    returning s.target
),
unflagged as (
    update public.employees e
    set reply_unsubscribe = case when b.unsubscribe then false else e.reply_unsubscribe end,
        reply_bounce = case when b.bounce then false else e.reply_bounce end,
        reply_info_request = case when b.asked then false else e.reply_info_request end,
        campaign_status = coalesce(
            (select o.next from ended o where o.employee_id = e.id and o.campaign_number = e.campaign_number),
            e.campaign_status)
    from taken_back b
    where e.id = b.employee_id
      and (
          b.unsubscribe and e.reply_unsubscribe or b.bounce and e.reply_bounce or b.asked and e.reply_info_request
          or exists (
              select from ended o
              where o.employee_id = e.id
                and o.campaign_number = e.campaign_number
                and o.next is distinct from e.campaign_status
          )
      )
    returning e.id
),
forgotten as (
    update outreach.replies r
    set flags_set = array_remove(array_remove(array_remove(r.flags_set,
            case when b.unsubscribe then 'reply_unsubscribe' end),
            case when b.bounce then 'reply_bounce' end),
            case when b.asked then 'reply_info_request' end)
    from taken_back b
    where r.employee_id = b.employee_id and r.flags_set <> '{}'
    returning r.id
),
let_go as (
    delete from outreach.paused_companies p
    using ended e
    where p.company_id = e.company_id
      and p.campaign_number = e.campaign_number
      and p.reason = 'a colleague has answered'
      and not exists (
          select from outreach.enrollments n
          join outreach.replies r using (employee_id, campaign_number)
          where n.company_id = p.company_id
            and n.campaign_number = p.campaign_number
            and r.meaning in ('replied', 'asked', 'unsubscribed', 'complained')
      )
    returning p.company_id
)
select
    (select count(*) from moved) as moved,
    (select count(*) from unflagged) as written,
    (select count(*) from lifted) as stopped,
    0::bigint as strangers
