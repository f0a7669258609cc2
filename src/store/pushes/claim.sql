-- Claims the next due pushes of a campaign for one provider call.
-- $1 campaign, $2 lease name, $3 lease token, $4 now, $5 how many,
-- $6 actions that may go out now, $7 whether the campaign is over,
-- $8 mailboxes that may send now (null: the provider sends by itself), $9 all of them,
-- $10 mailboxes that send no more and are still read, $11 what is put off beyond this is left alone
with holder as (
    select token from outreach.leases where name = $2 and token = $3 and until > clock_timestamp()
),
-- Beside the files a person may have paused the campaign: nothing but withdrawals goes out.
allowed as (
    select array(
        select a.action from unnest($6::text[]) as a (action)
        where a.action = 'withdraw'
           or not exists (
               select from outreach.pauses
               where campaign_number = $1 and (until is null or until > $4)
           )
    ) as actions
),
due as (
    select p.employee_id, p.campaign_number, p.ordinal, p.action, p.email, p.company_id, p.fields,
        p.source_hash, p.doubted, p.handed_at, j.is_stopped, s.step, s.sender
    from outreach.pushes p
    cross join holder
    cross join allowed w
    -- Checked here and not only in the plan: a stop that was committed meanwhile holds.
    cross join lateral (
        select p.action <> 'withdraw' and (
            $7
            or {IS_STOPPED}
        ) as is_stopped
    ) j
    -- A mail that may have left keeps its sender, and a contact keeps the one that wrote first.
    left join lateral (
        select n.step, coalesce(
            case when m.handed_at is not null then m.sender end,
            case when p.action = 'send' then n.sender end
        ) as sender
        from (select 1) o
        left join outreach.enrollments n on n.employee_id = p.employee_id and n.campaign_number = $1
        left join outreach.mails m
            on m.employee_id = p.employee_id and m.campaign_number = $1 and m.ordinal = p.ordinal
        where $8::text[] is not null
    ) s on true
    where p.campaign_number = $1
      and p.settled_at is null
      and p.state in ('recorded', 'retry')
      and (p.not_before is null or p.not_before <= $11)
      and (j.is_stopped or p.action = any (w.actions))
      and (
          $8::text[] is null or j.is_stopped or p.action not in ('enroll', 'send')
          or case
              when s.sender = any ($9::text[]) then s.sender = any ($8)
              -- Whoever was written to from a mailbox that nobody reads any more may have answered there.
              when s.sender is not null then s.sender = any ($10::text[]) and cardinality($8) > 0
              else cardinality($8) > 0
          end
      )
    order by p.place
    limit $5
    for update of p
),
stopped as (
    select * from due where is_stopped
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
    where doubted and action <> 'send'
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
      and not d.is_stopped
    returning p.employee_id, p.ordinal, p.action, p.email, p.fields, p.inputs, p.attempts,
        p.reason, d.step, d.sender
)
select employee_id, ordinal, action, email, fields, inputs, attempts, reason, step, sender,
    (select count(*) from stopped) as dropped
from claimed
union all
select null, null, null, null, null, null, null, null, null, null, count(*) from stopped having count(*) > 0
order by employee_id
