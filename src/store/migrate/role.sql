-- The role that outreachd works as. Run by an owner of the database after every `outreachd migrate` that applied
-- something; safe to run again.
--
-- It reads the reference tables, writes what imports and write-back need, and has the run of schema
-- `outreach`. It makes and drops nothing, and deletes nothing of the reference tables. Give it a way in:
--     alter role outreachd login password '...';

do $$
begin
    if to_regrole('outreachd') is null then
        create role outreachd nologin noinherit nosuperuser nocreatedb nocreaterole nobypassrls;
    end if;
    -- The set-based diff works in temporary tables.
    execute format('grant connect, temporary on database %I to outreachd', current_database());
end $$;

-- Compiling costs more than it saves on statements as short as ours.
alter role outreachd set jit = off;
alter role outreachd set search_path = public, pg_temp;

grant usage on schema public, outreach to outreachd;

-- Imports insert whole rows; keys and creation times stay what they are afterwards.
grant select, insert on public.companies, public.employees to outreachd;
grant update (
    company_name, tin, registration_number, registration_date, region, status, segment, source, sme_registry,
    office_qualification, revenue, balance, net_profit_loss, employee_count, ceo_name, ceo_position, primary_email,
    all_company_emails, website, company_description, company_research, session_key, batch_id,
    workflow_execution_id, processing_status, updated_at
) on public.companies to outreachd;
grant update (
    company_id, company_name, full_name, first_name, last_name, middle_name, position, work_email, generic_email,
    phone_numbers, source_urls, outreach_sent_date, outreach_type, campaign_number, campaign_status,
    reply_unsubscribe, reply_info_request, reply_bounce, client_status, test_date, test_status,
    company_session_key, employee_session_key, processing_status, source_service, ai_research_data, updated_at
) on public.employees to outreachd;
grant select, insert on public.ai_interactions to outreachd;

grant select, insert, update, delete on all tables in schema outreach to outreachd;
-- The list of migrations is read, to tell whether this database is current.
revoke insert, update, delete on outreach.migrations from outreachd;

-- Row security: one policy for it on every table that has row security.
do $$
declare
    t regclass;
begin
    for t in
        select c.oid::regclass from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'r'
          and (n.nspname = 'outreach' and c.relname <> 'migrations'
               or n.nspname = 'public' and c.relname in ('companies', 'employees', 'ai_interactions'))
          and not exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'outreachd')
    loop
        execute format('create policy outreachd on %s for all to outreachd using (true) with check (true)', t);
    end loop;
end $$;
