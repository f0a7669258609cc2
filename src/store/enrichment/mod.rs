//! The ledger of what is bought of contacts and companies: recorded under a lease and a budget, settled with its effects.
//!
//! Never calls a service, and keeps no transaction open for one.

mod jobs;
mod questions;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::spending::Purse;
use super::{Lease, Store, StoreError, sql};
use crate::model::{AddressStatus, EnrichStep};

pub use jobs::{Job, JobState, close_job, job_rows, job_running, open_jobs, put_off, take_over_jobs};
pub use questions::{Look, Open, Whom, count, next};

/// A question that may be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Asking {
    pub employee_id: Uuid,
    pub company_id: Option<Uuid>,
    pub question: String,
    pub asked: Value,
}

/// A question that is recorded and paid for in advance.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Call {
    pub employee_id: Uuid,
    pub ordinal: i32,
    pub company_id: Option<Uuid>,
    pub question: String,
    pub asked: Value,
    /// Its place in its job.
    pub row_index: Option<i32>,
}

/// Records questions, as many as the budget allows, each by itself or all as one job.
pub async fn claim(
    store: &Store,
    lease: &Lease,
    purse: &Purse<'_>,
    (step, price): (EnrichStep, Decimal),
    now: DateTime<Utc>,
    job: Option<Uuid>,
    questions: &[Asking],
) -> Result<Vec<Call>, StoreError> {
    sql::query_as(include_str!("claim.sql"))
        .bind(&lease.name)
        .bind(lease.token)
        .bind(step.as_str())
        .bind(price)
        .bind(purse.service)
        .bind(purse.day)
        .bind(purse.per_day)
        .bind(purse.run)
        .bind(now)
        .bind(job)
        .bind(questions.iter().map(|one| one.employee_id).collect::<Vec<_>>())
        .bind(questions.iter().map(|one| one.company_id).collect::<Vec<_>>())
        .bind(questions.iter().map(|one| one.question.as_str()).collect::<Vec<_>>())
        .bind(questions.iter().map(|one| &one.asked).collect::<Vec<_>>())
        .fetch_all(store)
        .await
        .map_err(StoreError::on("record what is about to be bought"))
}

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    Settled,
    /// It may or may not have been answered, and charged: its credits stay reserved.
    InDoubt,
    /// Surely never asked: nothing of it is kept.
    Released,
}

/// What follows from an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    None,
    /// What an address is known to be.
    Address {
        email: String,
        status: AddressStatus,
    },
    /// An address that was found, alive.
    Found {
        email: String,
        status: AddressStatus,
        overwrite: bool,
    },
    Company(Box<Facts>),
}

/// Facts of a company; what is not known is left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    pub company_id: Uuid,
    pub website: Option<String>,
    pub description: Option<String>,
    pub region: Option<String>,
    pub employees: Option<i32>,
    pub all: Value,
    pub overwrite: bool,
}

/// What became of one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub employee_id: Uuid,
    pub ordinal: i32,
    pub end: Settlement,
    /// Credits; `None` is what was reserved.
    pub charged: Option<Decimal>,
    /// One word: a status, `missed`, `failed`, `lost`.
    pub outcome: String,
    pub answer: Option<Value>,
    pub effect: Effect,
}

/// Settles calls with everything that follows from them, in one transaction; returns how many. Nothing once the
/// lease is lost.
pub async fn settle(
    store: &Store,
    lease: &Lease,
    step: EnrichStep,
    source: &str,
    now: DateTime<Utc>,
    outcomes: &[Outcome],
) -> Result<u64, StoreError> {
    let doing = "settle what was bought";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    let settled = settle_in(&mut transaction, lease, step, source, now, outcomes).await?;
    transaction.commit().await.map_err(StoreError::on(doing))?;
    Ok(settled)
}

