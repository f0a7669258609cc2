-- By which keys two rows of the file would be the same employee.
insert into import_keys
select m.line, 'address', concat_ws(' ', m.company_id, m.address), 'work_email', false
from import_matched m
where (company_id, address) in
    (select company_id, address from import_matched where address is not null group by 1, 2 having count(*) > 1)
union all
-- Two stored employees may well share a name, when each was found by an address of its own.
select m.line, 'name', concat_ws(' ', m.company_id, m.name), 'full_name', m.addressed > 0
from import_matched m
where (company_id, name) in
    (select company_id, name from import_matched where name is not null group by 1, 2 having count(*) > 1)
union all
select m.line, 'id', m.id::text, case when m.addressed > 0 then 'work_email' else 'full_name' end, false
from import_matched m
where id in (select id from import_matched group by id having count(*) > 1);
