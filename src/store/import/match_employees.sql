-- Which stored company each row belongs to: by tin, then registration_number, then id.
create temporary table import_resolved on commit drop as
select s.line, s.work_email as address, lower(btrim(s.full_name)) as name,
       s.company_tin, s.company_registration_number, s.company_id as given_id,
       coalesce(t.id, r.id, i.id) as company_id, t.id as by_tin, r.id as by_registration, i.id as by_id,
       case when t.id is null then coalesce(r.tin, i.tin) end as stored_tin
from import_rows s
left join public.companies t on t.tin = s.company_tin
left join public.companies r on r.registration_number = s.company_registration_number
left join public.companies i on i.id = s.company_id;

insert into import_rejects
select line,
       case when company_tin is not null then 'company_tin'
            when company_registration_number is not null then 'company_registration_number'
            else 'company_id' end,
       format('no company with %s is stored: import the company first',
              concat_ws(' or ', 'tin ' || company_tin, 'registration_number ' || company_registration_number,
                        'id ' || given_id))
from import_resolved where company_id is null;

insert into import_rejects
select line, 'company_tin', format('the company found has the tin %s, not %s', stored_tin, company_tin)
from import_resolved where stored_tin <> company_tin;

insert into import_rejects
select line, concat_ws(', ', case when by_tin is not null then 'company_tin' end,
                       case when by_registration is not null then 'company_registration_number' end,
                       case when by_id is not null then 'company_id' end),
       'these columns name different stored companies'
from import_resolved
where by_registration <> company_id or by_id <> company_id;

delete from import_resolved m using import_rejects r where r.line = m.line;
analyze import_resolved;

-- Stored employees of that company with the row's address or name.
create temporary table import_candidates on commit drop as
select r.line, e.id, true as by_address, lower(btrim(e.full_name)) is not distinct from r.name as by_name,
       false as has_other_address
from import_resolved r
join public.employees e on e.company_id = r.company_id and lower(btrim(e.work_email)) = r.address
union all
select r.line, e.id, false, true, r.address is not null and nullif(btrim(e.work_email), '') is not null
from import_resolved r
join public.employees e on e.company_id = r.company_id and lower(btrim(e.full_name)) = r.name
where lower(btrim(e.work_email)) is distinct from r.address or r.address is null;

analyze import_candidates;

create temporary table import_counted on commit drop as
select line,
       count(*) filter (where by_address) as addressed,
       count(*) filter (where by_address and by_name) as exact,
       count(*) filter (where not by_address) as namesakes,
       coalesce(
           case when count(*) filter (where by_address) = 1 then (array_agg(id) filter (where by_address))[1] end,
           (array_agg(id) filter (where by_address and by_name))[1],
           (array_agg(id) filter (where not by_address))[1]) as id,
       bool_or(has_other_address) as has_other_address
from import_candidates
group by line;

create temporary table import_matched on commit drop as
select r.line, r.company_id, r.address, r.name, c.id, coalesce(c.addressed, 0) as addressed,
       coalesce(c.exact, 0) as exact, coalesce(c.namesakes, 0) as namesakes,
       c.addressed = 0 and c.has_other_address as is_moved
from import_resolved r
left join import_counted c on c.line = r.line;

insert into import_rejects
select line, 'work_email',
       format('%s stored employees of this company have this address, and %s of them this full_name', addressed, exact)
from import_matched where addressed > 1 and exact <> 1;

insert into import_rejects
select line, 'work_email, full_name', 'work_email and full_name belong to two different stored employees'
from import_matched where addressed = 1 and exact = 0 and namesakes > 0;

insert into import_rejects
select line, 'full_name',
       format('%s stored employees of this company have this full_name, and none of them this work_email', namesakes)
from import_matched where addressed = 0 and namesakes > 1;

delete from import_matched m using import_rejects r where r.line = m.line;
