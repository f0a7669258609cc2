//! Drafts: the ledger of calls that are paid for, the log in `ai_interactions`, and the texts with what people said.
//!
//! Never calls an endpoint, and keeps no transaction open for one.

mod review;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::spending::Purse;
use super::{Lease, Store, StoreError, sql};

pub use review::{Decision, DraftKey, Shown, decide, list};

/// What prompts are made from, and the key that links a run to its contact.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Inputs {
    pub employee_id: Uuid,
    pub session_key: String,
    pub employee: Value,
    pub company: Option<Value>,
}

/// The rows of these contacts.
pub async fn inputs(store: &Store, people: &[Uuid]) -> Result<Vec<Inputs>, StoreError> {
    sql::query_as(
        "select e.id as employee_id,
             coalesce(nullif(btrim(e.employee_session_key), ''), nullif(btrim(e.company_session_key), ''),
                 nullif(btrim(c.session_key), ''), 'employee:' || e.id) as session_key,
             jsonb_strip_nulls(to_jsonb(e)) as employee, jsonb_strip_nulls(to_jsonb(c)) as company
         from public.employees e
         left join public.companies c on c.id = e.company_id
         where e.id = any ($1) order by e.id",
    )
    .bind(people)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("read what prompts are made from"))
}

/// A call that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Asking {
    pub employee_id: Uuid,
    pub field: String,
    pub digest: String,
    pub interaction_id: Uuid,
    pub session_key: String,
    pub prompt: String,
    pub model: String,
}

/// Records calls, as many as the budget allows; returns the digests of those that may be made.
pub async fn claim(
    store: &Store,
    lease: &Lease,
    purse: &Purse<'_>,
    campaign: i32,
    now: DateTime<Utc>,
    calls: &[Asking],
) -> Result<Vec<String>, StoreError> {
    sql::query_scalar(include_str!("claim.sql"))
        .bind(&lease.name)
        .bind(lease.token)
        .bind(purse.service)
        .bind(purse.day)
        .bind(purse.per_day)
        .bind(purse.run)
        .bind(now)
        .bind(campaign)
        .bind(calls.iter().map(|call| call.employee_id).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.field.as_str()).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.digest.as_str()).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.interaction_id).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.session_key.as_str()).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.prompt.as_str()).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.model.as_str()).collect::<Vec<_>>())
        .fetch_all(store)
        .await
        .map_err(StoreError::on("record what is about to be drafted"))
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    Answered {
        response: String,
        confidence: Option<f64>,
    },
    /// It may or may not have been paid for: logged without a response.
    Lost,
    /// Surely not made.
    Released,
}

/// A draft as it is written down.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDraft {
    pub employee_id: Uuid,
    pub field: String,
    pub spec: String,
    pub digest: String,
    pub text: String,
    /// `drafted`, `approved` or `failed`.
    pub state: &'static str,
    pub problem: Option<String>,
    pub interaction_id: Uuid,
}

/// Settles calls with their log and the drafts that come of them, in one transaction. Nothing once the lease is lost.
pub async fn settle(
    store: &Store,
    lease: &Lease,
    campaign: i32,
    now: DateTime<Utc>,
    ends: &[(String, End)],
    drafts: &[NewDraft],
) -> Result<(), StoreError> {
    let doing = "settle what was drafted";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    let parts = |end: &End| match end {
        End::Answered { response, confidence } => {
            ("settled", "answered", Some(response.replace('\0', "")), *confidence)
        }
        End::Lost => ("in_doubt", "lost", None, None),
        End::Released => ("released", "released", None, None),
    };
    let rows: Vec<_> = ends.iter().map(|(digest, end)| (digest.as_str(), parts(end))).collect();
    let closed: Vec<String> = sql::query_scalar(include_str!("settle.sql"))
        .bind(&lease.name)
        .bind(lease.token)
        .bind(now)
        .bind(rows.iter().map(|(digest, _)| *digest).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, row)| row.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, row)| row.1).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, row)| row.2.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, row)| row.3).collect::<Vec<_>>())
        .fetch_all(&mut *transaction)
        .await
        .map_err(StoreError::on(doing))?;
    let ours: Vec<&NewDraft> = drafts.iter().filter(|draft| closed.contains(&draft.digest)).collect();
    write(&mut transaction, campaign, now, &ours).await?;
    transaction.commit().await.map_err(StoreError::on(doing))
}

/// Writes drafts that cost nothing, because their answer was there.
pub async fn put(
    store: &Store,
    campaign: i32,
    now: DateTime<Utc>,
    drafts: &[NewDraft],
) -> Result<(), StoreError> {
    let doing = "write drafts";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    write(&mut transaction, campaign, now, &drafts.iter().collect::<Vec<_>>()).await?;
    transaction.commit().await.map_err(StoreError::on(doing))
}

