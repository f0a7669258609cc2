//! What providers tell of contacts: sent, replied, bounced, unsubscribed, finished; taken in set by set.
//!
//! Saying the same twice changes nothing the second time.

mod link;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Store, StoreError, sql};

pub use link::{Followed, follow};

/// Something that a provider says of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saying {
    pub email: String,
    /// `sent`, `finished`, `replied`, `asked`, `bounced` or `unsubscribed`.
    pub kind: &'static str,
    pub at: Option<DateTime<Utc>>,
    pub step: Option<i32>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct TakenIn {
    /// Enrollments whose status moved.
    pub moved: i64,
    /// Rows of `employees` that were written.
    pub written: i64,
    /// New suppressions.
    pub stopped: i64,
    /// Addresses that no enrollment of the campaign has.
    pub strangers: i64,
}

impl std::ops::AddAssign for TakenIn {
    fn add_assign(&mut self, other: Self) {
        self.moved += other.moved;
        self.written += other.written;
        self.stopped += other.stopped;
        self.strangers += other.strangers;
    }
}

/// Who says it, and of which campaign.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    pub number: i32,
    pub provider: &'a str,
    /// Whether a reply ends the sequence there.
    pub stops_on_reply: bool,
    pub now: DateTime<Utc>,
}

/// Takes in what a provider says.
pub async fn take_in(store: &Store, source: Source<'_>, sayings: &[Saying]) -> Result<TakenIn, StoreError> {
    let doing = "take in what the provider says";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    let taken = write(&mut transaction, source, sayings).await?;
    transaction.commit().await.map_err(StoreError::on(doing))?;
    Ok(taken)
}

/// The same for a webhook, once; `None` when its key was taken before.
pub async fn take_in_once(
    store: &Store,
    source: Source<'_>,
    key: &str,
    sayings: &[Saying],
) -> Result<Option<TakenIn>, StoreError> {
    let doing = "take in a webhook";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    let new = sql::query(
        "insert into outreach.webhooks_taken (provider, key, at) values ($1, $2, $3) on conflict do nothing",
    )
    .bind(source.provider)
    .bind(key)
    .bind(source.now)
    .execute(&mut *transaction)
    .await
    .map_err(StoreError::on(doing))?
    .rows_affected()
        == 1;
    if !new {
        return Ok(None);
    }
    let taken = write(&mut transaction, source, sayings).await?;
    transaction.commit().await.map_err(StoreError::on(doing))?;
    Ok(Some(taken))
}

async fn write(
    connection: &mut PgConnection,
    source: Source<'_>,
    sayings: &[Saying],
) -> Result<TakenIn, StoreError> {
    if sayings.is_empty() {
        return Ok(TakenIn::default());
    }
    sql::query_as(include_str!("apply.sql"))
        .bind(source.number)
        .bind(source.provider)
        .bind(source.now)
        .bind(source.stops_on_reply)
        .bind(sayings.iter().map(|saying| saying.email.as_str()).collect::<Vec<_>>())
        .bind(sayings.iter().map(|saying| saying.kind).collect::<Vec<_>>())
        .bind(sayings.iter().map(|saying| saying.at).collect::<Vec<_>>())
        .bind(sayings.iter().map(|saying| saying.step).collect::<Vec<_>>())
        .fetch_one(connection)
        .await
        .map_err(StoreError::on("take in what the provider says"))
}

/// Forgets webhooks that are too old to be delivered again.
pub async fn forget_webhooks(store: &Store, before: DateTime<Utc>) -> Result<u64, StoreError> {
    sql::query("delete from outreach.webhooks_taken where at < $1")
        .bind(before)
        .execute(store)
        .await
        .map(|done| done.rows_affected())
        .map_err(StoreError::on("forget old webhooks"))
}
