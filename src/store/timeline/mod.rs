//! One contact's pushes, mails, answers, stops and what people did, in one line of time. Reads only.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{Store, StoreError, sql};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct Moment {
    pub at: DateTime<Utc>,
    /// `push`, `mail`, `answer`, `event` or `stop`.
    pub what: String,
    pub campaign_number: Option<i32>,
    pub subject: String,
    pub detail: Option<String>,
}

/// The latest moments of a contact, newest first.
pub async fn of_contact(store: &Store, employee_id: Uuid, limit: i64) -> Result<Vec<Moment>, StoreError> {
    sql::query_as(include_str!("timeline.sql"))
        .bind(employee_id)
        .bind(limit)
        .fetch_all(store)
        .await
        .map_err(StoreError::on("read what happened to the contact"))
}