async fn settle_in(
    connection: &mut PgConnection,
    lease: &Lease,
    step: EnrichStep,
    source: &str,
    now: DateTime<Utc>,
    outcomes: &[Outcome],
) -> Result<u64, StoreError> {
    let doing = "settle what was bought";
    let word = |end| match end {
        Settlement::Settled => "settled",
        Settlement::InDoubt => "in_doubt",
        Settlement::Released => "released",
    };
    let closed: Vec<(Uuid, i32, String)> = sql::query_as(include_str!("settle.sql"))
        .bind(&lease.name)
        .bind(lease.token)
        .bind(step.as_str())
        .bind(now)
        .bind(outcomes.iter().map(|one| one.employee_id).collect::<Vec<_>>())
        .bind(outcomes.iter().map(|one| one.ordinal).collect::<Vec<_>>())
        .bind(outcomes.iter().map(|one| word(one.end)).collect::<Vec<_>>())
        .bind(outcomes.iter().map(|one| one.charged).collect::<Vec<_>>())
        .bind(outcomes.iter().map(|one| one.outcome.as_str()).collect::<Vec<_>>())
        .bind(outcomes.iter().map(|one| one.answer.as_ref()).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await
        .map_err(StoreError::on(doing))?;
    let keys: std::collections::HashSet<(Uuid, i32)> =
        closed.iter().map(|(employee, ordinal, _)| (*employee, *ordinal)).collect();
    let mut known = Vec::new();
    let mut facts = Vec::new();
    for one in outcomes.iter().filter(|one| keys.contains(&(one.employee_id, one.ordinal))) {
        match &one.effect {
            Effect::None => {}
            Effect::Address { email, status } => {
                known.push(Verification::new(one.employee_id, email, *status, source, now));
            }
            Effect::Found { email, status, overwrite } => {
                if fill_address(connection, one.employee_id, email, *overwrite, source).await? {
                    known.push(Verification::new(one.employee_id, email, *status, source, now));
                }
            }
            Effect::Company(of) => facts.push(&**of),
        }
    }
    write_verifications(connection, &known).await?;
    if !facts.is_empty() {
        write_facts(connection, &facts, source, now).await?;
    }
    Ok(keys.len() as u64)
}

/// What an address is known to be, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, sqlx::FromRow)]
pub struct Verification {
    pub employee_id: Uuid,
    pub email: String,
    pub status: String,
    pub source: String,
    pub checked_at: DateTime<Utc>,
}

impl Verification {
    pub fn new(
        employee_id: Uuid,
        email: &str,
        status: AddressStatus,
        source: &str,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            employee_id,
            email: email.to_owned(),
            status: status.as_str().to_owned(),
            source: source.to_owned(),
            checked_at: at,
        }
    }
}

/// Writes down what was found out for free.
pub async fn verify(store: &Store, known: &[Verification]) -> Result<(), StoreError> {
    let doing = "write down what addresses are known to be";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    write_verifications(&mut transaction, known).await?;
    transaction.commit().await.map_err(StoreError::on(doing))
}

/// Passes what is known of an address on to every row that has it; returns to how many.
pub async fn share(store: &Store, fresh: DateTime<Utc>) -> Result<u64, StoreError> {
    let known: Vec<Verification> = sql::query_as(include_str!("share.sql"))
        .bind(fresh)
        .fetch_all(store)
        .await
        .map_err(StoreError::on("look for rows that share an address"))?;
    for part in known.chunks(1000) {
        verify(store, part).await?;
    }
    Ok(known.len() as u64)
}

async fn write_verifications(
    connection: &mut PgConnection,
    known: &[Verification],
) -> Result<(), StoreError> {
    if known.is_empty() {
        return Ok(());
    }
    let means = |status: &str| AddressStatus::parse(status).and_then(AddressStatus::processing_status);
    sql::query(include_str!("verify.sql"))
        .bind(known.iter().map(|one| one.employee_id).collect::<Vec<_>>())
        .bind(known.iter().map(|one| one.email.as_str()).collect::<Vec<_>>())
        .bind(known.iter().map(|one| one.status.as_str()).collect::<Vec<_>>())
        .bind(known.iter().map(|one| means(&one.status)).collect::<Vec<_>>())
        .bind(known.iter().map(|one| one.source.as_str()).collect::<Vec<_>>())
        .bind(known.iter().map(|one| one.checked_at).collect::<Vec<_>>())
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(StoreError::on("write down what addresses are known to be"))
}

