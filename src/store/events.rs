//! The event log: what people did by hand.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Store, StoreError, sql};

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

/// One event of the log.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct Event {
    pub at: DateTime<Utc>,
    pub actor: String,
    pub kind: String,
    pub subject: String,
    pub detail: Value,
}

/// The latest events, newest first; of one subject or of all.
pub async fn list(store: &Store, subject: Option<&str>, limit: i64) -> Result<Vec<Event>, StoreError> {
    sql::query_as(
        "select at, actor, kind, subject, detail from outreach.events
         where $1::text is null or subject = $1
         order by at desc, id
         limit $2",
    )
    .bind(subject)
    .bind(limit)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("read the event log"))
}

/// Writes one event down by itself.
pub async fn note(
    store: &Store,
    kind: &str,
    subject: &str,
    by: ByHand<'_>,
    detail: Value,
) -> Result<(), StoreError> {
    let doing = "write the event log";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    add(&mut transaction, kind, subject, by, detail).await?;
    transaction.commit().await.map_err(StoreError::on(doing))
}
