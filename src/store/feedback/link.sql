-- A contact has followed the unsubscribe link of one mail. Doing it twice comes to the same.
-- $1 employee, $2 campaign, $3 ordinal, $4 now, $5 whether the campaign leaves colleagues alone, $6 id of the event
with told as materialized (
    -- Signed by us, so that the key is ours; pushes are kept for ever.
    select employee_id, campaign_number, company_id, email
    from outreach.pushes
    where employee_id = $1 and campaign_number = $2 and ordinal = $3
),
moved as (
    update outreach.enrollments n
    set status = 'unsubscribed', updated_at = $4
    from told t
    where n.employee_id = t.employee_id
      and n.campaign_number = t.campaign_number
      and n.status in ('queued', 'active', 'finished', 'replied', 'bounced')
    returning n.employee_id
),
-- Said by the contact's own hand: no other reading of a mail takes it back.
stopped as (
    insert into outreach.suppressions as s (target, reason, source, created_at)
    select email, 'unsubscribed', 'link', $4
    from told
    where email like '%@%'
    on conflict (target) do update
    set reason = case when s.reason = 'complained' then s.reason else excluded.reason end,
        source = excluded.source
    where s.source in ('flag', 'mail')
    returning target
),
flagged as (
    update public.employees e
    set reply_unsubscribe = true,
        -- The row speaks of one campaign.
        campaign_status = case when e.campaign_number = t.campaign_number then 'unsubscribed'
                          else e.campaign_status end
    from told t
    where e.id = t.employee_id
      and (
          e.reply_unsubscribe is not true
          or e.campaign_number = t.campaign_number and e.campaign_status is distinct from 'unsubscribed'
      )
    returning e.id
),
spared as (
    insert into outreach.paused_companies (company_id, campaign_number, reason, since)
    select company_id, campaign_number, 'a colleague has answered', $4
    from told
    where $5 and company_id is not null
    on conflict do nothing
),
changed as (
    select employee_id from moved
    union
    select id from flagged
    union
    select $1 from stopped
),
noted as (
    insert into outreach.events (id, at, actor, kind, subject, detail)
    select $6, $4, 'contact', 'unsubscribe', employee_id::text,
        jsonb_build_object('campaign', $2, 'ordinal', $3, 'by', 'link')
    from changed
)
select (select count(*) from told) as known, (select count(*) from changed) as changed
