//! The conditions of campaigns, as daemons last saw them.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Store, StoreError, sql};
use crate::model::Condition;

/// A condition of a campaign, and since when it is so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, JsonSchema)]
pub struct Standing {
    pub campaign_number: i32,
    pub kind: String,
    pub holds: bool,
    pub reason: String,
    pub message: String,
    pub since: DateTime<Utc>,
    pub observed_digest: String,
}

/// Writes a campaign's conditions down. A row that says so already is not touched.
pub async fn write(
    store: &Store,
    number: i32,
    conditions: &[Condition],
    digest: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query(
        "insert into outreach.conditions as c (
             campaign_number, kind, holds, reason, message, since, observed_digest
         )
         select $1, n.kind, n.holds, n.reason, n.message, $7, $6
         from unnest($2::text[], $3::boolean[], $4::text[], $5::text[]) as n (kind, holds, reason, message)
         on conflict (campaign_number, kind) do update
             set holds = excluded.holds, reason = excluded.reason, message = excluded.message,
                 since = case when c.holds = excluded.holds then c.since else excluded.since end,
                 observed_digest = excluded.observed_digest
             where (c.holds, c.reason, c.message, c.observed_digest)
                 is distinct from (excluded.holds, excluded.reason, excluded.message, excluded.observed_digest)",
    )
    .bind(number)
    .bind(conditions.iter().map(|condition| condition.kind.as_str()).collect::<Vec<_>>())
    .bind(conditions.iter().map(|condition| condition.holds).collect::<Vec<_>>())
    .bind(conditions.iter().map(|condition| condition.reason.as_str()).collect::<Vec<_>>())
    .bind(conditions.iter().map(|condition| condition.message.as_str()).collect::<Vec<_>>())
    .bind(digest)
    .bind(now)
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("write the campaign's conditions down"))
}

/// The conditions of all campaigns.
pub async fn list(store: &Store) -> Result<Vec<Standing>, StoreError> {
    sql::query_as(
        "select campaign_number, kind, holds, reason, message, since, observed_digest
         from outreach.conditions
         order by campaign_number, array_position(array['ready', 'blocked', 'degraded', 'paused'], kind)",
    )
    .fetch_all(store)
    .await
    .map_err(StoreError::on("read the conditions"))
}
