-- The three reference tables. On an empty database they are created; on one that has them (a Supabase
-- project) what is missing is added and nothing is changed or dropped. What does not fit is collected
-- first, and then refused as a whole with SQLSTATE OR001 and the list as JSON in its detail.

create schema if not exists outreach;

-- 1. What the reference says, as tables to compare with.

create temporary table reference_companies (
    id                    uuid not null default gen_random_uuid(),
    company_name          text not null,
    tin                   text,
    registration_number   text,
    registration_date     date,
    region                text,
    status                text default 'Active',
    segment               text,
    source                text,
    sme_registry          boolean,
    office_qualification  text,
    revenue               numeric,
    balance               numeric,
    net_profit_loss       numeric,
    employee_count        integer,
    ceo_name              text,
    ceo_position          text,
    primary_email         text,
    all_company_emails    text[],
    website               text,
    company_description   text,
    company_research      text,
    session_key           text,
    batch_id              text,
    workflow_execution_id text,
    processing_status     text default 'pending',
    created_at            timestamptz default now(),
    updated_at            timestamptz default now()
) on commit drop;

create temporary table reference_employees (
    id                   uuid not null default gen_random_uuid(),
    company_id           uuid,
    company_name         text,
    full_name            text,
    first_name           text,
    last_name            text,
    middle_name          text,
    position             text,
    work_email           text,
    generic_email        text,
    phone_numbers        text[],
    source_urls          text[],
    outreach_sent_date   timestamptz,
    outreach_type        text,
    campaign_number      integer,
    campaign_status      text,
    reply_unsubscribe    boolean default false,
    reply_info_request   boolean default false,
    reply_bounce         boolean default false,
    client_status        text,
    test_date            timestamptz,
    test_status          text,
    company_session_key  text,
    employee_session_key text,
    processing_status    text default 'pending',
    source_service       text,
    ai_research_data     jsonb,
    created_at           timestamptz default now(),
    updated_at           timestamptz default now()
) on commit drop;

create temporary table reference_ai_interactions (
    id               uuid not null default gen_random_uuid(),
    session_key      text,
    conversation_id  text,
    prompt           text,
    response         text,
    model_used       text,
    confidence_score numeric,
    created_at       timestamptz default now(),
    updated_at       timestamptz default now()
) on commit drop;

-- Values that a column must be able to hold; enforced ones are all that it may hold.
create temporary table reference_values (tab text, col text, enforced boolean, admitted text[]) on commit drop;
insert into reference_values values
    ('companies', 'office_qualification', true, '{More,Less}'),
    ('companies', 'status', false, '{Active,Paused}'),
    ('companies', 'processing_status', false, '{pending}'),
    ('employees', 'outreach_type', true, '{marketing,sales}'),
    ('employees', 'test_status', true,
        array['Начато', 'Идет', 'Завершено:Успех', 'Завершено:Неудача', 'Завершено:Требуется доработка']),
    ('employees', 'campaign_status', false,
        '{queued,active,replied,bounced,unsubscribed,finished,withdrawn,failed}'),
    ('employees', 'processing_status', false, '{pending}');

create temporary table reference_indexes (tab text, col text, is_unique boolean) on commit drop;
insert into reference_indexes values
    ('companies', 'tin', true),
    ('companies', 'registration_number', true),
    ('companies', 'tin', false),
    ('companies', 'registration_number', false),
    ('companies', 'segment', false),
    ('companies', 'status', false),
    ('companies', 'session_key', false),
    ('employees', 'company_id', false),
    ('employees', 'work_email', false),
    ('employees', 'campaign_number', false),
    ('employees', 'client_status', false),
    ('employees', 'outreach_sent_date', false),
    ('employees', 'company_session_key', false),
    ('employees', 'employee_session_key', false),
    ('ai_interactions', 'session_key', false),
    ('ai_interactions', 'conversation_id', false);

create temporary view reference_columns as
select substr(c.relname, 11) as tab, a.attname as col, a.atttypid as type, a.attnum as num,
       pg_get_expr(d.adbin, d.adrelid) as def
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
where c.relnamespace = pg_my_temp_schema()
  and c.relname in ('reference_companies', 'reference_employees', 'reference_ai_interactions');

-- What is there of them.
create temporary view present_tables as
select c.oid as id, c.relname as tab, c.relkind as kind
from pg_class c
where c.relnamespace = 'public'::regnamespace
  and c.relname in ('companies', 'employees', 'ai_interactions') and c.relkind not in ('i', 'c', 't');

