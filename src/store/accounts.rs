//! Providers and mailboxes as the database knows them: how fast they may be called, what waits, how far behind
//! their news are. Reads only.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Store, StoreError, sql};

/// One provider account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct Account {
    pub provider: String,
    /// When a next call is within its rate.
    pub next_at: Option<DateTime<Utc>>,
    /// The provider itself said when to come back.
    pub paused_until: Option<DateTime<Utc>>,
    /// Pushes that are recorded or put off.
    pub waiting: i64,
    pub in_doubt: i64,
    /// When the oldest of those that wait was recorded.
    pub oldest: Option<DateTime<Utc>>,
    /// The feed that was read longest ago, of the campaigns that it keeps.
    pub heard_at: Option<DateTime<Utc>>,
}

/// Every account that anything is known of.
pub async fn list(store: &Store) -> Result<Vec<Account>, StoreError> {
    sql::query_as(
        "with open as (
             select provider, count(*) filter (where state in ('recorded', 'retry')) as waiting,
                 count(*) filter (where state in ('in_doubt', 'claimed')) as in_doubt,
                 min(recorded_at) filter (where state in ('recorded', 'retry')) as oldest
             from outreach.pushes where settled_at is null group by provider
         ),
         feeds as (
             select r.provider, min(f.value::timestamptz) as heard_at
             from outreach.remote_campaigns r
             cross join lateral jsonb_each_text(r.heard) f (feed, value)
             where r.remote_id is not null and f.feed not like '% whole'
             group by r.provider
         )
         select coalesce(o.provider, a.provider, f.provider) as provider, a.next_at, a.paused_until,
             coalesce(o.waiting, 0) as waiting, coalesce(o.in_doubt, 0) as in_doubt, o.oldest, f.heard_at
         from open o
         full join outreach.rates a on a.provider = o.provider
         full join feeds f on f.provider = coalesce(o.provider, a.provider)
         order by 1",
    )
    .fetch_all(store)
    .await
    .map_err(StoreError::on("look at the providers"))
}

/// One mailbox, as sending and reading know it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct MailboxState {
    pub name: String,
    pub next_send_at: Option<DateTime<Utc>>,
    pub paused_until: Option<DateTime<Utc>>,
    pub paused_reason: Option<String>,
    pub read_at: Option<DateTime<Utc>>,
    pub read_fault: Option<String>,
    /// Mails handed over since the day began.
    pub today: i64,
}

/// Every mailbox that anything is known of. `since`: when the day began.
pub async fn mailboxes(store: &Store, since: DateTime<Utc>) -> Result<Vec<MailboxState>, StoreError> {
    sql::query_as(
        "select coalesce(b.name, m.sender) as name, b.next_send_at, b.paused_until, b.paused_reason,
             b.read_at, b.read_fault, coalesce(m.today, 0) as today
         from outreach.mailboxes b
         full join (
             select sender, count(*) as today from outreach.mails where handed_at >= $1 group by sender
         ) m on m.sender = b.name
         order by 1",
    )
    .bind(since)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("look at the mailboxes"))
}
