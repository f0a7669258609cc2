//! The ledger of pushes: claimed under a lease, settled with enrollment and write-back.
//!
//! Never calls a provider and never keeps a transaction open for one.

mod companies;
mod settle;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::{Lease, Store, StoreError, sql};
use crate::model::{ActionKind, PushKey, WithdrawReason};

pub use settle::{Outcome, Settled, resolve, settle};

/// A push that this process may hand over, or must look up.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    pub key: PushKey,
    pub action: ActionKind,
    pub email: String,
    /// The fields that need no template.
    pub fields: Value,
    /// What templates read; absent when there is none.
    pub inputs: Option<Value>,
    /// How often it has been handed over, this time included.
    pub attempts: i16,
    /// Why it leaves, of a withdrawal.
    pub reason: Option<WithdrawReason>,
    /// The last mail of its sequence that was accepted; 0 before the first.
    pub step: u16,
    /// The mailbox that writes to the contact.
    pub sender: Option<String>,
}

impl Claimed {
    fn from_row(campaign: i32, row: &PgRow) -> Result<Self, sqlx::Error> {
        let action: &str = row.try_get("action")?;
        Ok(Self {
            key: PushKey {
                campaign,
                employee_id: row.try_get("employee_id")?,
                ordinal: row.try_get("ordinal")?,
            },
            action: ActionKind::parse(action)
                .ok_or_else(|| sqlx::Error::Decode(format!("unknown action `{action}`").into()))?,
            email: row.try_get("email")?,
            fields: row.try_get("fields")?,
            inputs: row.try_get("inputs")?,
            attempts: row.try_get("attempts")?,
            reason: WithdrawReason::parse(row.try_get("reason")?),
            step: row.try_get::<Option<i16>, _>("step")?.unwrap_or_default() as u16,
            sender: row.try_get("sender")?,
        })
    }
}

/// One provider call's worth of claimed pushes.
#[derive(Debug, Default)]
pub struct Batch {
    pub pushes: Vec<Claimed>,
    /// Pushes that a stop took back at the last moment.
    pub dropped: i64,
}

/// From here on the planner's guess of a table that it has no statistics of costs more than taking them.
pub const MANY: u64 = 10_000;

/// Takes statistics after many pushes were recorded: without them each claim would read and sort all that are
/// open. A role that may not is warned by the server, and waits for the server's own look.
pub async fn take_statistics(store: &Store) -> Result<(), StoreError> {
    sql::query("analyze outreach.pushes (campaign_number, state, place, not_before, settled_at)")
        .execute(store)
        .await
        .map(|_| ())
        .map_err(StoreError::on("take statistics of the pushes"))
}

/// What may go out now. Withdrawals always may, and a person's pause holds beside this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    pub enroll: bool,
    pub update: bool,
    /// The campaign is over: what has not gone out never will.
    pub over: bool,
}

impl Gate {
    fn actions(self) -> Vec<&'static str> {
        let open = [
            (self.enroll, ActionKind::Enroll),
            (self.enroll, ActionKind::Send),
            (self.update, ActionKind::Update),
            (true, ActionKind::Withdraw),
        ];
        open.iter().filter(|(open, _)| *open).map(|(_, action)| action.as_str()).collect()
    }
}

/// The mailboxes that mails may leave from.
#[derive(Debug, Clone, Copy)]
pub struct Senders<'a> {
    /// Those that may send now.
    pub free: &'a [String],
    /// All of the account.
    pub declared: &'a [String],
    /// Those that send no more and are still read: whoever was written to from one is written to from any.
    pub retired: &'a [String],
}

/// A statement with the one answer to what stops a push filled in: when it is claimed and when it is about to end, the
/// same is asked.
fn stopping(statement: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(statement.replace("{IS_STOPPED}", include_str!("is_stopped.sql")))
}

/// When something is claimed.
#[derive(Debug, Clone, Copy)]
pub struct At {
    pub now: DateTime<Utc>,
    /// What is put off until later than this is left alone.
    pub due_by: DateTime<Utc>,
}

