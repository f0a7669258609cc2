-- Puts the status back where nobody is enrolled any more, unless somebody has changed it meanwhile.
-- $1 campaign, $2 employees
with over as (
    delete from outreach.companies_in_flight f
    using (
        select distinct company_id
        from outreach.enrollments
        where campaign_number = $1 and employee_id = any ($2)
    ) l
    where f.company_id = l.company_id
      and not exists (select from outreach.enrollments n where n.company_id = f.company_id and n.live)
    returning f.company_id, f.status_before, f.status_written
)
update public.companies c
set status = over.status_before
from over
where c.id = over.company_id and c.status = over.status_written
