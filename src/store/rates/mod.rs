//! How often a provider account is called: one budget for all campaigns and replicas.
//!
//! The generic cell rate algorithm in one row: it spreads calls over the minute and needs no clean-up. Goes by
//! the database's clock. Never sleeps: callers do, and before they claim anything.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Store, StoreError, sql};

/// Calls that may follow each other at once: a second's, at least one. More would go over a provider's own minute.
const BURST_SHARE: u32 = 60;

/// Reserves one call and returns how long to wait before it; `None` when that would be longer than `patience`,
/// and then nothing is reserved.
pub async fn take(
    store: &Store,
    provider: &str,
    per_minute: u32,
    patience: Duration,
) -> Result<Option<Duration>, StoreError> {
    let interval = 60.0 / f64::from(per_minute.max(1));
    let burst = f64::from((per_minute / BURST_SHARE).max(1) - 1) * interval;
    let wait: Option<f64> = sql::query_scalar(include_str!("take.sql"))
        .bind(provider)
        .bind(interval)
        .bind(burst)
        .bind(patience.as_secs_f64())
        .fetch_optional(store)
        .await
        .map_err(StoreError::on("keep to the provider's rate"))?;
    Ok(wait.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))))
}

/// Nobody calls the account before that instant: the provider said so.
pub async fn pause(store: &Store, provider: &str, until: DateTime<Utc>) -> Result<(), StoreError> {
    sql::query(
        "insert into outreach.rates as r (provider, next_at, paused_until) values ($1, clock_timestamp(), $2)
         on conflict (provider) do update
             set paused_until = greatest(r.paused_until, excluded.paused_until)",
    )
    .bind(provider)
    .bind(until)
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("remember when the provider wants to be called again"))
}