create temporary view present_columns as
select t.id, t.tab, a.attname as col, a.attnum as num, a.attgenerated <> '' as is_generated,
       coalesce(nullif(y.typbasetype, 0), y.oid) as type, format_type(a.atttypid, a.atttypmod) as type_name,
       a.atthasdef as has_default
from present_tables t
join pg_attribute a on a.attrelid = t.id and a.attnum > 0 and not a.attisdropped
join pg_type y on y.oid = a.atttypid;

-- Whole, plain keys and indexes of one column.
create temporary view present_indexes as
select t.tab, a.attname as col, i.indisunique as is_unique,
       coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) as nulls_equal
from present_tables t
join pg_index i on i.indrelid = t.id
join pg_class x on x.oid = i.indexrelid
join pg_am m on m.oid = x.relam and m.amname = 'btree'
join pg_attribute a on a.attrelid = t.id and a.attnum = i.indkey[0]
where i.indnatts = 1 and i.indpred is null and i.indisvalid;

-- Checks of one column, with the values that matter and those among them that they refuse.
create function pg_temp.refused(id oid, col name, expression text, probes text[]) returns text[]
language plpgsql as $$
declare
    result text[];
begin
    execute format(
        'select array_agg(probe order by place) from (select v::%s as %I, v as probe, place
           from unnest($1) with ordinality as u (v, place)) as s where (%s) is false',
        (select format_type(atttypid, atttypmod) from pg_attribute where attrelid = id and attname = col),
        col, expression)
    into result using probes;
    return coalesce(result, '{}');
exception when others then
    -- A check that cannot even take a text says nothing about ours.
    return '{}';
end $$;

create temporary view present_checks as
select p.tab, p.col, k.conname as name, v.enforced,
       pg_temp.refused(p.id, p.col, pg_get_expr(k.conbin, k.conrelid), v.admitted) as refuses,
       cardinality(pg_temp.refused(p.id, p.col, pg_get_expr(k.conbin, k.conrelid), '{no such value}')) > 0
           as restricts
from present_columns p
join reference_values v using (tab, col)
join pg_constraint k on k.conrelid = p.id and k.contype = 'c' and k.conkey = array[p.num]
-- A column of another type is a difference already, and could not take the probes.
where p.type in ('text'::regtype, 'varchar'::regtype);

-- 2. What does not fit.

create temporary table differences (place serial, object text, problem text) on commit drop;

insert into differences (object, problem)
select 'public.' || tab, 'is not a plain table (a view, a foreign or a partitioned table)'
from present_tables where kind <> 'r';

insert into differences (object, problem)
select format('public.%s.%s', p.tab, p.col),
       format('has the type %s; expected %s', p.type_name, f.words)
from present_columns p
join reference_columns r using (tab, col)
join (values
    ('text'::regtype, array['text', 'varchar']::regtype[], 'text or varchar'),
    ('integer', '{int2,int4,int8}', 'smallint, integer or bigint'),
    ('numeric', '{numeric,float4,float8}', 'numeric, real or double precision'),
    ('date', '{date,timestamp,timestamptz}', 'date, timestamp or timestamptz'),
    ('timestamptz', '{date,timestamp,timestamptz}', 'timestamptz, timestamp or date'),
    ('boolean', '{boolean}', 'boolean'),
    ('text[]', '{text[],varchar[]}', 'text[] or varchar[]'),
    ('jsonb', '{jsonb}', 'jsonb'),
    ('uuid', '{uuid}', 'uuid')
) as f (type, fitting, words) on f.type = r.type
where p.type <> all (f.fitting)
order by p.tab, r.num;

insert into differences (object, problem)
select format('public.%s.%s', tab, col), 'is a generated column, which an import cannot write'
from present_columns join reference_columns using (tab, col) where is_generated;

insert into differences (object, problem)
select 'public.' || t.tab, format('has %s; expected a primary key on id', pg_get_constraintdef(k.oid))
from present_tables t
join pg_constraint k on k.conrelid = t.id and k.contype = 'p'
left join present_columns p on p.id = t.id and p.col = 'id'
where k.conkey is distinct from array[p.num];

insert into differences (object, problem)
select format('public.%s.%s', c.tab, c.col),
       format('the check %s refuses %s', c.name, array_to_string(c.refuses, ', '))
from present_checks c where cardinality(c.refuses) > 0;

insert into differences (object, problem)
select format('public.%s.%s', i.tab, i.col), 'has a unique key that admits one row without a value; expected any number'
from present_indexes i join reference_indexes r using (tab, col)
where i.is_unique and r.is_unique and i.nulls_equal;

