-- Reasons stand in the order in which they were found.
select r.line,
       coalesce(string_agg(nullif(r.column_name, ''), ', ' order by r.ctid), '') as columns,
       case when count(*) = 1 then min(r.reason)
            else string_agg(concat_ws(': ', nullif(r.column_name, ''), r.reason), '; ' order by r.ctid) end as reason
from pg_temp.import_rejects r
where r.line > $1
  and r.line <= coalesce(
      (select max(line) from (select distinct line from pg_temp.import_rejects where line > $1 order by line limit $2) as page),
      $1)
group by r.line
order by r.line
