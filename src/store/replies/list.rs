//! Mails that were read, for people and for new rules.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::reply;
use crate::store::{Store, StoreError, sql};

/// One mail in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct Listed {
    pub id: Uuid,
    pub received_at: DateTime<Utc>,
    pub mailbox: String,
    /// What it counts as: what a person says, or else what the rules say.
    pub kind: String,
    pub rule: String,
    pub evidence: String,
    pub confidence: String,
    pub corrected_by: Option<String>,
    pub employee_id: Option<Uuid>,
    pub campaign_number: Option<i32>,
    pub email: Option<String>,
    pub matched_by: Option<String>,
    /// Who wrote it, or who complains; in a list only of mails that answer nobody of ours.
    #[sqlx(skip)]
    pub from: Option<String>,
}

/// One in a list, with the top of the mail where its sender is wanted.
#[derive(sqlx::FromRow)]
struct Headed {
    #[sqlx(flatten)]
    listed: Listed,
    head: Option<Vec<u8>>,
}

fn from(raw: &[u8]) -> Option<String> {
    let reading = reply::read(raw);
    reading.complainant.or(reading.sender)
}

/// One mail with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Shown {
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub listed: Listed,
    pub folder: String,
    pub read_at: DateTime<Utc>,
    pub ordinal: Option<i32>,
    pub status: Option<String>,
    pub hard: Option<bool>,
    pub away_until: Option<DateTime<Utc>>,
    pub left_company: bool,
    /// What it means for the contact.
    pub meaning: Option<String>,
    pub flags_set: Vec<String>,
    pub said_by_rules: String,
    #[serde(skip)]
    pub raw: Vec<u8>,
}

/// A mail as it is kept, to be read again.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Stored {
    pub id: Uuid,
    pub mailbox: String,
    pub received_at: DateTime<Utc>,
    pub kind: String,
    pub rule: String,
    pub confidence: String,
    pub status: Option<String>,
    pub hard: Option<bool>,
    pub left_company: bool,
    pub away_until: Option<DateTime<Utc>>,
    pub employee_id: Option<Uuid>,
    pub email: Option<String>,
    pub raw: Vec<u8>,
}

/// The latest mails that answer contacts of ours; only those that a person should look at where `undecided`.
pub async fn list(store: &Store, undecided: bool, limit: i64) -> Result<Vec<Listed>, StoreError> {
    let rows: Vec<Headed> = sql::query_as(concat!(
        "select id, received_at, mailbox, coalesce(corrected_kind, kind) as kind, rule, evidence, confidence,
             corrected_by, employee_id, campaign_number, email, matched_by,
             case when employee_id is null then substring(raw for 65536) end as head
         from outreach.replies
         where case when $1 then ",
        waits!(),
        "
               else employee_id is not null or meaning is not null or corrected_kind is not null end
         order by received_at desc, id
         limit $2",
    ))
    .bind(undecided)
    .bind(limit)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("list the mails that were read"))?;
    let named = |Headed { listed, head }| Listed { from: head.and_then(|head| from(&head)), ..listed };
    Ok(rows.into_iter().map(named).collect())
}

/// Mails that wait for a person's word, newest first, each as it is kept.
pub async fn undecided(store: &Store, limit: i64) -> Result<Vec<(Listed, Vec<u8>)>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(flatten)]
        listed: Listed,
        raw: Vec<u8>,
    }
    let rows: Vec<Row> = sql::query_as(concat!(
        "select id, received_at, mailbox, kind, rule, evidence, confidence, corrected_by, employee_id,
             campaign_number, email, matched_by, raw
         from outreach.replies
         where ",
        waits!(),
        "
         order by received_at desc, id
         limit $1",
    ))
    .bind(limit)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("list the mails that wait for a person"))?;
    let named = |Row { listed, raw }| (Listed { from: from(&raw), ..listed }, raw);
    Ok(rows.into_iter().map(named).collect())
}

/// One mail by its id or by the beginning of it; the first two where the beginning is that of several.
pub async fn show(store: &Store, id: &str) -> Result<Vec<Shown>, StoreError> {
    let mut found: Vec<Shown> = sql::query_as(
        "select id, received_at, mailbox, coalesce(corrected_kind, kind) as kind, rule, evidence, confidence,
             corrected_by, employee_id, campaign_number, email, matched_by, folder, read_at, ordinal, status, hard,
             away_until, left_company, meaning, flags_set, kind as said_by_rules, raw
         from outreach.replies
         where starts_with(id::text, lower($1))
         order by id
         limit 2",
    )
    .bind(id)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("look a mail up"))?;
    for one in &mut found {
        one.listed.from = from(&one.raw);
    }
    Ok(found)
}

/// One mail as it is kept.
pub async fn stored(store: &Store, id: Uuid) -> Result<Option<Stored>, StoreError> {
    sql::query_as(
        "select id, mailbox, received_at, kind, rule, confidence, status, hard, left_company, away_until, employee_id,
             email, raw
         from outreach.replies
         where id = $1",
    )
    .bind(id)
    .fetch_optional(store)
    .await
    .map_err(StoreError::on("look a mail up"))
}

/// Mails that rules may read again, in order of id, after one: kept whole, and not corrected by a person.
pub async fn page(store: &Store, after: Uuid, size: i64) -> Result<Vec<Stored>, StoreError> {
    sql::query_as(
        "select id, mailbox, received_at, kind, rule, confidence, status, hard, left_company, away_until, employee_id,
             email, raw
         from outreach.replies
         where id > $1 and corrected_kind is null and raw <> ''
           and rule not in ('unsubscribe_address', 'own')
         order by id
         limit $2",
    )
    .bind(after)
    .bind(size)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("look mails up"))
}
