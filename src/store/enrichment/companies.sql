-- Fills facts of companies in: only what is empty, unless told to replace.
-- $1 companies, $2 websites, $3 descriptions, $4 regions, $5 employee counts, $6 everything that was learnt,
-- $7 source, $8 when, $9 whether to replace
with said as (
    select s.* from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::jsonb[])
        as s (company_id, website, description, region, employees, facts)
),
judged as (
    select s.*,
        s.website is not null and ($9 or coalesce(btrim(c.website), '') = '') as website_fits,
        s.description is not null and ($9 or coalesce(btrim(c.company_description), '') = '') as description_fits,
        s.region is not null and ($9 or coalesce(btrim(c.region), '') = '') as region_fits,
        s.employees is not null and ($9 or c.employee_count is null) as employees_fit
    from said s
    join public.companies c on c.id = s.company_id
),
known as (
    insert into outreach.company_facts as f (company_id, facts, filled, source, at)
    select company_id, facts,
        array_remove(array[
            case when website_fits then 'website' end,
            case when description_fits then 'company_description' end,
            case when region_fits then 'region' end,
            case when employees_fit then 'employee_count' end
        ], null),
        $7, $8
    from judged
    on conflict (company_id) do update
    set facts = excluded.facts, source = excluded.source, at = excluded.at,
        filled = (select array_agg(distinct name) from unnest(f.filled || excluded.filled) as n (name))
    returning f.company_id
)
update public.companies c
set website = case when j.website_fits then j.website else c.website end,
    company_description = case when j.description_fits then j.description else c.company_description end,
    region = case when j.region_fits then j.region else c.region end,
    employee_count = case when j.employees_fit then j.employees else c.employee_count end
from judged j
where c.id = j.company_id and (j.website_fits or j.description_fits or j.region_fits or j.employees_fit)
