//! Migrations on databases of every past.

use std::collections::BTreeMap;

use outreachd::model::{Entity, FIELDS, Kind};
use outreachd::store::Store;
use outreachd::store::embedded::{Embedded, EmbeddedOptions, Profile};
use outreachd::store::migrate::{self, MigrateError, Report};
use sqlx::{AssertSqlSafe, PgPool};

use crate::support::{TestDb, folder};

/// A server of its own, for what touches roles: those belong to no database.
struct OwnServer {
    store: Store,
    server: Embedded,
    _folder: tempfile::TempDir,
}

impl OwnServer {
    async fn start() -> Self {
        let folder = folder();
        let options = EmbeddedOptions { dir: folder.path().join("pg"), profile: Profile::Test, linger: None };
        let server = tokio::task::spawn_blocking(move || Embedded::start(&options)).await.unwrap().unwrap();
        let store = Store::connect(server.connect_options("postgres")).await.unwrap();
        Self { store, server, _folder: folder }
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.store).await.unwrap();
    }
}

/// A Supabase project as people have them: some names, types and keys differ, and there are rows.
const SUPABASE: &str = "
    create table public.companies (
        id uuid primary key default gen_random_uuid(),
        company_name varchar(200) not null,
        tin text unique,
        registration_number text,
        registration_date date,
        status text default 'New',
        revenue double precision,
        employee_count bigint,
        office_qualification text constraint own_check check (office_qualification in ('More', 'Less', 'Unknown')),
        own_column json,
        own_duty integer not null,
        updated_at timestamp
    );
    create index own_index on public.companies (status);
    create table public.employees (
        id uuid primary key,
        company_id uuid constraint own_link references public.companies on delete cascade,
        full_name text,
        work_email text,
        outreach_sent_date date,
        reply_bounce boolean,
        test_status text
    );
    create function public.own_touch() returns trigger language plpgsql as
        $$ begin new.updated_at := now(); return new; end $$;
    create trigger own_touch before update on public.companies for each row execute function public.own_touch();
    alter table public.companies enable row level security;
    create policy own_policy on public.companies for select using (true);
    insert into public.companies (company_name, tin, status, office_qualification, own_duty)
        values ('Alpha', '1', 'New', 'Unknown', 1), ('Beta', null, null, null, 2), ('Gamma', null, 'x', 'More', 3);
    insert into public.employees (id, company_id, work_email, reply_bounce)
        select gen_random_uuid(), id, lower(company_name) || '@example.com', company_name = 'Alpha' from public.companies;
";

