-- What is its owner's decision: said, not changed.
select format('%s has row security off, where the reference has it on: alter table %s enable row level security',
              c.oid::regclass, c.oid::regclass)
from pg_class c
where c.oid in ('public.companies'::regclass, 'public.employees'::regclass) and not c.relrowsecurity
union all
select format('%s has policies of its own, so the reference''s "Allow all for authenticated users" was not added',
              c.oid::regclass)
from pg_class c
where c.oid in ('public.companies'::regclass, 'public.employees'::regclass)
  and not exists (select from pg_policy p
                  where p.polrelid = c.oid and p.polname = 'Allow all for authenticated users')
union all
select format('%s.%I must be set, has no default and is unknown to outreachd: imports into that table will be refused',
              a.attrelid::regclass, a.attname)
from pg_attribute a
where a.attrelid in ('public.companies'::regclass, 'public.employees'::regclass) and a.attnum > 0
  and not a.attisdropped and a.attnotnull and not a.atthasdef and a.attidentity = ''
  and a.attname not in ('company_name', 'tin', 'registration_number', 'company_id', 'full_name', 'work_email')
