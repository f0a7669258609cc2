//! Which stored row a row is, what it changes, and what it may not.

use std::path::Path;

use outreachd::intake::import::{Phase, Progress, import};
use outreachd::model::Entity;
use outreachd::store::embedded::{Embedded, EmbeddedOptions, Profile};
use outreachd::store::{Store, migrate};

use super::{World, clock, counts, reasons, request};
use crate::support::{TestDb, folder};

#[tokio::test]
async fn a_changed_row_updates_and_an_empty_cell_leaves_alone() {
    let world = World::new().await;
    let header = "tin,company_name,region,revenue,all_company_emails,session_key\n";
    let mut a = request(Entity::Company, &world.file("a.csv", "tin,company_name,region,revenue,all_company_emails\n1111111111,One,Msk,5,A@one.example; b@one.example\n2222222222,Two,Spb,7,\n"));
    a.session_key = Some("s1".into());
    a.batch_id = Some("b1".into());
    assert_eq!(counts(&world.try_import(&a).await.unwrap()), [2, 2, 0, 0, 0, 0]);
    let mut b = request(
        Entity::Company,
        &world.file("b.csv", "TIN;Company Name;Region;Revenue\n1111111111;;;5,00\n2222222222;;;8\n"),
    );
    b.session_key = Some("s2".into());
    assert_eq!(counts(&world.try_import(&b).await.unwrap()), [2, 0, 1, 1, 0, 0]);
    assert_eq!(
        world.text("select string_agg(concat_ws('|', company_name, region, revenue, session_key, batch_id, all_company_emails), ' ' order by tin) from companies").await.unwrap(),
        "One|Msk|5|s1|b1|{a@one.example,b@one.example} Two|Spb|8|s2|b1",
    );
    assert_eq!(world.count("select count(*) from companies where updated_at > created_at").await, 1);
    assert_eq!(
        world.text("select string_agg(concat_ws('|', entity, session_key, batch_id, file_name, inserted, updated, unchanged, rejected), ' ' order by file_name) from outreach.imports").await.unwrap(),
        "companies|s1|b1|a.csv|2|0|0|0 companies|s2|b.csv|0|1|1|0",
    );
    // One key for the whole file, or one for each row, not both.
    let mut both = request(Entity::Company, &world.file("c.csv", format!("{header}3333333333,X,,,,own\n")));
    both.session_key = Some("s3".into());
    assert!(world.try_import(&both).await.unwrap_err().is_invalid_file());
    both.session_key = None;
    assert_eq!(counts(&world.try_import(&both).await.unwrap()), [1, 1, 0, 0, 0, 0]);
    assert_eq!(
        world.text("select session_key from companies where tin = '3333333333'").await.unwrap(),
        "own"
    );
}

#[tokio::test]
async fn companies_are_found_by_tin_then_by_registration_number() {
    let world = World::new().await;
    world
        .db
        .execute(
            "insert into companies (company_name, tin, registration_number) values
        ('A', '1000000001', '1000000000001'), ('B', '1000000002', null), ('C', null, '1000000000003')",
        )
        .await;
    let report = world
        .companies(&world.file(
            "a.csv",
            "tin,registration_number,company_name\n\
        1000000001,1000000000009,A\n\
        ,1000000000003,C\n\
        1000000003,1000000000003,C2\n\
        1000000002,1000000000001,B\n\
        1000000008,1000000000001,A\n\
        1000000005,1000000000005,N\n\
        1000000005,1000000000005,N\n\
        1000000005,,N\n\
        1000000006,1000000000005,M\n\
        1000000006,1000000000006,M\n\
        ,,Q\n\
        12x,,Q\n",
        ))
        .await;
    assert_eq!(
        reasons(&report),
        [
            (
                2,
                "registration_number",
                "the stored company with tin 1000000001 has the registration_number 1000000000001, not 1000000000009"
            ),
            (4, "registration_number", "is also on line 3, with other details in the row"),
            (
                5,
                "tin, registration_number",
                "tin 1000000002 and registration_number 1000000000001 belong to two different stored companies"
            ),
            (
                6,
                "tin",
                "the stored company with registration_number 1000000000001 has the tin 1000000001, not 1000000008"
            ),
            (9, "tin", "is also on line 7, with other details in the row"),
            (10, "registration_number", "is also on line 7, with other details in the row"),
            (12, "tin, registration_number", "is empty, and a row needs one of these"),
            (13, "tin", "`12x` must have digits only"),
        ]
    );
    // Line 11 is good, as the row that it shares a tin with is not.
    assert_eq!(counts(&report), [12, 2, 0, 2, 8, 0]);
}

