//! Imports end to end: files in, rows and rejects out, on a real database.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use outreachd::intake::import::{ImportError, ImportReport, ImportRequest, Phase, Progress, import};
use outreachd::model::{Entity, FixedClock};
use sqlx::PgPool;

use crate::support::TestDb;

/// A database and a folder for files.
struct World {
    db: TestDb,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self { db: TestDb::new().await, folder: tempfile::tempdir().unwrap() }
    }

    fn pool(&self) -> &PgPool {
        self.db.pool()
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A copy of one of `tests/data`, so that its rejects land in our folder.
    fn sample(&self, name: &str) -> PathBuf {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
        self.file(name, std::fs::read(from).unwrap())
    }

    async fn try_import(&self, request: &ImportRequest) -> Result<ImportReport, ImportError> {
        import(self.pool(), request, &clock(), &|_| {}).await
    }

    async fn companies(&self, file: &Path) -> ImportReport {
        self.try_import(&request(Entity::Company, file)).await.unwrap()
    }

    async fn employees(&self, file: &Path) -> ImportReport {
        self.try_import(&request(Entity::Employee, file)).await.unwrap()
    }

    async fn text(&self, sql: &'static str) -> Option<String> {
        sqlx::query_scalar(sql).fetch_one(self.pool()).await.unwrap()
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.pool()).await.unwrap()
    }
}

fn clock() -> FixedClock {
    FixedClock("2026-11-23T09:00:00Z".parse::<DateTime<Utc>>().unwrap())
}

fn request(entity: Entity, file: &Path) -> ImportRequest {
    ImportRequest {
        entity,
        file: file.to_owned(),
        session_key: None,
        batch_id: None,
        dry_run: false,
        rejects: None,
    }
}

/// read, inserted, updated, unchanged, rejected, blank
fn counts(report: &ImportReport) -> [u64; 6] {
    [report.read, report.inserted, report.updated, report.unchanged, report.rejected, report.blank]
}

fn reasons(report: &ImportReport) -> Vec<(u64, &str, &str)> {
    report.shown.iter().map(|row| (row.line, row.column.as_str(), row.reason.as_str())).collect()
}

#[tokio::test]
async fn the_clean_files_come_in_whole_and_again_without_a_change() {
    let world = World::new().await;
    let companies = world.sample("companies.csv");
    let employees = world.sample("employees.csv");
    assert_eq!(counts(&world.companies(&companies).await), [70, 70, 0, 0, 0, 0]);
    assert_eq!(counts(&world.employees(&employees).await), [80, 80, 0, 0, 0, 0]);
    let touched = world.text("select max(updated_at)::text from employees").await;

    let again = world.companies(&companies).await;
    assert_eq!(counts(&again), [70, 0, 0, 70, 0, 0]);
    assert_eq!(again.seen_before, Some(clock().0));
    assert_eq!(counts(&world.employees(&employees).await), [80, 0, 0, 80, 0, 0]);
    assert_eq!(world.text("select max(updated_at)::text from employees").await, touched);
    assert!(!world.folder.path().join("companies.rejects.csv").exists());
    assert_eq!(world.count("select count(*) from employees e join companies c on c.id = e.company_id where e.company_name = c.company_name and e.processing_status = 'pending' and not e.reply_bounce").await, 80);
}

