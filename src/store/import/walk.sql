-- Rows that share a key: the first good one has it, later ones are refused. A refused row holds no key, so the
-- outcome hangs on the order, and the (few) rows that share one are walked in theirs.
create index on import_keys (line);
analyze import_keys;
create temporary table import_taken (line bigint, space text, key text, settled boolean) on commit drop;
create index on import_taken (key, space);

do $$
declare
    row_line bigint;
begin
    for row_line in select distinct line from import_keys order by line loop
        insert into import_rejects
        select row_line, k.column_name, format('is also on line %s, with other details in the row', min(t.line))
        from import_keys k join import_taken t using (key, space)
        where k.line = row_line and not (k.settled and t.settled)
        group by k.column_name;
        if not found then
            insert into import_taken select line, space, key, settled from import_keys where line = row_line;
        end if;
    end loop;
end $$;

delete from import_matched m using import_rejects r where r.line = m.line;

-- What is said of a row is said of its repeats.
insert into import_rejects
select s.line, r.column_name, r.reason from import_same s join import_rejects r on r.line = s.first_line;

create index on import_rejects (line);
analyze import_matched;
