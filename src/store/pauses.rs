//! Campaigns that a person has paused beside the files.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::events::{self, ByHand};
use super::{Store, StoreError, sql};

/// A standing pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, JsonSchema)]
pub struct Pause {
    pub campaign_number: i32,
    pub reason: String,
    pub paused_by: String,
    pub since: DateTime<Utc>,
    /// When it ends by itself.
    pub until: Option<DateTime<Utc>>,
}

/// Pauses that hold at an instant.
pub async fn holding(store: &Store, now: DateTime<Utc>) -> Result<Vec<Pause>, StoreError> {
    sql::query_as(
        "select campaign_number, reason, paused_by, since, until
         from outreach.pauses
         where until is null or until > $1
         order by campaign_number",
    )
    .bind(now)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("read the pauses"))
}

/// Pauses a campaign, or changes the reason and the end of its pause.
pub async fn begin(
    store: &Store,
    number: i32,
    reason: &str,
    until: Option<DateTime<Utc>>,
    by: ByHand<'_>,
) -> Result<(), StoreError> {
    let doing = "pause the campaign";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    sql::query(
        "insert into outreach.pauses as p (campaign_number, reason, paused_by, since, until)
         values ($1, $2, $3, $4, $5)
         on conflict (campaign_number) do update
             set reason = excluded.reason, paused_by = excluded.paused_by, until = excluded.until,
                 since = case when p.until <= excluded.since then excluded.since else p.since end",
    )
    .bind(number)
    .bind(reason)
    .bind(by.actor)
    .bind(by.at)
    .bind(until)
    .execute(&mut *transaction)
    .await
    .map_err(StoreError::on(doing))?;
    let detail = json!({ "reason": reason, "until": until });
    events::add(&mut transaction, "paused", &format!("campaign:{number}"), by, detail).await?;
    transaction.commit().await.map_err(StoreError::on(doing))
}

/// Ends a pause; false when the campaign is not paused.
pub async fn end(
    store: &Store,
    number: i32,
    reason: Option<&str>,
    by: ByHand<'_>,
) -> Result<bool, StoreError> {
    let doing = "resume the campaign";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    let ended: Option<bool> = sql::query_scalar(
        "delete from outreach.pauses where campaign_number = $1 returning until is null or until > $2",
    )
    .bind(number)
    .bind(by.at)
    .fetch_optional(&mut *transaction)
    .await
    .map_err(StoreError::on(doing))?;
    let ended = ended.unwrap_or(false);
    if ended {
        let detail = json!({ "reason": reason });
        events::add(&mut transaction, "resumed", &format!("campaign:{number}"), by, detail).await?;
    }
    transaction.commit().await.map_err(StoreError::on(doing))?;
    Ok(ended)
}
