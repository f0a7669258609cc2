-- Which stored company each row is: by tin, then by registration_number.
create temporary table import_matched on commit drop as
select s.line, s.tin, s.registration_number, s.company_name is not null as is_named,
       coalesce(t.id, r.id) as id, t.id as by_tin, r.id as by_registration, r.tin as stored_tin,
       t.registration_number as stored_registration, false as is_moved
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

-- The same company never gets another number: one of the two is wrong, and only a person can tell which.
insert into import_rejects
select line, 'registration_number',
       format('the stored company with tin %s has the registration_number %s, not %s',
              tin, stored_registration, registration_number)
from import_matched where by_registration is null and stored_registration <> registration_number;

insert into import_rejects
select line, 'company_name', 'is empty, and no such company is stored: a new company needs a name'
from import_matched where id is null and not is_named;

delete from import_matched m using import_rejects r where r.line = m.line;
