-- Sets what `write_back` names on the companies of contacts that were just accepted.
-- $1 campaign, $2 employees, $3 status, $4 processing_status (null: leave alone), $5 now
with entered as (
    select distinct company_id
    from outreach.enrollments
    where campaign_number = $1 and employee_id = any ($2)
),
remembered as (
    insert into outreach.companies_in_flight (company_id, status_before, status_written, since)
    select c.id, c.status, $3, $5
    from public.companies c
    join entered on entered.company_id = c.id
    where $3::text is not null and c.status is distinct from $3
    on conflict (company_id) do nothing
)
update public.companies c
set status = coalesce($3, c.status), processing_status = coalesce($4, c.processing_status)
from entered
where c.id = entered.company_id
  and (
      ($3::text is not null and c.status is distinct from $3)
      or ($4::text is not null and c.processing_status is distinct from $4)
  )
