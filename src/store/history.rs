//! The record of passes: one row for each reconcile that had something to say.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::pushes::Settled;
use super::{Store, StoreError, sql};
use crate::model::CampaignPlan;

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PassOutcome {
    Running,
    Done,
    Blocked,
    /// Something was put off, refused or is in doubt.
    Partial,
    Failed,
}

impl PassOutcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Blocked => "blocked",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// Identity and cause of a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    pub id: Uuid,
    pub campaign: String,
    pub number: i32,
    /// What made us look: `apply`, `files, tick` ...
    pub trigger: String,
    pub manifest_digest: String,
    /// The commit that the files are from.
    pub git_revision: Option<String>,
    pub started_at: DateTime<Utc>,
}

/// Writes the pass down as running, in the transaction that records its pushes.
pub async fn begin(
    connection: &mut PgConnection,
    pass: &Pass,
    plan: &CampaignPlan,
) -> Result<(), StoreError> {
    // Who begins holds the campaign's lease, so that nobody else can still be at work on it.
    sql::query(
        "update outreach.reconciles
         set outcome = 'failed', message = 'the process ended before the pass did', finished_at = $2
         where campaign_number = $1 and outcome = 'running'",
    )
    .bind(pass.number)
    .bind(pass.started_at)
    .execute(&mut *connection)
    .await
    .map_err(StoreError::on("close passes that nobody is at work on"))?;
    sql::query(
        "insert into outreach.reconciles (
             id, campaign_number, campaign, trigger, manifest_digest, plan_digest,
             enroll, update, withdraw, keep, started_at, git_revision, planned_at, remote
         ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, clock_timestamp(), $13)",
    )
    .bind(pass.id)
    .bind(pass.number)
    .bind(&pass.campaign)
    .bind(&pass.trigger)
    .bind(&pass.manifest_digest)
    .bind(&plan.digest)
    .bind(plan.enroll)
    .bind(plan.update)
    .bind(plan.withdraw)
    .bind(plan.keep)
    .bind(pass.started_at)
    .bind(&pass.git_revision)
    .bind(plan.remote.as_ref().map(Json))
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(StoreError::on("write the pass down"))
}

/// Writes down how the pass ended.
pub async fn finish(
    store: &Store,
    pass: &Pass,
    settled: Settled,
    outcome: PassOutcome,
    message: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query(
        "update outreach.reconciles
         set accepted = $2, refused = $3, retry = $4, in_doubt = $5, outcome = $6, message = $7, finished_at = $8
         where id = $1",
    )
    .bind(pass.id)
    .bind(settled.accepted)
    .bind(settled.refused)
    .bind(settled.retry)
    .bind(settled.in_doubt)
    .bind(outcome.as_str())
    .bind(message)
    .bind(now)
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("write down how the pass ended"))
}

/// Forgets passes of long ago that found nothing to do; those that did something are kept.
pub async fn forget_idle(store: &Store, before: DateTime<Utc>) -> Result<u64, StoreError> {
    sql::query(
        "delete from outreach.reconciles
         where started_at < $1 and outcome = 'done'
           and enroll + update + withdraw + accepted + refused + retry + in_doubt = 0",
    )
    .bind(before)
    .execute(store)
    .await
    .map(|done| done.rows_affected())
    .map_err(StoreError::on("forget old passes"))
}

/// One line of `history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, JsonSchema)]
pub struct Entry {
    pub id: Uuid,
    pub campaign: String,
    pub campaign_number: i32,
    pub trigger: String,
    pub plan_digest: Option<String>,
    pub manifest_digest: String,
    pub git_revision: Option<String>,
    pub enroll: i64,
    pub update: i64,
    pub withdraw: i64,
    pub keep: i64,
    pub accepted: i64,
    pub refused: i64,
    pub retry: i64,
    pub in_doubt: i64,
    pub outcome: String,
    pub message: Option<String>,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// The latest passes, newest first; of one campaign or of all.
pub async fn list(store: &Store, number: Option<i32>, limit: i64) -> Result<Vec<Entry>, StoreError> {
    sql::query_as(
        "select id, campaign, campaign_number, trigger, plan_digest, manifest_digest, git_revision, enroll, update, withdraw, keep,
             accepted, refused, retry, in_doubt, outcome, message, started_at, finished_at
         from outreach.reconciles
         where $1::integer is null or campaign_number = $1
         order by started_at desc, id
         limit $2",
    )
    .bind(number)
    .bind(limit)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("read the history"))
}
