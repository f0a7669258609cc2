//! Mailboxes as daemons last found them: read to their end when, and why not since.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::store::{Store, StoreError, sql};

/// A mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Row {
    pub name: String,
    /// Every folder was read to its end then.
    pub read_at: Option<DateTime<Utc>>,
    /// Why it cannot be read.
    pub read_fault: Option<String>,
    /// Nothing is sent from it before.
    pub paused_until: Option<DateTime<Utc>>,
    pub paused_reason: Option<String>,
}

/// All mailboxes that were ever used.
pub async fn list(store: &Store) -> Result<Vec<Row>, StoreError> {
    sql::query_as(
        "select name, read_at, read_fault, paused_until, paused_reason from outreach.mailboxes order by name",
    )
    .fetch_all(store)
    .await
    .map_err(StoreError::on("look mailboxes up"))
}

/// Every folder was read to its end.
pub async fn read(store: &Store, name: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
    sql::query(
        "insert into outreach.mailboxes as m (name, read_at) values ($1, $2)
         on conflict (name) do update
             set read_at = greatest(m.read_at, excluded.read_at), read_fault = null",
    )
    .bind(name)
    .bind(at)
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("write down that a mailbox was read"))
}

/// It cannot be read.
pub async fn failed(store: &Store, name: &str, fault: &str) -> Result<(), StoreError> {
    sql::query(
        "insert into outreach.mailboxes as m (name, read_fault) values ($1, $2)
         on conflict (name) do update set read_fault = excluded.read_fault
             where m.read_fault is distinct from excluded.read_fault",
    )
    .bind(name)
    .bind(crate::model::printable(fault))
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("write down why a mailbox cannot be read"))
}

/// How many mails wait for a person's word.
pub async fn undecided(store: &Store) -> Result<i64, StoreError> {
    sql::query_scalar(concat!("select count(*) from outreach.replies where ", waits!()))
        .fetch_one(store)
        .await
        .map_err(StoreError::on("count the mails to decide"))
}
