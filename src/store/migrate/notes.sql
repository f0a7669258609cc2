-- Row security is its owner's decision: said, not changed.
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
