//! Notices about conditions: claimed before they are sent, so that of all daemons one sends each, once.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Store, StoreError, sql};

/// One notice that is ours to send.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Notice {
    pub campaign_number: i32,
    pub kind: String,
    pub since: DateTime<Utc>,
    /// Else it has ceased to.
    pub holds: bool,
    pub reason: String,
    pub message: String,
}

/// How sending ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It arrived, or nobody knows: it is not sent again.
    Once,
    /// It surely did not: it is tried again later.
    NotYet,
}

/// Claims what a target has not been told yet: conditions that have held for a while, and the end of those it was
/// told of.
pub async fn claim(
    store: &Store,
    target: &str,
    after: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<Notice>, StoreError> {
    sql::query_as(include_str!("notices.sql"))
        .bind(target)
        .bind(now)
        .bind(now - after)
        .fetch_all(store)
        .await
        .map_err(StoreError::on("look what somebody is to be told"))
}

/// Writes down how it ended.
pub async fn settle(
    store: &Store,
    target: &str,
    notice: &Notice,
    sent: Sent,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let state = match sent {
        Sent::Once => "sent",
        Sent::NotYet => "failed",
    };
    sql::query(
        "update outreach.notices set state = $6, at = $7
         where campaign_number = $1 and kind = $2 and since = $3 and holds = $4 and target = $5",
    )
    .bind(notice.campaign_number)
    .bind(&notice.kind)
    .bind(notice.since)
    .bind(notice.holds)
    .bind(target)
    .bind(state)
    .bind(now)
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("write down that somebody was told"))
}