#[tokio::test]
async fn the_messy_files_on_an_empty_database() {
    let world = World::new().await;
    let companies = world.companies(&world.sample("companies-messy.csv")).await;
    assert_eq!(counts(&companies), [13, 9, 0, 0, 4, 1]);
    assert_eq!(
        reasons(&companies),
        [
            (6, "tin", "is also on line 5, with other details in the row"),
            (8, "employee_count", "`about 40` is not a whole number"),
            (9, "office_qualification", "`Medium` is none of More, Less"),
            (10, "company_name", "is empty, and no such company is stored: a new company needs a name"),
        ]
    );
    assert_eq!(
        world
            .text("select company_name || '|' || segment from companies where tin = '8150875920'")
            .await
            .as_deref(),
        Some("Морозова Инкорпорэйтед|Fintech")
    );
    assert_eq!(
        world.text("select revenue::text from companies where tin = '3952692488'").await.as_deref(),
        Some("1250000.50")
    );
    assert_eq!(
        world.text("select registration_date::text from companies where tin = '5403524045'").await.as_deref(),
        Some("2019-12-31")
    );
    assert_eq!(
        world.text("select sme_registry::text from companies where tin = '8055850570'").await.as_deref(),
        Some("true")
    );

    let employees = world.employees(&world.sample("employees-messy.csv")).await;
    assert_eq!(counts(&employees), [10, 4, 0, 0, 6, 0]);
    let lines: Vec<(u64, &str)> = employees.shown.iter().map(|row| (row.line, row.column.as_str())).collect();
    assert_eq!(
        lines,
        [
            (3, "work_email"),
            (5, "company_tin"),
            (6, "ai_research_data"),
            (8, "company_tin"),
            (9, "full_name"),
            (10, "company_tin"),
        ]
    );
}

#[tokio::test]
async fn the_messy_files_after_the_clean_ones() {
    let world = World::new().await;
    world.companies(&world.sample("companies.csv")).await;
    world.employees(&world.sample("employees.csv")).await;

    let companies = world.companies(&world.sample("companies-messy.csv")).await;
    assert_eq!(
        reasons(&companies),
        [
            (
                5,
                "tin, registration_number",
                "tin 5574285774 and registration_number 5062492845993 belong to two different stored companies"
            ),
            (8, "employee_count", "`about 40` is not a whole number"),
            (9, "office_qualification", "`Medium` is none of More, Less"),
        ]
    );
    // Only the revenue of line 3, the date of line 7 and the research of line 14 say something new.
    assert_eq!(counts(&companies), [13, 0, 3, 7, 3, 1]);

    let employees = world.employees(&world.sample("employees-messy.csv")).await;
    assert_eq!(
        reasons(&employees),
        [
            (3, "work_email", "`not-an-email` is not a mail address"),
            (5, "company_tin", "no company with tin 0000000000 is stored: import the company first"),
            (6, "ai_research_data", "is not valid JSON (key must be a string at line 1 column 2)"),
            (9, "full_name", "`=HYPERLINK(\"http://x.example\",\"x\")` is a spreadsheet formula"),
        ]
    );
    assert_eq!(counts(&employees), [10, 0, 2, 4, 4, 0]);
    assert_eq!(employees.moved, 1);
}

#[tokio::test]
async fn rejects_can_be_fixed_and_imported_again() {
    let world = World::new().await;
    let first = world.companies(&world.sample("companies-messy.csv")).await;
    let rejects = first.rejects.clone().unwrap();
    assert_eq!(rejects, world.folder.path().join("companies-messy.rejects.csv"));
    let text = std::fs::read_to_string(&rejects).unwrap();
    assert!(text.starts_with("\u{feff}_line;_column;_reason;company_name;tin;"), "{text}");
    assert_eq!(text.matches("\r\n").count(), 5, "a header and four rows, with the line ends of the file");
    let original = std::fs::read_to_string(world.sample("companies-messy.csv")).unwrap();
    for line in text.lines().skip(1) {
        let own = original.lines().find(|own| line.ends_with(own) && !own.is_empty()).unwrap();
        assert!(own.len() > 100, "the row stands as it was");
    }

    // As they are, they are refused again, with lines of the new file and no second set of columns.
    let again = world.companies(&rejects).await;
    assert_eq!(counts(&again), [4, 0, 0, 0, 4, 0]);
    assert_eq!(again.shown[1].line, 3);
    let second = std::fs::read_to_string(again.rejects.unwrap()).unwrap();
    assert_eq!(second.lines().next(), text.lines().next());
    assert_eq!(second.matches("about 40").count(), 2, "once in its reason, once in its cell");

    let fixed = text
        .replace("about 40", "40")
        .replace("Medium", "More")
        .replace(";;8479999326", ";Новая;8479999326")
        .replace("5574285774;5037", "5574285775;5037");
    let fixed = world.companies(&world.file("companies-messy.rejects.csv", fixed)).await;
    assert_eq!(counts(&fixed), [4, 4, 0, 0, 0, 0]);
    assert!(!world.folder.path().join("companies-messy.rejects.rejects.csv").exists(), "no rejects, no file");
}