insert into differences (object, problem)
select format('public.%s.%s', tab, col), 'has a unique key, and many rows must be able to share a value'
from present_indexes
where is_unique and (tab, col) in (
    ('companies', 'session_key'), ('companies', 'batch_id'), ('companies', 'segment'), ('companies', 'status'),
    ('companies', 'processing_status'), ('employees', 'company_id'), ('employees', 'company_session_key'),
    ('employees', 'campaign_number'), ('employees', 'campaign_status'), ('employees', 'outreach_type'),
    ('employees', 'outreach_sent_date'), ('employees', 'processing_status'), ('employees', 'client_status'));

insert into differences (object, problem)
select 'public.employees.company_id', format('%s; expected a reference to public.companies (id)', pg_get_constraintdef(k.oid))
from pg_constraint k
join present_columns p on p.id = k.conrelid and p.tab = 'employees' and p.col = 'company_id'
where k.contype = 'f' and k.conkey = array[p.num]
  and (k.confrelid is distinct from to_regclass('public.companies')
       or pg_get_constraintdef(k.oid) not like '%companies(id)%');

-- Rows that stand against a constraint that is to be added. Looked at only where the types fit.
do $$
declare
    r record;
    n bigint;
begin
    for r in
        select tab, 'id' as col, 'no primary key' as what from present_tables t
        where kind = 'r' and not exists (select from pg_constraint where conrelid = t.id and contype = 'p')
          and exists (select from present_columns p where p.id = t.id and p.col = 'id')
        union all
        select tab, col, 'no unique key' from reference_indexes x join present_columns p using (tab, col)
        where x.is_unique and not exists (
            select from present_indexes i where i.tab = x.tab and i.col = x.col and i.is_unique)
    loop
        execute format('select count(*) from (select from public.%I where %I is not null or %L group by %I
                        having count(*) > 1 or %I is null) as repeated', r.tab, r.col, r.col = 'id', r.col, r.col) into n;
        if n > 0 then
            insert into differences (object, problem) values (format('public.%s.%s', r.tab, r.col),
                format('has %s, and %s value(s) stand in more than one row (or are missing): select %s, count(*) '
                       'from public.%s group by 1 having count(*) > 1', r.what, n, r.col, r.tab));
        end if;
    end loop;

    for r in
        select v.* from reference_values v join present_columns p using (tab, col)
        where v.enforced and p.type in ('text'::regtype, 'varchar'::regtype) and not exists (
            select from present_checks c where c.tab = v.tab and c.col = v.col and c.restricts)
    loop
        execute format('select count(*) from public.%I where %I <> all ($1)', r.tab, r.col) into n using r.admitted;
        if n > 0 then
            insert into differences (object, problem) values (format('public.%s.%s', r.tab, r.col),
                format('%s row(s) hold a value other than %s', n, array_to_string(r.admitted, ', ')));
        end if;
    end loop;

    n := 0;
    if exists (select from present_columns where tab = 'employees' and col = 'company_id' and type = 'uuid'::regtype)
       and not exists (select from pg_constraint where conrelid = to_regclass('public.employees') and contype = 'f'
                       and confrelid = to_regclass('public.companies')) then
        if not exists (select from present_columns where tab = 'companies' and col = 'id') then
            select count(company_id) into n from public.employees;
        elsif exists (select from present_columns where tab = 'companies' and col = 'id' and type = 'uuid'::regtype) then
            select count(*) into n from public.employees e
            where company_id is not null and not exists (select from public.companies c where c.id = e.company_id);
        end if;
        if n > 0 then
            insert into differences (object, problem) values ('public.employees.company_id',
                format('%s row(s) name a company that does not exist', n));
        end if;
    end if;

    if exists (select from differences) then
        raise exception 'the existing tables do not fit' using errcode = 'OR001', detail = (
            select json_agg(json_build_object('object', object, 'problem', problem) order by place)
            from differences);
    end if;
end $$;

-- 3. What is missing.

create temporary table created_tables on commit drop as
select tab from (values ('companies'), ('employees'), ('ai_interactions')) as t (tab)
where not exists (select from present_tables p where p.tab = t.tab);

do $$
declare
    r record;
