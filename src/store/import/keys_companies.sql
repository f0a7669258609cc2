-- By which keys two rows of the file would be the same company.
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
