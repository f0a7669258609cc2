//! Standing reasons never to write to an address or a domain.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::events::{self, ByHand};
use super::{Store, StoreError, sql};

/// One suppression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Suppression {
    /// `a@b.co`, or `@b.co` for a whole domain.
    pub target: String,
    pub reason: String,
    pub source: String,
    pub note: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// What the event log calls it: a domain is nobody's personal data, an address is.
fn subject(target: &str) -> String {
    match target.strip_prefix('@') {
        Some(domain) => format!("domain:{domain}"),
        None => "suppression".to_owned(),
    }
}

/// Adds a suppression; false when there is one already.
///
/// One that a reply flag made becomes this one, so that it stays when the flag is lifted.
pub async fn add(
    store: &Store,
    target: &str,
    reason: &str,
    note: Option<&str>,
    source: &str,
    by: ByHand<'_>,
) -> Result<bool, StoreError> {
    let doing = "add the suppression";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    let added = sql::query(
        "insert into outreach.suppressions as s (target, reason, source, note, created_at)
         values ($1, $2, $5, $3, $4)
         on conflict (target) do update
             set reason = excluded.reason, source = excluded.source, note = excluded.note
             where s.source = 'flag'",
    )
    .bind(target)
    .bind(reason)
    .bind(note)
    .bind(by.at)
    .bind(source)
    .execute(&mut *transaction)
    .await
    .map_err(StoreError::on(doing))?
    .rows_affected()
        == 1;
    if added {
        events::add(&mut transaction, "suppress", &subject(target), by, json!({ "reason": reason })).await?;
    }
    transaction.commit().await.map_err(StoreError::on(doing))?;
    Ok(added)
}

/// Takes a suppression back; false when there is none.
pub async fn remove(store: &Store, target: &str, by: ByHand<'_>) -> Result<bool, StoreError> {
    let doing = "remove the suppression";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    let removed = sql::query("delete from outreach.suppressions where target = $1")
        .bind(target)
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::on(doing))?
        .rows_affected()
        == 1;
    if removed {
        events::add(&mut transaction, "unsuppress", &subject(target), by, json!({})).await?;
    }
    transaction.commit().await.map_err(StoreError::on(doing))?;
    Ok(removed)
}

/// Contacts whose own reply flags keep the address suppressed whatever the list says.
pub async fn flagged(store: &Store, address: &str) -> Result<Vec<Uuid>, StoreError> {
    sql::query_scalar(
        "select id from public.employees
         where outreach.address(work_email) = $1 and (reply_unsubscribe or reply_bounce) order by id",
    )
    .bind(address)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("look for reply flags"))
}

/// Whether the address, or its whole domain, is never written to.
pub async fn holds(store: &Store, address: &str) -> Result<bool, StoreError> {
    sql::query_scalar(
        "select exists (
             select from outreach.suppressions where target in ($1, '@' || split_part($1, '@', 2)))",
    )
    .bind(address)
    .fetch_one(store)
    .await
    .map_err(StoreError::on("look for a suppression"))
}

/// All suppressions, newest first.
pub async fn list(store: &Store) -> Result<Vec<Suppression>, StoreError> {
    sql::query_as(
        "select target, reason, source, note, created_at from outreach.suppressions
         order by created_at desc, target",
    )
    .fetch_all(store)
    .await
    .map_err(StoreError::on("list the suppressions"))
}
