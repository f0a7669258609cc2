-- Rows that are the same in every column: the first stands for all of them, whatever becomes of it.
create temporary table import_same on commit drop as
select s.line, f.line as first_line
from (select digest, min(line) as line from import_rows group by digest having count(*) > 1) as f
join import_rows s on s.digest = f.digest and s.line <> f.line;

delete from import_rows s using import_same d where d.line = s.line;
analyze import_rows;