async fn misfits(db: &TestDb) -> Vec<String> {
    match migrate::run(db.store()).await {
        Err(MigrateError::Misfit(differences)) => differences.iter().map(ToString::to_string).collect(),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

async fn scalar<T>(pool: &PgPool, sql: &'static str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

/// Everything that a migration could change: definitions and rows.
async fn fingerprint(pool: &PgPool) -> String {
    scalar(
        pool,
        "select concat(
            (select string_agg(format('%s.%s %s %s %s', attrelid::regclass, attname, atttypid::regtype, attnotnull,
                    (select pg_get_expr(adbin, adrelid) from pg_attrdef where adrelid = attrelid and adnum = attnum)),
                E'\\n' order by attrelid::regclass::text, attnum)
             from pg_attribute where attrelid::regclass::text ~ '^(companies|employees)$' and attnum > 0),
            (select string_agg(conname || pg_get_constraintdef(oid), E'\\n' order by conname) from pg_constraint
             where conrelid::regclass::text ~ '^(companies|employees)$'),
            (select string_agg(pg_get_indexdef(indexrelid), E'\\n' order by indexrelid::regclass::text) from pg_index
             where indrelid::regclass::text ~ '^(companies|employees)$'),
            (select string_agg(tgname, ',' order by tgname) from pg_trigger where not tgisinternal),
            (select string_agg(polname, ',' order by polname) from pg_policy),
            (select string_agg(nspname, ',' order by nspname) from pg_namespace))",
    )
    .await
}

fn added(report: &Report, kind: &str) -> Vec<String> {
    report
        .added
        .iter()
        .filter(|addition| addition.kind == kind)
        .map(|addition| addition.name.clone())
        .collect()
}

/// How many there are.
pub(crate) fn migrations() -> usize {
    std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count()
}

#[tokio::test]
async fn an_empty_database_gets_everything_once() {
    let db = TestDb::empty().await;
    assert!(!migrate::is_current(db.store()).await.unwrap());
    let report = migrate::run(db.store()).await.unwrap();
    assert_eq!(report.applied[..2], ["reference", "outreach"]);
    assert_eq!(report.applied.len(), migrations());
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    assert!(added(&report, "table").contains(&"public.ai_interactions".to_owned()));
    assert!(migrate::is_current(db.store()).await.unwrap());
    assert_eq!(migrate::run(db.store()).await.unwrap(), Report::default());
    let public: i64 = scalar(db.pool(), "select count(*) from pg_tables where schemaname = 'public'").await;
    assert_eq!(public, 3, "bookkeeping belongs into schema outreach");
}

#[test]
fn every_file_is_built_in() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count();
    // The compiler does not notice a file that is added: touch src/store/migrate/mod.rs.
    assert_eq!(migrate::migrator().iter().count(), files);
}

#[tokio::test]
async fn the_tables_have_exactly_the_columns_of_the_catalog() {
    let db = TestDb::new().await;
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "select c.relname::text, a.attname::text, format_type(a.atttypid, null) from pg_attribute a
         join pg_class c on c.oid = a.attrelid
         where attrelid in ('public.companies'::regclass, 'public.employees'::regclass) and attnum > 0",
    )
    .fetch_all(db.pool())
    .await
    .unwrap();
    let columns: BTreeMap<_, _> =
        rows.into_iter().map(|(table, column, kind)| ((table, column), kind)).collect();
    let catalog: BTreeMap<_, _> = FIELDS
        .iter()
        .map(|field| {
            let table = if field.entity == Entity::Company { "companies" } else { "employees" };
            let kind = match field.kind {
                Kind::Text => "text",
                Kind::Bool => "boolean",
                Kind::Int => "integer",
                Kind::Decimal => "numeric",
                Kind::Date => "date",
                Kind::Timestamp => "timestamp with time zone",
                Kind::TextArray => "text[]",
                Kind::Json => "jsonb",
                Kind::Uuid => "uuid",
            };
            ((table.to_owned(), field.column.to_owned()), kind.to_owned())
        })
        .collect();
    assert_eq!(columns, catalog);
    for field in FIELDS.iter().filter(|field| !field.allowed.is_empty()) {
        let table = if field.entity == Entity::Company { "companies" } else { "employees" };
        let insert = |value: &str| {
            let name = if table == "companies" { "company_name" } else { "full_name" };
            let sql = format!("insert into public.{table} ({name}, {}) values ('x', $1)", field.column);
            sqlx::query(AssertSqlSafe(sql)).bind(value.to_owned()).execute(db.pool())
        };
        for value in field.allowed {
            insert(value).await.unwrap();
        }
        assert!(insert("something else").await.is_err(), "{field} takes anything");
    }
}

#[tokio::test]
async fn the_reference_holds_its_promises() {
    let db = TestDb::new().await;
    let indexes: Vec<String> = sqlx::query_scalar(
        "select format('%s %s(%s)', tablename, case when indexdef like '%UNIQUE%' then 'unique ' else '' end,
                       substring(indexdef from '\\((.*)\\)'))
         from pg_indexes where schemaname = 'public' order by 1",
    )
    .fetch_all(db.pool())
    .await
    .unwrap();
    let expected = "ai_interactions (conversation_id)
        ai_interactions (session_key)
        ai_interactions unique (id)
        companies (registration_number)
        companies (segment)
        companies (session_key)
        companies (status)
        companies (tin)
        companies unique (id)
        companies unique (registration_number)
        companies unique (tin)
        employees (campaign_number)
        employees (client_status)
        employees (company_id)
        employees (company_session_key)
        employees (employee_session_key)
        employees (outreach_sent_date)
        employees (work_email)
        employees unique (id)";
    assert_eq!(indexes, expected.lines().map(str::trim).collect::<Vec<_>>());
    let links: String = scalar(
        db.pool(),
        "select conname || ': ' || pg_get_constraintdef(oid) from pg_constraint where contype = 'f'",
    )
    .await;
    assert_eq!(links, "employees_company_id_fkey: FOREIGN KEY (company_id) REFERENCES companies(id)");
    db.execute("insert into public.companies (company_name, updated_at) values ('a', '2020-01-01')").await;
    let defaults: String = scalar(
        db.pool(),
        "select concat_ws(' ', status, processing_status, created_at is not null) from companies",
    )
    .await;
    assert_eq!(defaults, "Active pending t");
    db.execute("update public.companies set region = 'x'").await;
    assert!(scalar::<bool>(db.pool(), "select updated_at > '2021-01-01' from companies").await);
    db.execute("update public.companies set updated_at = '2020-02-02'").await;
    assert!(
        scalar::<bool>(db.pool(), "select updated_at = '2020-02-02' from companies").await,
        "explicit writes stay"
    );
    let secured: Vec<(String, bool)> = sqlx::query_as(
        "select relname::text, relrowsecurity from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
         order by 1",
    )
    .fetch_all(db.pool())
    .await
    .unwrap();
    assert_eq!(secured.iter().map(|row| row.1).collect::<Vec<_>>(), [false, true, true]);
}

