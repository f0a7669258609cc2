//! Budgets of services that cost: what a day and a run may use, over all processes.
//!
//! Never spends by itself: each ledger takes from here in the statement that records a call.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::{Store, StoreError, sql};

/// Whose money it is, and how much of it may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purse<'a> {
    pub service: &'a str,
    pub run: Uuid,
    /// The day that calls count for.
    pub day: NaiveDate,
    pub per_day: Decimal,
}

/// Begins a run that may use up to `most`.
pub async fn begin(
    store: &Store,
    purse: &Purse<'_>,
    trigger: &str,
    most: Option<Decimal>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query(
        "with today as (
             insert into outreach.spending (service, day) values ($2, $3) on conflict do nothing
         )
         insert into outreach.spending_runs (id, service, trigger, most, started_at)
         values ($1, $2, $4, $5, $6)",
    )
    .bind(purse.run)
    .bind(purse.service)
    .bind(purse.day)
    .bind(trigger)
    .bind(most)
    .bind(now)
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("begin a run that pays"))
}

/// Ends a run.
pub async fn finish(
    store: &Store,
    run: Uuid,
    message: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Decimal, StoreError> {
    sql::query_scalar(
        "update outreach.spending_runs set finished_at = $2, message = $3 where id = $1 returning used",
    )
    .bind(run)
    .bind(now)
    .bind(message)
    .fetch_one(store)
    .await
    .map_err(StoreError::on("end a run that pays"))
}

/// What a day has cost so far.
pub async fn used(store: &Store, service: &str, day: NaiveDate) -> Result<Decimal, StoreError> {
    sql::query_scalar(
        "select coalesce((select used from outreach.spending where service = $1 and day = $2), 0)",
    )
    .bind(service)
    .bind(day)
    .fetch_one(store)
    .await
    .map_err(StoreError::on("ask what the day has cost"))
}

/// The latest run of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct LastRun {
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub message: Option<String>,
}

/// When the service was last used.
pub async fn last(store: &Store, service: &str) -> Result<Option<LastRun>, StoreError> {
    sql::query_as(
        "select started_at, finished_at, message from outreach.spending_runs
         where service = $1 order by started_at desc limit 1",
    )
    .bind(service)
    .fetch_optional(store)
    .await
    .map_err(StoreError::on("ask for the latest run that pays"))
}