/// An address that a person has entered meanwhile stays.
async fn fill_address(
    connection: &mut PgConnection,
    employee_id: Uuid,
    email: &str,
    overwrite: bool,
    source: &str,
) -> Result<bool, StoreError> {
    sql::query(
        "update public.employees e
         set work_email = $2, source_service = coalesce(nullif(btrim(e.source_service), ''), $4)
         where e.id = $1 and (
             coalesce(outreach.address(e.work_email), '') = ''
             or $3 and exists (
                 select from outreach.verifications v
                 where v.employee_id = e.id and v.email = outreach.address(e.work_email) and v.status = 'invalid'
             )
         )",
    )
    .bind(employee_id)
    .bind(email)
    .bind(overwrite)
    .bind(source)
    .execute(connection)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(StoreError::on("fill an address in"))
}

async fn write_facts(
    connection: &mut PgConnection,
    facts: &[&Facts],
    source: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query(include_str!("companies.sql"))
        .bind(facts.iter().map(|of| of.company_id).collect::<Vec<_>>())
        .bind(facts.iter().map(|of| of.website.as_deref()).collect::<Vec<_>>())
        .bind(facts.iter().map(|of| of.description.as_deref()).collect::<Vec<_>>())
        .bind(facts.iter().map(|of| of.region.as_deref()).collect::<Vec<_>>())
        .bind(facts.iter().map(|of| of.employees).collect::<Vec<_>>())
        .bind(facts.iter().map(|of| &of.all).collect::<Vec<_>>())
        .bind(source)
        .bind(now)
        .bind(facts.iter().any(|of| of.overwrite))
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(StoreError::on("fill facts of companies in"))
}

/// Single questions that a dead holder left asked: their answers are lost. Returns how many.
pub async fn doubt_left_over(store: &Store, lease: &Lease, service: &str) -> Result<u64, StoreError> {
    sql::query(
        "update outreach.enrichment_calls c set state = 'in_doubt', outcome = 'lost', token = $2
         from outreach.leases l
         where l.name = $1 and l.token = $2 and l.until > clock_timestamp()
           and c.service = $3 and c.settled_at is null and c.job_id is null and c.state = 'claimed'",
    )
    .bind(&lease.name)
    .bind(lease.token)
    .bind(service)
    .execute(store)
    .await
    .map(|done| done.rows_affected())
    .map_err(StoreError::on("look for answers that were lost"))
}

/// Takes lost answers for bought and gone, so that their questions may be asked again; returns how many.
/// `most`: only of questions that were lost at most so often before.
pub async fn give_up_lost(
    store: &Store,
    lease: &Lease,
    service: &str,
    most: Option<u32>,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    sql::query(
        "update outreach.enrichment_calls c
         set state = 'settled', outcome = 'lost', charged = c.price, settled_at = $4
         from outreach.leases l
         where l.name = $1 and l.token = $2 and l.until > clock_timestamp()
           and c.service = $3 and c.state = 'in_doubt'
           and ($5::bigint is null or (
               select count(*) from outreach.enrichment_calls o
               where o.step = c.step and o.question = c.question and o.outcome = 'lost' and o.settled_at is not null
           ) < $5)",
    )
    .bind(&lease.name)
    .bind(lease.token)
    .bind(service)
    .bind(now)
    .bind(most.map(i64::from))
    .execute(store)
    .await
    .map(|done| done.rows_affected())
    .map_err(StoreError::on("give up lost answers"))
}

/// What is known of the address that a contact has.
pub async fn known(store: &Store, employee_id: Uuid) -> Result<Option<Verification>, StoreError> {
    sql::query_as(
        "select v.employee_id, v.email, v.status, v.source, v.checked_at
         from outreach.verifications v
         join public.employees e on e.id = v.employee_id and outreach.address(e.work_email) = v.email
         where v.employee_id = $1",
    )
    .bind(employee_id)
    .fetch_optional(store)
    .await
    .map_err(StoreError::on("read what is known of the address"))
}

/// How many answers are lost and wait for a person.
pub async fn lost(store: &Store, service: &str) -> Result<i64, StoreError> {
    sql::query_scalar(
        "select count(*) from outreach.enrichment_calls where service = $1 and state = 'in_doubt'",
    )
    .bind(service)
    .fetch_one(store)
    .await
    .map_err(StoreError::on("count lost answers"))
}