#[tokio::test]
async fn an_existing_project_is_completed_and_keeps_what_it_has() {
    let db = TestDb::empty().await;
    db.execute(SUPABASE).await;
    let rows = "select string_agg(concat_ws('|', company_name, tin, office_qualification, coalesce(status, '-')), ',' order by
                company_name) from public.companies";
    let before: String = scalar(db.pool(), rows).await;
    let report = migrate::run(db.store()).await.unwrap();
    assert_eq!(scalar::<String>(db.pool(), rows).await, before);

    let columns = added(&report, "column");
    assert!(columns.contains(&"public.employees.campaign_status".to_owned()), "{columns:?}");
    assert!(!columns.iter().any(|name| name.ends_with(".work_email")));
    let kept: String = scalar(
        db.pool(),
        "select string_agg(format_type(atttypid, atttypmod), ', ' order by attnum) from pg_attribute
         where attrelid = 'public.companies'::regclass and attname in ('company_name', 'revenue', 'employee_count')",
    )
    .await;
    assert_eq!(kept, "character varying(200), double precision, bigint");
    // Its own constraint, link, index, trigger and default stand for the reference's.
    for own in ["own_check", "own_link", "own_index", "own_touch"] {
        assert!(!report.added.iter().any(|addition| addition.name.ends_with(own)), "{own} counted as added");
    }
    for doubled in
        ["companies_office_qualification_check", "employees_company_id_fkey", "idx_companies_status"]
    {
        assert!(!report.added.iter().any(|addition| addition.name.ends_with(doubled)), "{doubled} was added");
    }
    assert_eq!(added(&report, "trigger").iter().filter(|name| name.ends_with("touch_updated_at")).count(), 2);
    assert!(
        added(&report, "constraint")
            .contains(&"public.companies.companies_registration_number_key".to_owned())
    );
    assert!(!added(&report, "constraint").iter().any(|name| name.ends_with("companies_tin_key")));
    // Its policies are its own business; where there is none, the named one is added.
    assert_eq!(added(&report, "policy"), ["public.employees.\"Allow all for authenticated users\""]);
    assert!(added(&report, "default").contains(&"public.employees.id".to_owned()));
    assert!(!added(&report, "default").contains(&"public.companies.status".to_owned()));
    let notes = [
        "companies has policies of its own",
        "companies.own_duty must be set, has no default",
        "employees has row security off",
    ];
    let mut said = report.notes.clone();
    said.sort();
    assert_eq!(said.len(), notes.len(), "{said:?}");
    assert!(said.iter().zip(notes).all(|(said, note)| said.starts_with(note)), "{said:?}");
    // Flags that were set before count from the start.
    let stopped: String =
        scalar(db.pool(), "select string_agg(target, ',') from outreach.suppressions").await;
    assert_eq!(stopped, "alpha@example.com");
    assert_eq!(migrate::run(db.store()).await.unwrap(), Report::default());
}

