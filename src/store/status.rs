//! What is the case right now: campaigns, their last pass, pushes in doubt.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{Store, StoreError, sql};

/// One campaign as the database knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, sqlx::FromRow, JsonSchema)]
pub struct CampaignStatus {
    pub number: i32,
    pub enrolled: i64,
    pub replied: i64,
    pub bounced: i64,
    pub unsubscribed: i64,
    pub finished: i64,
    pub withdrawn: i64,
    pub failed: i64,
    /// Pushes that the provider put off.
    pub put_off: i64,
    pub in_doubt: i64,
    pub last_outcome: Option<String>,
    pub last_message: Option<String>,
    pub last_at: Option<DateTime<Utc>>,
}

/// Figures of the given campaigns.
pub async fn campaigns(store: &Store, numbers: &[i32]) -> Result<Vec<CampaignStatus>, StoreError> {
    sql::query_as(include_str!("status.sql"))
        .bind(numbers)
        .fetch_all(store)
        .await
        .map_err(StoreError::on("read the status"))
}

/// A push of which nobody knows whether it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, JsonSchema)]
pub struct InDoubt {
    pub employee_id: Uuid,
    pub campaign_number: i32,
    pub ordinal: i32,
    pub action: String,
    pub provider: String,
    pub state: String,
    pub handed_at: Option<DateTime<Utc>>,
    pub answer: Option<String>,
}

/// Pushes in doubt, oldest first. A claimed one is in doubt when nobody holds its provider's lease any more.
pub async fn in_doubt(store: &Store, limit: i64) -> Result<Vec<InDoubt>, StoreError> {
    sql::query_as(
        "select employee_id, campaign_number, ordinal, action, provider, state, handed_at, answer
         from outreach.pushes p
         where settled_at is null
           and (state = 'in_doubt'
                or state = 'claimed' and not exists (
                    select from outreach.leases
                    where name = 'provider:' || p.provider and until > clock_timestamp()))
         order by handed_at, employee_id
         limit $1",
    )
    .bind(limit)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("list the pushes in doubt"))
}

/// What waits for a person beside pushes and mails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Waiting {
    /// Drafts that nobody has decided on.
    pub drafts: i64,
    /// Answers that were paid for and lost, of enrichment and of drafting.
    pub lost_lookups: i64,
    pub lost_drafts: i64,
}

pub async fn waiting(store: &Store) -> Result<Waiting, StoreError> {
    sql::query_as(
        "select
             (select count(*) from outreach.drafts where state = 'drafted') as drafts,
             (select count(*) from outreach.enrichment_calls where state = 'in_doubt') as lost_lookups,
             (select count(*) from outreach.draft_calls where state = 'in_doubt') as lost_drafts",
    )
    .fetch_one(store)
    .await
    .map_err(StoreError::on("count what waits for a person"))
}
