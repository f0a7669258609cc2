//! Imports end to end: files in, rows and rejects out, on a real database.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use outreachd::intake::import::{ImportError, ImportReport, ImportRequest, import};
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
