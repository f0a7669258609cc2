-- Says what replies mean for their contacts. $1 replies, $2 so many soft bounces, $3 within so many seconds
with softly as materialized (
    select r.email, r.received_at
    from outreach.replies r
    where coalesce(r.corrected_kind, r.kind) = 'bounce'
      and r.hard is false
      -- A fault of ours, of the mail or of the way says nothing of the address.
      and coalesce(r.status, '') !~ '^[245]\.[4567]\.'
      and r.email in (select email from outreach.replies where id = any ($1))
),
worn_out as (
    select distinct s.email
    from softly s
    where (
        select count(*)
        from softly o
        where o.email = s.email
          and o.received_at between s.received_at - $3 * interval '1 second' and s.received_at
    ) >= $2
)
update outreach.replies r
set meaning = case coalesce(r.corrected_kind, r.kind)
        when 'complaint' then 'complained'
        when 'unsubscribe' then 'unsubscribed'
        -- A person who says that it is a bounce means the address.
        when 'bounce' then case
            when r.hard or r.corrected_kind is not null then 'bounced'
            when r.hard is false and r.email in (select email from worn_out) then 'bounced' end
        when 'info_request' then 'asked'
        when 'reply' then 'replied'
        when 'auto_reply' then case when r.left_company then 'finished' end
    end
where r.id = any ($1)
