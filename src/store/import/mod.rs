//! The SQL of an import: staging, matching against what is stored, merging, and what was refused.
//!
//! Everything happens inside the caller's transaction and set-based: rows come by COPY into a temporary table, and
//! no statement looks at one row. Never reads a file and never decides what a cell means.

mod kept;
mod merge;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::{StoreError, sql};
use crate::model::Entity;

use kept::refuse_kept;
pub use merge::{Merged, Tags, merge};

/// Imports of one kind take turns: two that match at the same time would both add the same row.
const LOCK_CLASS: i32 = 7_207_000;

/// A column of the table that is imported into.
#[derive(Debug, Clone, FromRow)]
pub struct TargetColumn {
    pub name: String,
    pub type_name: String,
    /// An SQL expression of the database's own.
    pub default_value: Option<String>,
    pub is_required: bool,
    pub max_chars: Option<i32>,
}

/// One column of the staging table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    pub name: String,
    pub type_name: String,
    /// Whether the table that is imported into has it too; otherwise it only helps to find the company.
    pub stored: bool,
    /// An expression for new rows without a value.
    pub default_value: Option<String>,
}

/// What one import stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staging {
    pub entity: Entity,
    /// In the order in which the rows come.
    pub columns: Vec<Staged>,
    /// Rows may clear columns: a bit for each of `columns`, which are at most 63 then.
    pub clears: bool,
}

/// One reason why a row was refused.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Refusal {
    /// Its first line in the file.
    pub line: i64,
    /// The columns at fault, separated by commas; empty when it is the row as a whole.
    pub columns: String,
    /// All reasons.
    pub reason: String,
}

/// A delivery as it is kept.
#[derive(Debug, Clone)]
pub struct Delivery<'a> {
    pub entity: Entity,
    pub session_key: Option<&'a str>,
    pub batch_id: Option<&'a str>,
    pub file_name: &'a str,
    pub file_digest: &'a str,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
}

pub(crate) const fn table(entity: Entity) -> &'static str {
    match entity {
        Entity::Company => "companies",
        Entity::Employee => "employees",
    }
}

/// The columns of the table as it is; empty when there is none.
pub async fn target(conn: &mut PgConnection, entity: Entity) -> Result<Vec<TargetColumn>, StoreError> {
    sql::query_as(include_str!("target.sql"))
        .bind(format!("public.{}", table(entity)))
        .fetch_all(conn)
        .await
        .map_err(StoreError::on("read the columns of the table that is imported into"))
}

/// Makes the staging tables, which live as long as the transaction.
pub async fn prepare(conn: &mut PgConnection, staging: &Staging) -> Result<(), StoreError> {
    let mut create = String::from(
        "create temporary table import_rows (line bigint not null, digest uuid not null, cleared bigint not null default 0",
    );
    for column in &staging.columns {
        create.extend([", ", &column.name, " ", &column.type_name]);
    }
    for name in key_columns(staging.entity) {
        if !staging.columns.iter().any(|column| column.name == *name) {
            let type_name = if *name == "company_id" { "uuid" } else { "text" };
            create.extend([", ", name, " ", type_name]);
        }
    }
    create.push_str(") on commit drop");
    let failed = || StoreError::on("prepare the import");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut *conn).await.map_err(failed())?;
    sqlx::raw_sql(include_str!("prepare.sql")).execute(conn).await.map_err(failed())?;
    Ok(())
}

/// What the matching reads, in the file or not.
const fn key_columns(entity: Entity) -> &'static [&'static str] {
    match entity {
        Entity::Company => &["company_name", "tin", "registration_number"],
        Entity::Employee => {
            &["company_tin", "company_registration_number", "company_id", "full_name", "work_email"]
        }
    }
}

/// The statement that takes rows: line, digest, the cleared bits if any, and the columns.
pub fn copy_rows(staging: &Staging) -> String {
    let mut columns = String::from("line, digest");
    if staging.clears {
        columns.push_str(", cleared");
    }
    for column in &staging.columns {
        columns.push_str(", ");
        columns.push_str(&column.name);
    }
    format!("copy pg_temp.import_rows ({columns}) from stdin")
}