/// Claims up to `size` due pushes. Empty when nothing is due or the lease is lost.
pub async fn claim(
    store: &Store,
    campaign: i32,
    lease: &Lease,
    gate: Gate,
    at: At,
    size: u32,
    senders: Option<Senders<'_>>,
) -> Result<Batch, StoreError> {
    let doing = "claim pushes";
    let mut transaction = store.begin_by_key().await.map_err(StoreError::on(doing))?;
    let rows = sql::query(stopping(include_str!("claim.sql")))
        .bind(campaign)
        .bind(&lease.name)
        .bind(lease.token)
        .bind(at.now)
        .bind(i64::from(size))
        .bind(gate.actions())
        .bind(gate.over)
        .bind(senders.map(|senders| senders.free))
        .bind(senders.map(|senders| senders.declared))
        .bind(senders.map(|senders| senders.retired))
        .bind(at.due_by)
        .fetch_all(&mut *transaction)
        .await
        .map_err(StoreError::on(doing))?;
    transaction.commit().await.map_err(StoreError::on(doing))?;
    let mut batch = Batch::default();
    for row in &rows {
        batch.dropped = row.try_get("dropped").map_err(StoreError::on(doing))?;
        let employee: Option<Uuid> = row.try_get("employee_id").map_err(StoreError::on(doing))?;
        if employee.is_some() {
            let push = Claimed::from_row(campaign, row).map_err(StoreError::on(doing))?;
            batch.pushes.push(push);
        }
    }
    Ok(batch)
}

/// Takes over pushes that may or may not have been done, in order of employee, after `after`.
pub async fn adopt(
    store: &Store,
    campaign: i32,
    lease: &Lease,
    after: Uuid,
    size: u32,
) -> Result<Vec<Claimed>, StoreError> {
    let doing = "take over pushes in doubt";
    let rows = sql::query(include_str!("adopt.sql"))
        .bind(campaign)
        .bind(&lease.name)
        .bind(lease.token)
        .bind(after)
        .bind(i64::from(size))
        .fetch_all(store)
        .await
        .map_err(StoreError::on(doing))?;
    let mut pushes = rows
        .iter()
        .map(|row| Claimed::from_row(campaign, row))
        .collect::<Result<Vec<_>, _>>()
        .map_err(StoreError::on(doing))?;
    pushes.sort_by_key(|push| push.key);
    Ok(pushes)
}

/// Forgets pushes that were recorded and never claimed: nothing left us, and a new plan knows better.
pub async fn forget_unclaimed(store: &Store, campaign: i32) -> Result<u64, StoreError> {
    sql::query(
        "delete from outreach.pushes
         where campaign_number = $1 and settled_at is null and state = 'recorded' and attempts = 0",
    )
    .bind(campaign)
    .execute(store)
    .await
    .map(|done| done.rows_affected())
    .map_err(StoreError::on("clear pushes of an earlier plan"))
}

/// Whether somebody who was to be taken in has never been handed over.
pub async fn any_entering(store: &Store, campaign: i32) -> Result<bool, StoreError> {
    sql::query_scalar(
        "select exists (
             select from outreach.pushes
             where campaign_number = $1 and settled_at is null and state = 'recorded' and attempts = 0
               and action = 'enroll'
         )",
    )
    .bind(campaign)
    .fetch_one(store)
    .await
    .map_err(StoreError::on("look for pushes"))
}

/// Whether a dead holder or a lost answer left pushes to look up.
pub async fn any_unsettled(store: &Store, campaign: i32) -> Result<bool, StoreError> {
    sql::query_scalar(
        "select exists (
             select from outreach.pushes
             where campaign_number = $1 and settled_at is null and state in ('claimed', 'in_doubt')
         )",
    )
    .bind(campaign)
    .fetch_one(store)
    .await
    .map_err(StoreError::on("look for pushes in doubt"))
}

/// Whether there is anything to hand over or to take back, now or later.
pub async fn any_waiting(store: &Store, campaign: i32) -> Result<bool, StoreError> {
    sql::query_scalar(
        "select exists (
             select from outreach.pushes
             where campaign_number = $1 and settled_at is null and state in ('recorded', 'retry')
         )",
    )
    .bind(campaign)
    .fetch_one(store)
    .await
    .map_err(StoreError::on("look for pushes"))
}

