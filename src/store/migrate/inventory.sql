-- Everything a migration can add, by kind and name.
with tables as (
    select c.oid, format('%I.%I', n.nspname, c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p')
      and (n.nspname = 'outreach'
           or (n.nspname = 'public' and c.relname in ('companies', 'employees', 'ai_interactions')))
)
select 'table' as kind, name from tables
union all
select 'column', format('%s.%I', t.name, a.attname)
from tables t join pg_attribute a on a.attrelid = t.oid where a.attnum > 0 and not a.attisdropped
union all
select 'default', format('%s.%I', t.name, a.attname)
from tables t join pg_attrdef d on d.adrelid = t.oid
join pg_attribute a on a.attrelid = t.oid and a.attnum = d.adnum
union all
select 'index', format('%s.%I', t.name, c.relname)
from tables t join pg_index i on i.indrelid = t.oid join pg_class c on c.oid = i.indexrelid
union all
select 'constraint', format('%s.%I', t.name, k.conname) from tables t join pg_constraint k on k.conrelid = t.oid
union all
select 'trigger', format('%s.%I', t.name, g.tgname)
from tables t join pg_trigger g on g.tgrelid = t.oid where not g.tgisinternal
union all
select 'policy', format('%s.%I', t.name, p.polname) from tables t join pg_policy p on p.polrelid = t.oid
union all
select 'function', p.oid::regprocedure::text
from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'outreach'