/// The statement that takes refusals: line, column, reason.
pub const COPY_REJECTS: &str = "copy pg_temp.import_rejects (line, column_name, reason) from stdin";

/// Sends rows in COPY's text format.
pub async fn copy(conn: &mut PgConnection, statement: &str, rows: Vec<u8>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let failed = || StoreError::on("copy rows into the staging table");
    let mut copy = conn.copy_in_raw(statement).await.map_err(failed())?;
    copy.send(rows).await.map_err(failed())?;
    copy.finish().await.map_err(failed())?;
    Ok(())
}

/// Finds out what each staged row is; refuses those that cannot be told.
///
/// Waits for other imports of the same kind first, and keeps them waiting until the transaction ends.
pub async fn find(conn: &mut PgConnection, staging: &Staging) -> Result<(), StoreError> {
    let failed = || StoreError::on("match the rows with what is stored");
    sql::query("select pg_advisory_xact_lock($1, $2)")
        .bind(LOCK_CLASS)
        .bind(staging.entity as i32)
        .execute(&mut *conn)
        .await
        .map_err(StoreError::on("wait for another import"))?;
    let (matching, keys) = match staging.entity {
        Entity::Company => (include_str!("match_companies.sql"), include_str!("keys_companies.sql")),
        Entity::Employee => (include_str!("match_employees.sql"), include_str!("keys_employees.sql")),
    };
    let mut steps = vec![include_str!("repeats.sql").to_owned(), matching.to_owned()];
    steps.extend(refuse_kept(staging));
    steps.extend([keys.to_owned(), include_str!("walk.sql").to_owned()]);
    for text in steps {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *conn).await.map_err(failed())?;
    }
    Ok(())
}

/// How many lines were refused.
pub async fn count_rejects(conn: &mut PgConnection) -> Result<u64, StoreError> {
    let count: i64 = sql::query_scalar("select count(distinct line) from pg_temp.import_rejects")
        .fetch_one(conn)
        .await
        .map_err(StoreError::on("count the rejects"))?;
    Ok(count.unsigned_abs())
}

/// The next refused lines after a line, in order; empty at the end.
pub async fn rejects_after(
    conn: &mut PgConnection,
    line: i64,
    limit: i64,
) -> Result<Vec<Refusal>, StoreError> {
    sql::query_as(include_str!("rejects.sql"))
        .bind(line)
        .bind(limit)
        .fetch_all(conn)
        .await
        .map_err(StoreError::on("read the rejects"))
}

/// When the same file was imported with the same keys before, if it was.
pub async fn seen_before(
    conn: &mut PgConnection,
    delivery: &Delivery<'_>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    sql::query_scalar(
        "select max(finished_at) from outreach.imports
         where entity = $1 and file_digest = $2
           and session_key is not distinct from $3 and batch_id is not distinct from $4",
    )
    .bind(table(delivery.entity))
    .bind(delivery.file_digest)
    .bind(delivery.session_key)
    .bind(delivery.batch_id)
    .fetch_one(conn)
    .await
    .map_err(StoreError::on("look for earlier imports of this file"))
}

/// Keeps what an import did.
pub async fn record(
    conn: &mut PgConnection,
    delivery: &Delivery<'_>,
    merged: &Merged,
    unchanged: u64,
    rejected: u64,
) -> Result<(), StoreError> {
    sql::query(
        "insert into outreach.imports (id, entity, session_key, batch_id, file_name, file_digest,
             inserted, updated, unchanged, rejected, started_at, finished_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(Uuid::new_v4())
    .bind(table(delivery.entity))
    .bind(delivery.session_key)
    .bind(delivery.batch_id)
    .bind(delivery.file_name)
    .bind(delivery.file_digest)
    .bind(merged.inserted.cast_signed())
    .bind(merged.updated.cast_signed())
    .bind(unchanged.cast_signed())
    .bind(rejected.cast_signed())
    .bind(delivery.started_at)
    .bind(delivery.finished_at)
    .execute(conn)
    .await
    .map_err(StoreError::on("record the import"))?;
    Ok(())
}