#[tokio::test]
async fn every_misfit_is_listed_and_nothing_is_changed() {
    let db = TestDb::empty().await;
    db.execute(
        "create type mood as enum ('good', 'bad');
         create table public.companies (
             id integer, company_name text, key text primary key, revenue text, all_company_emails jsonb,
             tin text, registration_number char(10), status text constraint own_status check (status <> 'Paused'),
             sme_registry integer, office_qualification text, session_key text unique, segment mood,
             created_at text, balance money, company_research text generated always as ('x') stored
         );
         insert into public.companies (key, tin, office_qualification) values
             ('a', '1', 'More'), ('b', '1', 'Most'), ('c', null, null), ('d', null, 'Most');
         create table public.employees (
             id uuid, company_id uuid, ai_research_data json, phone_numbers text, campaign_number numeric,
             reply_bounce text, outreach_type text, test_status text
                 constraint own_test check (test_status in ('Начато', 'Идет', 'Завершено:Успех', 'Завершено:Неудача'))
         );
         insert into public.employees (id, company_id, outreach_type)
             values (gen_random_uuid(), gen_random_uuid(), 'sales'), (null, null, 'cold');
         create view public.ai_interactions as select 1 as id;",
    )
    .await;
    let before = fingerprint(db.pool()).await;
    let refused = misfits(&db).await;
    let expected = "public.ai_interactions: is not a plain table (a view, a foreign or a partitioned table)
public.ai_interactions.id: has the type integer; expected uuid
public.companies.id: has the type integer; expected uuid
public.companies.registration_number: has the type character(10); expected text or varchar
public.companies.segment: has the type mood; expected text or varchar
public.companies.sme_registry: has the type integer; expected boolean
public.companies.revenue: has the type text; expected numeric, real or double precision
public.companies.balance: has the type money; expected numeric, real or double precision
public.companies.all_company_emails: has the type jsonb; expected text[] or varchar[]
public.companies.created_at: has the type text; expected timestamptz, timestamp or date
public.employees.phone_numbers: has the type text; expected text[] or varchar[]
public.employees.campaign_number: has the type numeric; expected smallint, integer or bigint
public.employees.reply_bounce: has the type text; expected boolean
public.employees.ai_research_data: has the type json; expected jsonb
public.companies.company_research: is a generated column, which an import cannot write
public.companies: has PRIMARY KEY (key); expected a primary key on id
public.companies.status: the check own_status refuses Paused
public.employees.test_status: the check own_test refuses Завершено:Требуется доработка
public.companies.session_key: has a unique key, and many rows must be able to share a value
public.employees.id: has no primary key, and 1 value(s) stand in more than one row (or are missing): select id, count(*) from public.employees group by 1 having count(*) > 1
public.companies.tin: has no unique key, and 1 value(s) stand in more than one row (or are missing): select tin, count(*) from public.companies group by 1 having count(*) > 1
public.companies.office_qualification: 2 row(s) hold a value other than More, Less
public.employees.outreach_type: 1 row(s) hold a value other than marketing, sales";
    assert_eq!(refused.join("\n"), expected);
    assert_eq!(fingerprint(db.pool()).await, before);
}

#[tokio::test]
async fn rows_without_their_company_are_a_misfit() {
    let db = TestDb::empty().await;
    db.execute(
        "create table public.employees (id uuid primary key default gen_random_uuid(), company_id uuid);
         insert into public.employees (company_id) values (gen_random_uuid()), (null), (gen_random_uuid());",
    )
    .await;
    let expected = "public.employees.company_id: 2 row(s) name a company that does not exist";
    assert_eq!(misfits(&db).await, [expected]);
    db.execute(
        "create table public.companies (id uuid primary key); create table public.other (id uuid primary key);
         update public.employees set company_id = null;
         alter table public.employees add constraint own_link foreign key (company_id) references public.other (id);",
    )
    .await;
    let expected = "public.employees.company_id: FOREIGN KEY (company_id) REFERENCES other(id); expected a reference to \
                    public.companies (id)";
    assert_eq!(misfits(&db).await, [expected]);
    db.execute("alter table public.employees drop constraint own_link").await;
    migrate::run(db.store()).await.unwrap();
}

#[tokio::test]
async fn processes_that_migrate_at_once_do_it_once() {
    let db = TestDb::empty().await;
    let url = db.url();
    let runs = (0..4).map(|_| async {
        let store = Store::connect_url(&url).await.unwrap();
        migrate::run(&store).await.unwrap().applied.len()
    });
    let mut applied = futures_util::future::join_all(runs).await;
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, 0, migrations()]);
}

#[tokio::test]
async fn a_database_of_another_version_is_refused() {
    let db = TestDb::new().await;
    db.execute("insert into outreach.migrations values (99999999999999, 'later', now(), true, '', 0)").await;
    assert!(matches!(migrate::run(db.store()).await, Err(MigrateError::Newer(99_999_999_999_999))));
    db.execute(
        "delete from outreach.migrations where version = 99999999999999;
                update outreach.migrations set checksum = '' where version = 20261123000100",
    )
    .await;
    assert!(matches!(migrate::run(db.store()).await, Err(MigrateError::Altered(20_261_123_000_100))));
}