#[tokio::test]
async fn a_trial_changes_nothing_and_shows_everything() {
    let world = World::new().await;
    let file = world.sample("companies-messy.csv");
    let mut trial = request(Entity::Company, &file);
    trial.dry_run = true;
    let report = world.try_import(&trial).await.unwrap();
    assert_eq!(counts(&report), [13, 9, 0, 0, 4, 1]);
    assert!(report.rejects.unwrap().exists());
    assert_eq!(world.count("select count(*) from companies").await, 0);
    assert_eq!(world.count("select count(*) from outreach.imports").await, 0);
}

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
async fn json_lines_with_types_nulls_and_broken_lines() {
    let world = World::new().await;
    let report = world
        .companies(&world.file(
            "a.jsonl",
            concat!(
                r#"{"tin": "0000000001", "company_name": "One", "region": "Msk", "revenue": 1250.5, "sme_registry": true, "all_company_emails": ["a@b.co"]}"#, "\n",
                "\n{}\n",
                r#"{"tin": "0000000002", "company_name": "Two", "revenu": 5}"#, "\n",
                "{broken\n",
                r#"{"tin": "0000000003", "company_name": "Three", "revenue": true}"#, "\n",
            ),
        ))
        .await;
    assert_eq!(counts(&report), [4, 1, 0, 0, 3, 2]);
    assert_eq!(
        reasons(&report)[0],
        (4, "revenu", "names what is no column of an import: `revenu` (did you mean `revenue`?)")
    );
    assert_eq!(reasons(&report)[1].0, 5);
    assert_eq!(reasons(&report)[2], (6, "revenue", "true is not a number"));
    let text = std::fs::read_to_string(report.rejects.unwrap()).unwrap();
    assert_eq!(text.lines().count(), 3);
    assert!(text.contains(r#""_raw":"{broken""#), "{text}");
    let fixed = text
        .replace("revenu\":5", "revenue\":5")
        .replace("{broken", r#"{\"tin\":\"0000000004\",\"company_name\":\"Four\"}"#)
        .replace("\"revenue\":true", "\"revenue\":3");
    let fixed = world.companies(&world.file("fixed.jsonl", fixed)).await;
    assert_eq!(counts(&fixed), [3, 3, 0, 0, 0, 0]);

    let cleared = world
        .file("null.jsonl", r#"{"tin": "0000000001", "region": null, "company_name": null, "revenue": ""}"#);
    assert_eq!(counts(&world.companies(&cleared).await), [1, 0, 1, 0, 0, 0]);
    assert_eq!(counts(&world.companies(&cleared).await), [1, 0, 0, 1, 0, 0]);
    assert_eq!(
        world.text("select concat_ws('|', company_name, coalesce(region, '-'), revenue) from companies where tin = '0000000001'").await.unwrap(),
        "One|-|1250.5"
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
async fn files_that_are_no_tables_are_refused_before_anything_is_touched() {
    let world = World::new().await;
    let windows_1251 = [
        b"tin,company_name\n1000000001,".as_slice(),
        b"\xcc\xee\xf0\xee\xe7\n1000000002,\xcc\xee\n1000000003,\xcc\n",
    ]
    .concat();
    for (content, problem) in [
        (b"".to_vec(), "is empty"),
        (b"tin,revenu\n1,2\n".to_vec(), "did you mean `revenue`?"),
        (b"company_name\nX\n".to_vec(), "lacks tin or registration_number"),
        (b"tin,tin\n".to_vec(), "twice"),
        (windows_1251, "iconv -f WINDOWS-1251"),
        (b"\xff\xfet\0i\0n\0".to_vec(), "UTF-16"),
        (b"PK\x03\x04 ...".to_vec(), "spreadsheet"),
        (b"tin,company_name\r1000000001,A\r".to_vec(), "carriage return"),
    ] {
        let error =
            world.try_import(&request(Entity::Company, &world.file("a.csv", content))).await.unwrap_err();
        assert!(error.is_invalid_file() && error.to_string().contains(problem), "{error}");
    }
    assert!(matches!(
        world.try_import(&request(Entity::Company, Path::new("/nowhere.csv"))).await.unwrap_err(),
        ImportError::Read { .. }
    ));
    assert_eq!(world.count("select count(*) from outreach.imports").await, 0);
}

#[tokio::test]
async fn a_broken_row_takes_no_good_one_with_it() {
    let world = World::new().await;
    let content = [
        b"company_name,tin,company_research\n".as_slice(),
        b"\"Stray,1000000001,x\n",
        b"\xff\xfe,1000000002,x\n",
        "Хорошая,1000000003,\"a\nb, \"\"c\"\"\"\n".as_bytes(),
        b"\"Alfa\" Ltd,1000000004,x\n",
        b"Short,1000000005\n",
        b"OOO \"Beta\",1000000006,x\n",
        b"Open,1000000007,\"never closed\n",
        b"Last,1000000008,x",
    ]
    .concat();
    let report = world.companies(&world.file("a.csv", &content)).await;
    assert_eq!(
        reasons(&report),
        [
            (2, "", "opens a quote that is closed in the middle of a later line"),
            (3, "", "is not UTF-8"),
            (6, "", "has text after a closing quote"),
            (7, "", "has 2 cells, and the header 3"),
            (9, "", "opens a quote that is not closed"),
        ]
    );
    assert_eq!(counts(&report), [8, 3, 0, 0, 5, 0]);
    assert_eq!(
        world.text("select company_research from companies where tin = '1000000003'").await.unwrap(),
        "a\nb, \"c\""
    );
    let rejects = std::fs::read(report.rejects.unwrap()).unwrap();
    for raw in [
        b"\"Stray,1000000001,x\n".as_slice(),
        b"\xff\xfe,1000000002,x\n",
        b"Open,1000000007,\"never closed\n",
    ] {
        assert!(rejects.windows(raw.len()).any(|part| part == raw), "as it was, byte for byte");
    }
}

#[tokio::test]
async fn rejects_never_replace_another_file() {
    let world = World::new().await;
    let file = world.file("a.csv", "tin,company_name\n1000000001,A\nx,B\n");
    let mine = world.file("mine.csv", "my own notes\n");
    for place in [&mine, &file] {
        let mut wrong = request(Entity::Company, &file);
        wrong.rejects = Some(place.clone());
        assert!(matches!(world.try_import(&wrong).await.unwrap_err(), ImportError::Rejects { .. }));
    }
    assert_eq!(std::fs::read_to_string(&mine).unwrap(), "my own notes\n");
    assert_eq!(world.count("select count(*) from companies").await, 0);
    let rejects = world.companies(&file).await.rejects.unwrap();
    assert_eq!(
        std::fs::read_to_string(&rejects).unwrap(),
        "_line,_column,_reason,tin,company_name\n3,tin,`x` must have digits only,x,B\n"
    );
    world.companies(&world.file("a.csv", "tin,company_name\n1000000001,A\n")).await;
    assert!(!rejects.exists(), "rejects of an earlier import are gone once there are none");
}

#[tokio::test]
async fn two_imports_at_once_make_no_duplicates() {
    let world = World::new().await;
    let rows: String = (0..500).map(|i| format!("{:010},Company {i}\n", i + 1)).collect();
    let companies = world.file("companies.csv", format!("tin,company_name\n{rows}"));
    let people: String = (0..500).map(|i| format!("{:010},Ann,ann@c{i}.example\n", i + 1)).collect();
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
    let rows: String = (0..20_000).map(|i| format!("{:010},Company {i}\n", i + 1)).collect();
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
            _ = import(world.pool(), &request, &clock, &tell) => panic!("was to be cut off while {}", phase.as_str()),
        }
        assert_eq!(world.count("select count(*) from companies").await, 0);
    }
    assert_eq!(world.try_import(&request).await.unwrap().inserted, 20_000);
}