#[tokio::test]
async fn employees_are_found_by_address_then_by_name() {
    let world = World::new().await;
    world.db.execute("
        insert into companies (company_name, tin, registration_number) values ('A', '1000000001', '1000000000001'), ('B', '1000000002', null);
        insert into employees (company_id, full_name, work_email, position)
        select c.id, v.* from companies c, (values
            ('Ann Addressed', ' Ann@A.example ', 'CEO'), ('Bob Unaddressed', null, 'CTO'), ('Carl Moved', 'carl@a.example', null),
            ('Nina Namesake', 'nina1@a.example', null), ('Nina Namesake', 'nina2@a.example', null),
            ('Ed', 'shared@a.example', null), ('Flo', 'shared@a.example', null)) v
        where c.tin = '1000000001'").await;
    let report = world
        .employees(&world.file(
            "a.csv",
            "company_tin,company_registration_number,full_name,work_email,position\n\
        1000000001,,Ann Addressed,ann@a.example,Chair\n\
        ,1000000000001,  bob unaddressed,bob@a.example,\n\
        1000000001,,Carl Moved,carl@new.example,\n\
        1000000001,,Nina Namesake,nina2@a.example,CFO\n\
        1000000001,,Nina Namesake,nina3@a.example,CFO\n\
        1000000001,,Flo,shared@a.example,COO\n\
        1000000001,,,shared@a.example,COO\n\
        1000000001,,Bob Unaddressed,nina1@a.example,\n\
        1000000002,,Ann Addressed,ann@a.example,\n\
        1000000002,1000000000001,X,x@a.example,\n\
        1000000002,,Y,y@b.example,1\n\
        1000000002,,Y,y2@b.example,2\n\
        1000000002,,Z,y@b.example,3\n\
        1000000002,,,,4\n\
        ,,W,w@b.example,\n",
        ))
        .await;
    assert_eq!(
        reasons(&report),
        [
            (
                6,
                "full_name",
                "2 stored employees of this company have this full_name, and none of them this work_email"
            ),
            (
                8,
                "work_email",
                "2 stored employees of this company have this address, and 0 of them this full_name"
            ),
            (9, "work_email, full_name", "work_email and full_name belong to two different stored employees"),
            (11, "company_tin, company_registration_number", "these columns name different stored companies"),
            (13, "full_name", "is also on line 12, with other details in the row"),
            (14, "work_email", "is also on line 12, with other details in the row"),
            (15, "full_name, work_email", "is empty, and a row needs one of these"),
            (16, "company_tin, company_registration_number", "is empty, and a row needs one of these"),
        ]
    );
    assert_eq!(counts(&report), [15, 2, 5, 0, 8, 0]);
    assert_eq!(report.moved, 1);
    assert_eq!(
        world.text("select string_agg(concat_ws('|', full_name, work_email, position), ' ' order by lower(full_name), work_email) from employees e join companies c on c.id = company_id and tin = '1000000001'").await.unwrap(),
        "Ann Addressed|ann@a.example|Chair bob unaddressed|bob@a.example|CTO Carl Moved|carl@new.example Ed|shared@a.example \
         Flo|shared@a.example|COO Nina Namesake|nina1@a.example Nina Namesake|nina2@a.example|CFO"
    );
}

#[tokio::test]
async fn a_stop_comes_in_and_is_never_taken_back() {
    let world = World::new().await;
    world
        .db
        .execute("insert into companies (company_name, tin, session_key) values ('A', '1000000001', 'cs')")
        .await;
    let mut stop = request(Entity::Employee, &world.file("a.csv", "company_tin,full_name,work_email,reply_unsubscribe,campaign_number\n1000000001,Ann,ann@a.example,да,3\n"));
    stop.session_key = Some("es".into());
    assert_eq!(counts(&world.try_import(&stop).await.unwrap()), [1, 1, 0, 0, 0, 0]);
    assert_eq!(world.text("select concat_ws('|', company_session_key, employee_session_key, company_name) from employees").await.unwrap(), "cs|es|A");
    let suppressed = "select string_agg(target || ' ' || reason, ',') from outreach.suppressions";
    assert_eq!(world.text(suppressed).await.unwrap(), "ann@a.example unsubscribed");
    let back = world.file(
        "b.jsonl",
        r#"{"company_tin":"1000000001","full_name":"Ann","reply_unsubscribe":false,"reply_bounce":null}"#,
    );
    assert_eq!(counts(&world.employees(&back).await), [1, 0, 0, 1, 0, 0]);
    assert_eq!(world.text(suppressed).await.unwrap(), "ann@a.example unsubscribed");
}

#[tokio::test]
async fn what_outreachd_wrote_back_is_its_own() {
    let world = World::new().await;
    world.db.execute("insert into companies (company_name, tin) values ('A', '1000000001');
        insert into employees (company_id, full_name, work_email, campaign_number, campaign_status)
        select id, 'Ann', 'ann@a.example', 12, 'active' from companies;
        insert into outreach.enrollments (employee_id, campaign_number, email, status, ordinal, fields, source_hash, enrolled_at, updated_at)
        select id, 12, work_email, 'active', 1, '{}', 0, now(), now() from employees").await;
    let file = "company_tin,full_name,work_email,campaign_number,campaign_status,position\n1000000001,Ann,ann@a.example,3,active,CEO\n1000000001,Bob,bob@a.example,3,replied,CTO\n";
    let report = world.employees(&world.file("a.csv", file)).await;
    assert_eq!(
        reasons(&report),
        [(2, "campaign_number", "is kept by outreachd, which has this contact in campaign 12")]
    );
    assert_eq!(counts(&report), [2, 1, 0, 0, 1, 0]);
    // The same values are no change, and the rest of the row comes in.
    let report = world.employees(&world.file("a.csv", file.replace(",3,", ",12,"))).await;
    assert_eq!(counts(&report), [2, 0, 2, 0, 0, 0]);
}

#[tokio::test]
async fn two_imports_at_once_make_no_duplicates() {
    let world = World::new().await;
    let rows = lines(500, |i| format!("{:010},Company {i}\n", i + 1));
    let companies = world.file("companies.csv", format!("tin,company_name\n{rows}"));
    let people = lines(500, |i| format!("{:010},Ann,ann@c{i}.example\n", i + 1));
    let people = world.file("people.csv", format!("company_tin,full_name,work_email\n{people}"));
    for (entity, file) in [(Entity::Company, companies), (Entity::Employee, people)] {
        let request = request(entity, &file);
        let (one, two, three) =
            tokio::join!(world.try_import(&request), world.try_import(&request), world.try_import(&request));
        let mut inserted = [one.unwrap().inserted, two.unwrap().inserted, three.unwrap().inserted];
        inserted.sort_unstable();
        assert_eq!(inserted, [0, 0, 500]);
    }
    assert_eq!(world.count("select count(*) from employees").await, 500);
}

#[tokio::test]
async fn an_import_that_is_cut_off_leaves_nothing() {
    let world = World::new().await;
    let rows = lines(20_000, |i| format!("{:010},Company {i}\n", i + 1));
    let request = request(Entity::Company, &world.file("a.csv", format!("tin,company_name\n{rows}")));
    for phase in [Phase::Reading, Phase::Matching, Phase::Writing] {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stop = std::sync::Mutex::new(Some(stop));
        let tell = |now: Progress| {
            if now.phase == phase {
                stop.lock().unwrap().take();
            }
        };
        let clock = clock();
        tokio::select! {
            biased;
            _ = stopped => {}
            _ = import(world.db.store(), &request, &clock, &tell) => panic!("was to be cut off while {}", phase.as_str()),
        }
        assert_eq!(world.count("select count(*) from companies").await, 0);
    }
    assert_eq!(world.try_import(&request).await.unwrap().inserted, 20_000);
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

#[tokio::test]
async fn a_database_with_types_of_its_own() {
    let db = TestDb::empty().await;
    db.execute(
        "create table public.companies (
             id uuid primary key default gen_random_uuid(), company_name varchar(8) not null, tin varchar(12) unique,
             registration_number text unique, region text not null default 'unknown', status text default 'New',
             revenue numeric(12, 2), balance real, employee_count bigint, registration_date timestamp)",
    )
    .await;
    migrate::run(db.store()).await.unwrap();
    let world = World { db, folder: tempfile::tempdir().unwrap() };
    let file = world.file(
        "a.jsonl",
        r#"{"tin":"1000000001","company_name":"A","revenue":"10.005","balance":0.1,"employee_count":7,"registration_date":"31.12.2019","region":null}
{"tin":"1000000002","company_name":"Too long a name"}"#,
    );
    let report = world.companies(&file).await;
    assert_eq!(reasons(&report), [(2, "company_name", "has 15 characters, and the database holds 8")]);
    assert_eq!(counts(&report), [2, 1, 0, 0, 1, 0]);
    assert_eq!(
        world
            .text("select concat_ws('|', region, status, revenue, balance, employee_count, registration_date) from companies")
            .await
            .unwrap(),
        "unknown|New|10.01|0.1|7|2019-12-31 00:00:00"
    );
    assert_eq!(counts(&world.companies(&file).await), [2, 0, 0, 1, 1, 0]);
}

#[tokio::test]
async fn the_role_with_only_its_rights_can_import() {
    let folder = folder();
    let options = EmbeddedOptions { dir: folder.path().join("pg"), profile: Profile::Test, linger: None };
    let server = tokio::task::spawn_blocking(move || Embedded::start(&options)).await.unwrap().unwrap();
    let owner = Store::connect(server.connect_options("postgres")).await.unwrap();
    migrate::run(&owner).await.unwrap();
    for sql in [migrate::ROLE_SQL, "alter role outreachd login"] {
        sqlx::raw_sql(sql).execute(&owner).await.unwrap();
    }
    let store = Store::connect(server.connect_options("postgres").username("outreachd")).await.unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for (entity, name, inserted) in [(Entity::Company, "companies", 70), (Entity::Employee, "employees", 80)]
    {
        let mut request = request(entity, &data.join(format!("{name}.csv")));
        request.rejects = Some(folder.path().join("rejects.csv"));
        let report = import(&store, &request, &clock(), &|_| {}).await.unwrap();
        assert_eq!(report.inserted, inserted);
        request.file = data.join(format!("{name}-messy.csv"));
        let report = import(&store, &request, &clock(), &|_| {}).await.unwrap();
        assert!(report.updated > 0 && report.rejected > 0);
    }
}
