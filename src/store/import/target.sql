-- The columns of a reference table as this database has them. Types with their limits, so that a staged value is
-- rounded as the stored one was, and the same file says the same again.
select a.attname::text as name,
       format_type(a.atttypid, a.atttypmod) as type_name,
       pg_get_expr(d.adbin, d.adrelid) as default_value,
       a.attnotnull as is_required,
       case when a.atttypid = 'varchar'::regtype and a.atttypmod > 4 then a.atttypmod - 4 end as max_chars
from pg_attribute a
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
order by a.attnum
