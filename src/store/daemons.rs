//! Daemons that share the database, as long as they show signs of life.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Store, StoreError, sql};

/// One daemon, as it last reported.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow, JsonSchema)]
pub struct Daemon {
    pub id: Uuid,
    pub host: String,
    pub pid: i32,
    pub version: String,
    pub started_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    pub manifest_digest: String,
    pub git_revision: Option<String>,
    /// What is wrong in the files that it could not take.
    pub diagnostics: Value,
    /// Settings that only a restart applies.
    pub restart_for: Vec<String>,
}

/// Reports a sign of life, and forgets daemons that have given none for a day.
pub async fn report(store: &Store, daemon: &Daemon) -> Result<(), StoreError> {
    sql::query(
        "with gone as (
             delete from outreach.daemons where seen_at < $6 - interval '1 day' and id <> $1
         )
         insert into outreach.daemons (
             id, host, pid, version, started_at, seen_at, manifest_digest, git_revision, diagnostics, restart_for
         ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (id) do update
             set seen_at = excluded.seen_at, manifest_digest = excluded.manifest_digest,
                 git_revision = excluded.git_revision, diagnostics = excluded.diagnostics,
                 restart_for = excluded.restart_for",
    )
    .bind(daemon.id)
    .bind(&daemon.host)
    .bind(daemon.pid)
    .bind(&daemon.version)
    .bind(daemon.started_at)
    .bind(daemon.seen_at)
    .bind(&daemon.manifest_digest)
    .bind(&daemon.git_revision)
    .bind(&daemon.diagnostics)
    .bind(&daemon.restart_for)
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("report a sign of life"))
}

/// Takes a daemon that stops off the list.
pub async fn leave(store: &Store, id: Uuid) -> Result<(), StoreError> {
    sql::query("delete from outreach.daemons where id = $1")
        .bind(id)
        .execute(store)
        .await
        .map(|_| ())
        .map_err(StoreError::on("take this daemon off the list"))
}

/// Daemons that have shown a sign of life since, the oldest first.
pub async fn alive(store: &Store, since: DateTime<Utc>) -> Result<Vec<Daemon>, StoreError> {
    sql::query_as(
        "select id, host, pid, version, started_at, seen_at, manifest_digest, git_revision, diagnostics, restart_for
         from outreach.daemons
         where seen_at >= $1
         order by started_at, id",
    )
    .bind(since)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("list the daemons"))
}
