-- Takes over pushes that a dead holder left claimed, and those in doubt, for a look at the provider.
-- $1 campaign, $2 lease name, $3 lease token, $4 only after this employee, $5 how many
with holder as (
    select token from outreach.leases where name = $2 and token = $3 and until > clock_timestamp()
),
open as (
    select p.employee_id, p.campaign_number, p.ordinal
    from outreach.pushes p, holder
    where p.campaign_number = $1
      and p.settled_at is null
      and p.state in ('claimed', 'in_doubt')
      and p.employee_id > $4
    order by p.employee_id
    limit $5
    for update of p
)
update outreach.pushes p
set state = 'in_doubt', doubted = true, token = $3
from open o
where (p.employee_id, p.campaign_number, p.ordinal) = (o.employee_id, o.campaign_number, o.ordinal)
returning p.employee_id, p.ordinal, p.action, p.email, p.fields, p.inputs, p.attempts, p.reason,
    null::smallint as step, null::text as sender
