//! What a provider answered, settled with enrollments and write-back.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{PgConnection, Row as _};

use super::companies;
use crate::model::{ActionKind, Campaign, PushKey, PushState, SequenceStep, printable};
use crate::store::diff::sequence_hash;
use crate::store::events::{self, ByHand};
use crate::store::{Lease, Store, StoreError, sql};

const SETTLE: &str = "settle pushes";

/// What became of one claimed push.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub key: PushKey,
    pub action: ActionKind,
    pub state: PushState,
    pub answer: Option<String>,
    pub not_before: Option<DateTime<Utc>>,
    /// The fields as they were handed over, when templates made some of them.
    pub rendered: Option<Value>,
    /// Whether the provider may hold it although nobody said so; `None` leaves what was known.
    pub doubted: Option<bool>,
    /// Whether it was an attempt at all; false gives the attempt back.
    pub counts: bool,
    /// The address is dead.
    pub bounced: bool,
}

/// How many pushes ended in which state, and how many rows of `employees` were written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    pub accepted: i64,
    pub refused: i64,
    pub retry: i64,
    pub in_doubt: i64,
    pub written: i64,
}

impl std::ops::AddAssign for Settled {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.retry += other.retry;
        self.in_doubt += other.in_doubt;
        self.written += other.written;
    }
}

impl Settled {
    /// Pushes that were settled or put off.
    pub const fn total(&self) -> i64 {
        self.accepted + self.refused + self.retry + self.in_doubt
    }
}

/// Seconds from each mail of the sequence to the next one.
fn waits(campaign: &Campaign) -> Vec<i64> {
    let wait = |step: &SequenceStep| step.wait.map_or(0, |wait| wait.approximate().as_secs() as i64);
    campaign.sequence.iter().skip(1).map(wait).collect()
}

/// Settles outcomes with enrollments and write-back in one transaction. Settles nothing once the lease is lost.
///
/// `mails` says whether each enrollment is a mail that we send ourselves.
pub async fn settle(
    store: &Store,
    campaign: &Campaign,
    lease: &Lease,
    now: DateTime<Utc>,
    outcomes: &[Outcome],
    mails: bool,
) -> Result<Settled, StoreError> {
    let mut transaction = store.begin_by_key().await.map_err(StoreError::on(SETTLE))?;
    let settled = settle_in(&mut transaction, campaign, lease, now, outcomes, mails).await?;
    transaction.commit().await.map_err(StoreError::on(SETTLE))?;
    Ok(settled)
}

/// Settles one push as a person says, and writes down who said so. False when it is not to be settled.
pub async fn resolve(
    store: &Store,
    campaign: &Campaign,
    lease: &Lease,
    outcome: Outcome,
    mails: bool,
    by: ByHand<'_>,
) -> Result<bool, StoreError> {
    let key = outcome.key;
    let detail = json!({ "push": key.to_string(), "arrived": outcome.state == PushState::Accepted });
    let mut transaction = store.begin_by_key().await.map_err(StoreError::on(SETTLE))?;
    let settled = settle_in(&mut transaction, campaign, lease, by.at, &[outcome], mails).await?;
    if settled.total() != 1 {
        return Ok(false);
    }
    let subject = format!("contact:{}", key.employee_id);
    events::add(&mut transaction, "resolved", &subject, by, detail).await?;
    transaction.commit().await.map_err(StoreError::on(SETTLE))?;
    Ok(true)
}

async fn settle_in(
    connection: &mut PgConnection,
    campaign: &Campaign,
    lease: &Lease,
    now: DateTime<Utc>,
    outcomes: &[Outcome],
    mails: bool,
) -> Result<Settled, StoreError> {
    let extra = |column: &str| {
        campaign
            .write_back
            .iter()
            .find(|write| write.field.to_string() == column)
            .map(|write| write.value.as_str())
    };
    let rows = sql::query(include_str!("settle.sql"))
        .bind(campaign.number)
        .bind(&lease.name)
        .bind(lease.token)
        .bind(now)
        .bind(outcomes.iter().map(|outcome| outcome.key.employee_id).collect::<Vec<_>>())
        .bind(outcomes.iter().map(|outcome| outcome.key.ordinal).collect::<Vec<_>>())
        .bind(outcomes.iter().map(|outcome| outcome.state.as_str()).collect::<Vec<_>>())
        .bind(outcomes.iter().map(|outcome| outcome.answer.as_deref().map(printable)).collect::<Vec<_>>())
        .bind(outcomes.iter().map(|outcome| outcome.not_before).collect::<Vec<_>>())
        .bind(outcomes.iter().map(|outcome| outcome.rendered.as_ref()).collect::<Vec<_>>())
        .bind(campaign.outreach_type.as_str())
        .bind(extra("employee.processing_status"))
        .bind(extra("employee.client_status"))
        .bind(outcomes.iter().map(|outcome| outcome.doubted).collect::<Vec<_>>())
        .bind(outcomes.iter().map(|outcome| outcome.counts).collect::<Vec<_>>())
        .bind(outcomes.iter().map(|outcome| outcome.bounced).collect::<Vec<_>>())
        .bind(mails)
        .bind(waits(campaign))
        .bind(sequence_hash(campaign))
        .fetch_all(&mut *connection)
        .await
        .map_err(StoreError::on(SETTLE))?;
    let mut settled = Settled::default();
    for row in rows {
        let mut read = || -> Result<(), sqlx::Error> {
            let n: i64 = row.try_get("n")?;
            match row.try_get("state")? {
                "accepted" => settled.accepted = n,
                "refused" => settled.refused = n,
                "retry" => settled.retry = n,
                _ => settled.in_doubt = n,
            }
            settled.written = row.try_get("written")?;
            Ok(())
        };
        read().map_err(StoreError::on(SETTLE))?;
    }
    companies::write(connection, campaign, now, outcomes).await.map_err(StoreError::on(SETTLE))?;
    Ok(settled)
}
