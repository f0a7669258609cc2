//! The event log: what people did by hand.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{StoreError, sql};

/// Who does something by hand, and when.
#[derive(Debug, Clone, Copy)]
pub struct ByHand<'a> {
    pub actor: &'a str,
    pub at: DateTime<Utc>,
}

/// Writes one event down, in the transaction of what it tells.
pub async fn add(
    connection: &mut PgConnection,
    kind: &str,
    subject: &str,
    by: ByHand<'_>,
    detail: Value,
) -> Result<(), StoreError> {
    sql::query(
        "insert into outreach.events (id, at, actor, kind, subject, detail) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(Uuid::new_v4())
    .bind(by.at)
    .bind(by.actor)
    .bind(kind)
    .bind(subject)
    .bind(detail)
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(StoreError::on("write the event log"))
}
