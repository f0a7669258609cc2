//! What became of contacts, day by day, for charts. Reads only.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Store, StoreError, sql};

/// One day of one campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct Day {
    pub campaign_number: i32,
    pub day: NaiveDate,
    pub queued: i64,
    pub sent: i64,
    pub replied: i64,
    pub bounced: i64,
    pub unsubscribed: i64,
}

/// Days since an instant on which anything happened, of every campaign.
pub async fn daily(store: &Store, since: DateTime<Utc>, zone: &str) -> Result<Vec<Day>, StoreError> {
    sql::query_as(include_str!("daily.sql"))
        .bind(since)
        .bind(zone)
        .fetch_all(store)
        .await
        .map_err(StoreError::on("count what happened day by day"))
}

/// A figure that changes with whatever people look at; the server's own counters.
pub async fn changes(store: &Store) -> Result<i64, StoreError> {
    sql::query_scalar(
        "select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint
         from pg_stat_all_tables
         where schemaname = 'outreach' and relname not in ('daemons', 'leases', 'rates')
            or schemaname = 'public' and relname in ('employees', 'companies')",
    )
    .fetch_one(store)
    .await
    .map_err(StoreError::on("look whether anything has changed"))
}
