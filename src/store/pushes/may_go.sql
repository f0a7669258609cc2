-- Whether nothing has stopped a claimed mail meanwhile. $1 employee, $2 campaign, $3 ordinal, $4 now
select
    not {IS_STOPPED}
    and not exists (
        select from outreach.pauses where campaign_number = $2 and (until is null or until > $4)
    ) as may_go
from outreach.pushes p
where p.employee_id = $1 and p.campaign_number = $2 and p.ordinal = $3 and p.state = 'claimed'
