//! Imports end to end: files in, rows and rejects out, on a real database.

mod files;
mod matching;
mod model;

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
        import(self.db.store(), request, &clock(), &|_| {}).await
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
