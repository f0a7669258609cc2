-- The tables of one import, beside `import_rows`. All vanish with the transaction.

-- A file of a million rows is matched by hashing, which the default of 4 MB would spill to disk.
set local work_mem = '64MB';
set local jit = off;
set local statement_timeout = 0;

-- One row a reason: a line may have several.
create temporary table import_rejects (line bigint not null, column_name text not null, reason text not null)
    on commit drop;

-- Rows with one of their keys, for those keys that more than one row has. A `settled` key decides nothing between
-- two rows that both have it settled.
create temporary table import_keys (
    line bigint not null, space text not null, key text not null, column_name text not null, settled boolean not null
) on commit drop;