/// What is there under the same declaration stays: a person may have decided on it.
async fn write(
    connection: &mut PgConnection,
    campaign: i32,
    now: DateTime<Utc>,
    drafts: &[&NewDraft],
) -> Result<(), StoreError> {
    if drafts.is_empty() {
        return Ok(());
    }
    sql::query(
        "insert into outreach.drafts as d (
             employee_id, campaign_number, field, spec, digest, text, state, problem, interaction_id, drafted_at
         )
         select w.employee_id, $1, w.field, w.spec, w.digest, w.text, w.state, w.problem, w.interaction_id, $2
         from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::uuid[])
             as w (employee_id, field, spec, digest, text, state, problem, interaction_id)
         on conflict (employee_id, campaign_number, field) do update
         set spec = excluded.spec, digest = excluded.digest, text = excluded.text, state = excluded.state,
             problem = excluded.problem, interaction_id = excluded.interaction_id,
             drafted_at = excluded.drafted_at, decided_at = null, decided_by = null
         where d.spec <> excluded.spec",
    )
    .bind(campaign)
    .bind(now)
    .bind(drafts.iter().map(|draft| draft.employee_id).collect::<Vec<_>>())
    .bind(drafts.iter().map(|draft| draft.field.as_str()).collect::<Vec<_>>())
    .bind(drafts.iter().map(|draft| draft.spec.as_str()).collect::<Vec<_>>())
    .bind(drafts.iter().map(|draft| draft.digest.as_str()).collect::<Vec<_>>())
    .bind(drafts.iter().map(|draft| draft.text.replace('\0', "")).collect::<Vec<_>>())
    .bind(drafts.iter().map(|draft| draft.state).collect::<Vec<_>>())
    .bind(drafts.iter().map(|draft| draft.problem.as_deref()).collect::<Vec<_>>())
    .bind(drafts.iter().map(|draft| draft.interaction_id).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(StoreError::on("write drafts"))
}

/// Answers that were paid for before, by digest.
pub async fn answers(store: &Store, digests: &[String]) -> Result<Vec<(String, Uuid, String)>, StoreError> {
    sql::query_as(
        "select distinct on (c.digest) c.digest, c.interaction_id, i.response::text
         from outreach.draft_calls c
         join public.ai_interactions i on i.id = c.interaction_id
         where c.digest = any ($1) and c.outcome = 'answered' and i.response is not null
         order by c.digest, c.settled_at desc",
    )
    .bind(digests)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("look for answers that were paid for"))
}

/// Calls that a dead holder left open: their answers are lost, and logged as such. Returns how many.
pub async fn doubt_left_over(
    store: &Store,
    lease: &Lease,
    service: &str,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    sql::query(
        "with lost as (
             update outreach.draft_calls c set state = 'in_doubt', outcome = 'lost', token = $2
             from outreach.leases l
             where l.name = $1 and l.token = $2 and l.until > clock_timestamp()
               and c.service = $3 and c.settled_at is null and c.state = 'claimed'
             returning c.*
         )
         insert into public.ai_interactions (
             id, session_key, conversation_id, prompt, model_used, created_at, updated_at
         )
         select interaction_id, session_key, format('draft:%s:%s:%s', campaign_number, employee_id, field), prompt,
             model, claimed_at, $4
         from lost
         on conflict (id) do nothing",
    )
    .bind(&lease.name)
    .bind(lease.token)
    .bind(service)
    .bind(now)
    .execute(store)
    .await
    .map(|done| done.rows_affected())
    .map_err(StoreError::on("look for answers that were lost"))
}

/// Takes lost answers for paid and gone, so that their prompts may be sent again; returns how many.
/// `most`: only of prompts that were lost at most so often before.
pub async fn give_up_lost(
    store: &Store,
    lease: &Lease,
    service: &str,
    most: Option<u32>,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    sql::query(
        "update outreach.draft_calls c set state = 'settled', settled_at = $4
         from outreach.leases l
         where l.name = $1 and l.token = $2 and l.until > clock_timestamp()
           and c.service = $3 and c.state = 'in_doubt'
           and ($5::bigint is null or (
               select count(*) from outreach.draft_calls o
               where o.digest = c.digest and o.outcome = 'lost' and o.settled_at is not null
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

/// How many answers are lost and wait for a person.
pub async fn lost(store: &Store, service: &str) -> Result<i64, StoreError> {
    sql::query_scalar("select count(*) from outreach.draft_calls where service = $1 and state = 'in_doubt'")
        .bind(service)
        .fetch_one(store)
        .await
        .map_err(StoreError::on("count lost answers"))
}

/// Drafts that these contacts have: contact, field, and what was declared of it then.
pub async fn made(
    store: &Store,
    campaign: i32,
    people: &[Uuid],
) -> Result<Vec<(Uuid, String, String)>, StoreError> {
    sql::query_as(
        "select employee_id, field, spec from outreach.drafts
         where campaign_number = $1 and employee_id = any ($2)",
    )
    .bind(campaign)
    .bind(people)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("look for drafts"))
}

/// How many of these digests have a call that is open.
pub async fn open(store: &Store, digests: &[String]) -> Result<usize, StoreError> {
    let open: i64 = sql::query_scalar(
        "select count(*) from outreach.draft_calls where digest = any ($1) and settled_at is null",
    )
    .bind(digests)
    .fetch_one(store)
    .await
    .map_err(StoreError::on("look for calls that are open"))?;
    Ok(open as usize)
}
