-- Which stored company each row is: by tin, then by registration_number.
create temporary table import_matched on commit drop as
select s.line, s.tin, s.registration_number, s.company_name is not null as is_named,
       coalesce(t.id, r.id) as id, t.id as by_tin, r.id as by_registration, r.tin as stored_tin, false as is_moved
from import_rows s
left join public.companies t on t.tin = s.tin
left join public.companies r on r.registration_number = s.registration_number;

insert into import_rejects
select line, 'tin, registration_number',
       format('tin %s and registration_number %s belong to two different stored companies', tin, registration_number)
from import_matched where by_tin <> by_registration;

insert into import_rejects
select line, 'tin',
       format('the stored company with registration_number %s has the tin %s, not %s', registration_number, stored_tin, tin)
from import_matched where by_tin is null and stored_tin <> tin;

insert into import_rejects
select line, 'company_name', 'is empty, and no such company is stored: a new company needs a name'
from import_matched where id is null and not is_named;

delete from import_matched m using import_rejects r where r.line = m.line;

insert into import_keys
select m.line, 'tin', m.tin, 'tin', false from import_matched m
where tin in (select tin from import_matched group by tin having count(*) > 1)
union all
select m.line, 'registration_number', m.registration_number, 'registration_number', false from import_matched m
where registration_number in
    (select registration_number from import_matched group by registration_number having count(*) > 1)
union all
-- One row names the company by its tin, another by its registration_number.
select m.line, 'id', m.id::text, case when m.by_tin is null then 'registration_number' else 'tin' end, false
from import_matched m
where id in (select id from import_matched group by id having count(*) > 1);
