-- Takes in what a provider says of the contacts of one campaign.
-- $1 campaign, $2 provider, $3 now, $4 whether a reply ends the sequence there,
-- $5 addresses, $6 kinds, $7 instants, $8 steps
with heard as materialized (
    select
        email,
        min(at) filter (where kind = 'sent' and coalesce(step, 1) = 1) as first_sent,
        bool_or(kind = 'sent') as sent,
        bool_or(kind = 'finished') as finished,
        bool_or(kind in ('replied', 'asked')) as replied,
        bool_or(kind = 'asked') as asked,
        bool_or(kind = 'bounced') as bounced,
        bool_or(kind = 'unsubscribed') as unsubscribed
    from unnest($5::text[], $6::text[], $7::timestamptz[], $8::integer[]) as n (email, kind, at, step)
    group by email
),
-- An address has one enrollment that counts: the live one, or else the last.
found as materialized (
    select distinct on (h.email) n.employee_id, n.status, h.*
    from heard h
    join outreach.enrollments n on n.campaign_number = $1 and n.email = h.email
    where n.status <> 'failed'
    order by h.email, n.live desc, n.updated_at desc
),
-- States only move on; what we have withdrawn stays withdrawn.
judged as materialized (
    select
        f.*,
        case
            when unsubscribed and status in ('queued', 'active', 'finished', 'replied') then 'unsubscribed'
            when bounced and status in ('queued', 'active', 'finished') then 'bounced'
            when replied and $4 and status in ('queued', 'active', 'finished') then 'replied'
            when finished and status in ('queued', 'active') then 'finished'
            when sent and status = 'queued' then 'active'
            else status
        end as next
    from found f
),
moved as (
    update outreach.enrollments n
    set status = j.next, updated_at = $3
    from judged j
    where n.employee_id = j.employee_id and n.campaign_number = $1 and n.status = j.status and j.next <> j.status
    returning n.employee_id
),
-- A stop is one for the address, whether or not the contact is ours or still has a row.
stopped as (
    insert into outreach.suppressions (target, reason, source)
    select email, case when unsubscribed then 'unsubscribed' else 'bounced' end, $2
    from heard
    where (unsubscribed or bounced) and email like '%@%'
    on conflict (target) do nothing
    returning target
),
-- Whoever says so knows it.
told as (
    insert into outreach.stops_told (provider, target, at)
    select $2, email, $3 from heard where unsubscribed or bounced
    on conflict do nothing
    returning target
),
flagged as (
    update public.employees e
    set reply_unsubscribe = coalesce(e.reply_unsubscribe, false) or j.unsubscribed,
        reply_bounce = coalesce(e.reply_bounce, false) or j.bounced,
        reply_info_request = coalesce(e.reply_info_request, false) or j.asked,
        campaign_status = case when e.campaign_number = $1 then j.next else e.campaign_status end,
        outreach_sent_date = case when e.campaign_number = $1 then coalesce(j.first_sent, e.outreach_sent_date)
                             else e.outreach_sent_date end
    from judged j
    where e.id = j.employee_id
      and (
          j.unsubscribed and e.reply_unsubscribe is not true
          or j.bounced and e.reply_bounce is not true
          or j.asked and e.reply_info_request is not true
          or e.campaign_number = $1 and (
              e.campaign_status is distinct from j.next
              or j.first_sent is distinct from e.outreach_sent_date and j.first_sent is not null
          )
      )
    returning e.id
)
select
    (select count(*) from moved) as moved,
    (select count(*) from flagged) as written,
    (select count(*) from stopped) as stopped,
    (select count(*) from heard) - (select count(*) from found) as strangers
