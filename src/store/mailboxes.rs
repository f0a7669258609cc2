//! How mailboxes stand: what they have sent today, when they may send again, whether their answers are read.
//!
//! Never decides whether one may send.

use chrono::{DateTime, Utc};

use serde_json::json;
use sqlx::PgExecutor;

use super::events::{self, ByHand};
use super::{Store, StoreError, sql};

/// One mailbox, as far as the database knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Standing {
    pub name: String,
    /// When its first mail was handed over; the start of the ramp.
    pub first: Option<DateTime<Utc>>,
    /// Mails handed over since its day began, and those that may have been.
    pub today: i64,
    pub next_send_at: Option<DateTime<Utc>>,
    pub paused_until: Option<DateTime<Utc>>,
    pub paused_reason: Option<String>,
    /// Every folder was read to its end at this time.
    pub read_at: Option<DateTime<Utc>>,
    pub read_fault: Option<String>,
}

/// How each of the mailboxes stands, in their order; days begin at `day_starts`.
pub async fn standing(
    on: impl PgExecutor<'_>,
    names: &[&str],
    day_starts: &[DateTime<Utc>],
) -> Result<Vec<Standing>, StoreError> {
    sql::query_as(
        "select
             d.name,
             (select min(handed_at) from outreach.mails where sender = d.name and handed_at is not null) as first,
             (select count(*) from outreach.mails where sender = d.name and handed_at >= d.day_start) as today,
             b.next_send_at, b.paused_until, b.paused_reason, b.read_at, b.read_fault
         from unnest($1::text[], $2::timestamptz[]) with ordinality as d (name, day_start, place)
         left join outreach.mailboxes b using (name)
         order by d.place",
    )
    .bind(names)
    .bind(day_starts)
    .fetch_all(on)
    .await
    .map_err(StoreError::on("look how the mailboxes stand"))
}

/// The mailbox sends nothing before that instant.
pub async fn pause(store: &Store, name: &str, until: DateTime<Utc>, reason: &str) -> Result<(), StoreError> {
    sql::query(
        "insert into outreach.mailboxes as b (name, paused_until, paused_reason) values ($1, $2, $3)
         on conflict (name) do update
             set paused_until = greatest(b.paused_until, excluded.paused_until),
                 paused_reason = excluded.paused_reason",
    )
    .bind(name)
    .bind(until)
    .bind(reason)
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("pause a mailbox"))
}

/// The mailbox may send again; false when it was not paused.
pub async fn resume(
    store: &Store,
    name: &str,
    reason: Option<&str>,
    by: ByHand<'_>,
) -> Result<bool, StoreError> {
    let doing = "resume a mailbox";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    let was: Option<(DateTime<Utc>, Option<String>)> = sql::query_as(
        "update outreach.mailboxes m set paused_until = null, paused_reason = null
         from outreach.mailboxes o
         where m.name = $1 and o.name = m.name and o.paused_until > $2
         returning o.paused_until, o.paused_reason",
    )
    .bind(name)
    .bind(by.at)
    .fetch_optional(&mut *transaction)
    .await
    .map_err(StoreError::on(doing))?;
    let Some((until, paused_for)) = was else { return Ok(false) };
    let detail = json!({ "reason": reason, "until": until, "paused_for": paused_for });
    events::add(&mut transaction, "resumed", &format!("mailbox:{name}"), by, detail).await?;
    transaction.commit().await.map_err(StoreError::on(doing))?;
    Ok(true)
}