#[tokio::test]
async fn supabase_roles_keep_what_the_reference_gives_them() {
    let own = OwnServer::start().await;
    own.execute(
        "create role anon nologin; create role authenticated nologin; create role service_role nologin bypassrls;
         grant usage on schema public to anon, authenticated, service_role;
         alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
         -- Stricter than Supabase's own: everything made is granted, whatever the schema.
         alter default privileges grant all on tables to anon, authenticated, service_role;
         alter default privileges grant usage on schemas to anon, authenticated, service_role;",
    )
    .await;
    let report = migrate::run(&own.store).await.unwrap();
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    own.execute(
        "insert into public.companies (company_name) values ('a');
         insert into public.employees (full_name, work_email) values ('a', 'a@example.com')",
    )
    .await;
    let as_role = async |role: &str, sql: &str| {
        let mut tx = own.store.begin().await.unwrap();
        sqlx::query(AssertSqlSafe(format!("set local role {role}"))).execute(&mut *tx).await.unwrap();
        let outcome = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut *tx).await;
        outcome.map(|done| done.rows_affected()).map_err(|error| error.to_string())
    };
    for role in ["authenticated", "service_role"] {
        assert_eq!(as_role(role, "update public.companies set region = 'x'").await, Ok(1));
        // Its triggers write to a schema that this role cannot see.
        assert_eq!(as_role(role, "update public.employees set reply_bounce = true").await, Ok(1));
    }
    assert_eq!(as_role("anon", "update public.companies set region = 'x'").await, Ok(0), "anon sees rows");
    assert_eq!(as_role("service_role", "select from public.ai_interactions").await, Ok(0));
    for closed in [
        "select from public.ai_interactions",
        "select from outreach.pushes",
        "select from outreach.migrations",
    ] {
        for role in ["anon", "authenticated"] {
            let refusal = as_role(role, closed).await.unwrap_err();
            assert!(refusal.contains("permission denied"), "{role}: {closed}: {refusal}");
        }
    }
    own.store.close().await;
}

#[tokio::test]
async fn without_supabase_roles_the_policy_keeps_a_later_anon_out() {
    let db = TestDb::new().await;
    let policies: Vec<String> = sqlx::query_scalar(
        "select concat_ws('|', tablename, policyname, roles, qual) from pg_policies order by 1",
    )
    .fetch_all(db.pool())
    .await
    .unwrap();
    let named = "Allow all for authenticated users|{public}|(CURRENT_USER <> 'anon'::name)";
    assert_eq!(policies, [format!("companies|{named}"), format!("employees|{named}")]);
}

#[tokio::test]
async fn the_role_can_do_its_work_and_nothing_else() {
    let own = OwnServer::start().await;
    migrate::run(&own.store).await.unwrap();
    for _ in 0..2 {
        own.execute(migrate::ROLE_SQL).await;
    }
    own.execute("alter role outreachd login").await;
    let store = Store::connect(own.server.connect_options("postgres").username("outreachd")).await.unwrap();
    assert_eq!(migrate::run(&store).await.unwrap(), Report::default());
    let work = [
        "insert into companies (company_name, tin) values ('a', '1') on conflict (tin) do update set region = 'x'",
        "insert into companies (company_name, tin) values ('a', '1') on conflict (tin) do update set region = 'x'",
        "insert into employees (company_id, work_email) select id, 'a@example.com' from companies",
        "update employees set campaign_number = 1, outreach_sent_date = now(), outreach_type = 'sales',
                campaign_status = 'queued', processing_status = 'enrolled'",
        "update companies set status = 'Paused'",
        "insert into outreach.leases values ('a', 'b', 1, now())",
        "update outreach.leases set token = 2",
        "delete from outreach.leases",
        "update employees set reply_unsubscribe = true",
        "delete from outreach.suppressions",
        "create temporary table scratch as select * from employees",
    ];
    for sql in work {
        let done = sqlx::raw_sql(sql).execute(&store).await;
        assert_eq!(done.map(|done| done.rows_affected()).map_err(|error| error.to_string()), Ok(1), "{sql}");
    }
    let forbidden = [
        "delete from employees",
        "delete from companies",
        "truncate employees",
        "update employees set id = gen_random_uuid()",
        "update companies set created_at = now()",
        "create table public.mine ()",
        "create table outreach.mine ()",
        "alter table outreach.pushes add column mine int",
        "drop table outreach.events",
        "update outreach.migrations set success = false",
        "alter table employees disable row level security",
        "create role mine",
    ];
    for sql in forbidden {
        let refusal = sqlx::raw_sql(sql).execute(&store).await.unwrap_err();
        let code = refusal.as_database_error().and_then(|fault| fault.code().map(String::from));
        assert_eq!(code.as_deref(), Some("42501"), "{sql}: {refusal}");
    }
    store.close().await;
    own.store.close().await;
}