/// Pushes that are due now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DueCalls {
    pub enroll: u32,
    /// Withdrawals and updates.
    pub single: u32,
}

/// Counts what is due now, up to `most`.
pub async fn due_calls(
    store: &Store,
    campaign: i32,
    gate: Gate,
    now: DateTime<Utc>,
    most: i64,
) -> Result<DueCalls, StoreError> {
    let doing = "count due pushes";
    let mut transaction = store.begin_by_key().await.map_err(StoreError::on(doing))?;
    let counted: (i64, i64) = sql::query_as(
        "select count(*) filter (where action = 'enroll'), count(*) filter (where action <> 'enroll')
         from (
             (select action from outreach.pushes
              where campaign_number = $1 and settled_at is null and state in ('recorded', 'retry')
                and action = any ($2) and (not_before is null or not_before <= $3) and action = 'enroll'
              limit $4)
             union all
             (select action from outreach.pushes
              where campaign_number = $1 and settled_at is null and state in ('recorded', 'retry')
                and action = any ($2) and (not_before is null or not_before <= $3) and action <> 'enroll'
              limit $4)
         ) due",
    )
    .bind(campaign)
    .bind(gate.actions())
    .bind(now)
    .bind(most)
    .fetch_one(&mut *transaction)
    .await
    .map_err(StoreError::on(doing))?;
    Ok(DueCalls { enroll: counted.0 as u32, single: counted.1 as u32 })
}

/// When the next push that the gate lets out may be handed over; `None` when there is none.
pub async fn next_due(store: &Store, campaign: i32, gate: Gate) -> Result<Option<DateTime<Utc>>, StoreError> {
    sql::query_scalar(
        "select min(coalesce(not_before, recorded_at)) from outreach.pushes
         where campaign_number = $1 and settled_at is null and state in ('recorded', 'retry')
           and (action = any ($2) or $3)",
    )
    .bind(campaign)
    .bind(gate.actions())
    .bind(gate.over)
    .fetch_one(store)
    .await
    .map_err(StoreError::on("look for due pushes"))
}

/// Whether nothing has stopped a claimed mail since: it is not to end where this says no.
pub async fn may_go(store: &Store, key: PushKey, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let may_go: Option<bool> = sql::query_scalar(stopping(include_str!("may_go.sql")))
        .bind(key.employee_id)
        .bind(key.campaign)
        .bind(key.ordinal)
        .bind(now)
        .fetch_optional(store)
        .await
        .map_err(StoreError::on("ask whether a mail may still go"))?;
    Ok(may_go.unwrap_or(false))
}

/// Mails that are due wait until then: no mailbox may send them before.
pub async fn put_off_mails(
    store: &Store,
    campaign: i32,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<u64, StoreError> {
    sql::query(
        "update outreach.pushes set not_before = $3
         where campaign_number = $1 and settled_at is null and state in ('recorded', 'retry')
           and action in ('enroll', 'send') and (not_before is null or not_before <= $2)",
    )
    .bind(campaign)
    .bind(now)
    .bind(until)
    .execute(store)
    .await
    .map(|done| done.rows_affected())
    .map_err(StoreError::on("put mails off"))
}

/// Pushes that the provider has put off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct PutOff {
    pub pushes: i64,
    /// When the first of them may be handed over.
    pub until: Option<DateTime<Utc>>,
}

/// How many pushes the provider has put off, and until when.
pub async fn put_off(store: &Store, campaign: i32) -> Result<PutOff, StoreError> {
    sql::query_as(
        "select count(*) as pushes, min(not_before) as until from outreach.pushes
         where campaign_number = $1 and settled_at is null
           and (state = 'retry' or state = 'recorded' and not_before is not null)",
    )
    .bind(campaign)
    .fetch_one(store)
    .await
    .map_err(StoreError::on("count pushes that were put off"))
}