begin
    for r in select tab from created_tables loop
        execute format('create table public.%I (like reference_%s including defaults)', r.tab, r.tab);
    end loop;

    for r in
        select c.*, format_type(c.type, null) as type_name from reference_columns c
        where not exists (select from present_columns p where p.tab = c.tab and p.col = c.col)
        order by tab, num
    loop
        execute format('alter table public.%I add column %I %s default %s', r.tab, r.col, r.type_name,
                       coalesce(r.def, 'null'));
    end loop;

    for r in
        select c.* from reference_columns c join present_columns p using (tab, col)
        where c.def is not null and not p.has_default
    loop
        execute format('alter table public.%I alter column %I set default %s', r.tab, r.col, r.def);
    end loop;

    for r in
        select tab from present_tables t
        where not exists (select from pg_constraint where conrelid = t.id and contype = 'p')
    loop
        execute format('alter table public.%I add primary key (id)', r.tab);
    end loop;

    for r in
        select * from reference_values v where enforced and not exists (
            select from present_checks c where c.tab = v.tab and c.col = v.col and c.restricts)
    loop
        execute format('alter table public.%I add constraint %I check (%I in (%s))', r.tab,
            format('%s_%s_check', r.tab, r.col), r.col,
            (select string_agg(quote_literal(v), ', ') from unnest(r.admitted) as v));
    end loop;

    for r in
        select * from reference_indexes x where not exists (
            select from present_indexes i
            where i.tab = x.tab and i.col = x.col
              -- Besides its unique index such a column has a plain one; elsewhere either will do.
              and (i.is_unique = x.is_unique
                   or not exists (select from reference_indexes u where u.tab = x.tab and u.col = x.col and u.is_unique)))
    loop
        if r.is_unique then
            execute format('alter table public.%I add constraint %I unique (%I)', r.tab,
                           format('%s_%s_key', r.tab, r.col), r.col);
        elsif to_regclass(format('public.idx_%s_%s', r.tab, r.col)) is null then
            execute format('create index %I on public.%I (%I)', format('idx_%s_%s', r.tab, r.col), r.tab, r.col);
        else
            execute format('create index on public.%I (%I)', r.tab, r.col);
        end if;
    end loop;

    if not exists (select from pg_constraint k join present_columns p on p.id = k.conrelid and k.conkey = array[p.num]
                   where k.contype = 'f' and p.tab = 'employees' and p.col = 'company_id') then
        alter table public.employees add constraint employees_company_id_fkey
            foreign key (company_id) references public.companies (id);
    end if;
end $$;

create function outreach.touch_updated_at() returns trigger
language plpgsql as $$
begin
    -- An explicit value is kept: an import may carry one.
    if new.updated_at is not distinct from old.updated_at then
        new.updated_at := pg_catalog.now();
    end if;
    return new;
end $$;

do $$
declare
    r record;
begin
    for r in
        select tab from present_tables t where not exists (
            select from pg_trigger g join pg_proc f on f.oid = g.tgfoid
            -- Row-level, before, on update; by its own code or, as moddatetime, by its argument.
            where g.tgrelid = t.id and not g.tgisinternal and g.tgtype & 19 = 19
              and (f.prosrc ilike '%updated_at%' or encode(g.tgargs, 'escape') like '%updated\_at%'))
    loop
        execute format('create trigger touch_updated_at before update on public.%I
                        for each row execute function outreach.touch_updated_at()', r.tab);
    end loop;

    -- Row security of a table that was there is its owner's business. The named policy is added where there is
    -- none at all. Without Supabase's roles whoever was granted the table is authenticated; `anon` stays out,
    -- should it be made later.
    for r in select t.tab, c.tab is not null as created, t.id from present_tables t left join created_tables c using (tab)
             where t.tab in ('companies', 'employees')
    loop
        if r.created then
            execute format('alter table public.%I enable row level security', r.tab);
        end if;
        if not exists (select from pg_policy where polrelid = r.id) then
            if to_regrole('authenticated') is not null then
                execute format('create policy "Allow all for authenticated users" on public.%I
                                for all to authenticated using (true) with check (true)', r.tab);
            else
                execute format('create policy "Allow all for authenticated users" on public.%I
                    for all to public using (current_user <> ''anon'') with check (current_user <> ''anon'')', r.tab);
            end if;
        end if;
    end loop;

    -- No row security by the reference, which leaves this table to the backend: not to the API roles
    -- that Supabase's default privileges let in.
    if exists (select from created_tables where tab = 'ai_interactions') then
        for r in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
            execute format('revoke all on public.ai_interactions from %I', r.rolname);
        end loop;
    end if;
end $$;

drop view present_checks, present_indexes, present_columns, present_tables, reference_columns;
drop function pg_temp.refused(oid, name, text, text[]);
