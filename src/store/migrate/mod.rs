//! Brings a database to what this version needs: the reference tables in `public`, ours in `outreach`.
//!
//! Forward only, in one transaction: it all happens or nothing does. Changes and drops nothing that was
//! there; what does not fit is refused with the whole list of differences.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use sqlx::migrate::{Migration, Migrator};
use sqlx::{FromRow, PgConnection};

use super::{Store, StoreError, sql};

/// The role that outreachd works as when it is not the owner: SQL for an operator to read and run.
pub const ROLE_SQL: &str = include_str!("role.sql");

/// SQLSTATE by which the reference migration says that what is there does not fit.
const MISFIT: &str = "OR001";

/// Serialises migrations of one database; held by the transaction, so it works behind a pooler.
const LOCK: &str = "select pg_advisory_xact_lock(hashtext('outreachd migrate'))";

/// What `run` did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Migrations applied now, by description, oldest first.
    pub applied: Vec<String>,
    /// What there is now that was not there before.
    pub added: Vec<Addition>,
    /// What the reference has and an existing table has not, and what a migration must leave to its owner.
    pub notes: Vec<String>,
}

/// One object that a migration added.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, FromRow)]
pub struct Addition {
    /// `table`, `column`, `index`, `constraint`, `trigger`, `policy`, `default` or `function`.
    pub kind: String,
    /// Its full name: `public.companies.tin`.
    pub name: String,
}

/// One respect in which an existing table does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Difference {
    /// `public.employees` or `public.employees.test_date`.
    pub object: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.object, self.problem)
    }
}

/// Why the database was left as it was.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(
        "the database has tables that outreachd cannot work with; nothing was changed:\n{}",
        .0.iter().map(|difference| format!("  {difference}")).collect::<Vec<_>>().join("\n")
    )]
    Misfit(Vec<Difference>),

    #[error(
        "the database was migrated by a newer outreachd (migration {0} is unknown here): update this one"
    )]
    Newer(i64),

    #[error("migration {0} was changed after this database had run it: restore the released file")]
    Altered(i64),

    #[error("could not migrate; nothing was changed")]
    Store(#[from] StoreError),
}

/// The migrations of this version.
pub fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.dangerous_set_table_name("outreach.migrations");
    migrator.create_schema("outreach");
    // Our own lock is of the transaction; the library's is of the session.
    migrator.set_locking(false);
    migrator
}

/// Applies what is missing. Safe to run at any time and by several processes at once; a database that is
/// current is only read, so the least privileged role may ask.
pub async fn run(store: &Store) -> Result<Report, MigrateError> {
    if is_current(store).await? {
        return Ok(Report::default());
    }
    let on = StoreError::on;
    let mut tx = store.begin().await.map_err(on("begin to migrate"))?;
    // Notices of the kind "already exists, skipping" are the normal case.
    sql::query("set local client_min_messages = warning")
        .execute(&mut *tx)
        .await
        .map_err(on("prepare the migration"))?;
    sql::query(LOCK).execute(&mut *tx).await.map_err(on("wait for another migration"))?;
    // Another process may have done it meanwhile.
    let pending = pending(&mut tx).await?;
    let before = inventory(&mut tx).await?;
    migrator().run_direct(None, &mut *tx, false).await.map_err(classify)?;
    let after = inventory(&mut tx).await?;
    let notes = sql::query_scalar(include_str!("notes.sql"))
        .fetch_all(&mut *tx)
        .await
        .map_err(on("compare with the reference"))?;
    tx.commit().await.map_err(on("commit the migration"))?;
    if pending.is_empty() {
        return Ok(Report::default());
    }
    Ok(Report { applied: pending, added: after.difference(&before).cloned().collect(), notes })
}

/// Whether the database has every migration of this version.
pub async fn is_current(store: &Store) -> Result<bool, MigrateError> {
    let mut tx = store.begin().await.map_err(StoreError::on("look at the migrations"))?;
    Ok(pending(&mut tx).await?.is_empty())
}

/// What is still to be applied, by description; fails on a history that is not ours.
async fn pending(connection: &mut PgConnection) -> Result<Vec<String>, MigrateError> {
    let on = StoreError::on;
    let exists: bool = sql::query_scalar("select to_regclass('outreach.migrations') is not null")
        .fetch_one(&mut *connection)
        .await
        .map_err(on("look for the list of migrations"))?;
    let applied: Vec<(i64, Vec<u8>)> = if exists {
        sql::query_as("select version, checksum from outreach.migrations order by version")
            .fetch_all(connection)
            .await
            .map_err(on("read the list of migrations"))?
    } else {
        Vec::new()
    };
    let mut known: BTreeMap<i64, Migration> =
        migrator().iter().map(|migration| (migration.version, migration.clone())).collect();
    for (version, checksum) in applied {
        match known.remove(&version) {
            None => return Err(MigrateError::Newer(version)),
            Some(migration) if *migration.checksum != *checksum => {
                return Err(MigrateError::Altered(version));
            }
            Some(_) => {}
        }
    }
    Ok(known.into_values().map(|migration| migration.description.into_owned()).collect())
}

async fn inventory(connection: &mut PgConnection) -> Result<BTreeSet<Addition>, StoreError> {
    let rows = sql::query_as::<Addition>(include_str!("inventory.sql")).fetch_all(connection).await;
    Ok(rows.map_err(StoreError::on("list what the database has"))?.into_iter().collect())
}

fn classify(error: sqlx::migrate::MigrateError) -> MigrateError {
    use sqlx::migrate::MigrateError as Fault;
    let on = StoreError::on;
    match error {
        Fault::Execute(source) | Fault::ExecuteMigration(source, _) => {
            misfit(&source).unwrap_or_else(|| on("apply a migration")(source).into())
        }
        other => on("apply the migrations")(sqlx::Error::Migrate(Box::new(other))).into(),
    }
}

fn misfit(error: &sqlx::Error) -> Option<MigrateError> {
    let sqlx::Error::Database(fault) = error else { return None };
    let fault = fault.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()?;
    if fault.code() != MISFIT {
        return None;
    }
    serde_json::from_str(fault.detail()?).ok().map(MigrateError::Misfit)
}
