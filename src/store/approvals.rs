//! Blocked plans that a person has let through, each once and as it was looked at.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::events::{self, ByHand};
use super::{Store, StoreError, sql};

/// An approval that no pass has used yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct Approval {
    pub plan_digest: String,
    pub approved_by: String,
    pub at: DateTime<Utc>,
}

/// Lets the plan of that digest through once.
pub async fn add(store: &Store, number: i32, plan_digest: &str, by: ByHand<'_>) -> Result<(), StoreError> {
    let doing = "approve the plan";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    sql::query(
        "insert into outreach.approvals (campaign_number, plan_digest, approved_by, at)
         values ($1, $2, $3, $4)
         on conflict (campaign_number) do update
             set plan_digest = excluded.plan_digest, approved_by = excluded.approved_by, at = excluded.at",
    )
    .bind(number)
    .bind(plan_digest)
    .bind(by.actor)
    .bind(by.at)
    .execute(&mut *transaction)
    .await
    .map_err(StoreError::on(doing))?;
    let subject = format!("campaign:{number}");
    events::add(&mut transaction, "approved", &subject, by, json!({ "plan": plan_digest })).await?;
    transaction.commit().await.map_err(StoreError::on(doing))
}

/// The approval that stands for a campaign.
pub async fn standing(store: &Store, number: i32) -> Result<Option<Approval>, StoreError> {
    sql::query_as("select plan_digest, approved_by, at from outreach.approvals where campaign_number = $1")
        .bind(number)
        .fetch_optional(store)
        .await
        .map_err(StoreError::on("look for an approval"))
}

/// Uses the approval up. True when it was for this very plan; one for another plan is void.
pub async fn take(store: &Store, number: i32, plan_digest: &str) -> Result<bool, StoreError> {
    let taken: Option<String> =
        sql::query_scalar("delete from outreach.approvals where campaign_number = $1 returning plan_digest")
            .bind(number)
            .fetch_optional(store)
            .await
            .map_err(StoreError::on("use the approval"))?;
    Ok(taken.is_some_and(|digest| digest == plan_digest))
}
