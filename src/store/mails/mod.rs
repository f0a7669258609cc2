//! Mails that we made: each stands here, with its Message-ID, before it is handed over.
//!
//! Never sends one, and keeps no text of one but its subject.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Lease, Store, StoreError, sql};
use crate::model::PushKey;

/// The mails that one contact has had from its present sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thread {
    /// As the first of them went out.
    pub subject: Option<String>,
    /// Oldest first.
    pub message_ids: Vec<String>,
    /// Hashes of what they said, where that is known.
    pub words: Vec<i64>,
}

/// What came before the push's mail.
pub async fn thread(store: &Store, key: PushKey) -> Result<Thread, StoreError> {
    let rows: Vec<(String, String, Option<i64>)> = sql::query_as(
        "with sequence as (
             select max(ordinal) as first from outreach.mails
             where employee_id = $1 and campaign_number = $2 and step = 1 and ordinal < $3 and sent_at is not null
         )
         select m.message_id, m.subject, m.words
         from outreach.mails m
         join sequence s on m.ordinal >= s.first
         where m.employee_id = $1 and m.campaign_number = $2 and m.ordinal < $3 and m.sent_at is not null
         order by m.ordinal",
    )
    .bind(key.employee_id)
    .bind(key.campaign)
    .bind(key.ordinal)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("look up the mails of a sequence"))?;
    Ok(Thread {
        subject: rows.first().map(|(_, subject, _)| subject.clone()),
        words: rows.iter().filter_map(|(_, _, words)| *words).collect(),
        message_ids: rows.into_iter().map(|(id, ..)| id).collect(),
    })
}

/// A mail that is about to be handed over.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    pub key: PushKey,
    pub step: u16,
    pub sender: &'a str,
    pub message_id: &'a str,
    pub subject: &'a str,
    pub email: &'a str,
    /// Hash of what it says, before anything is filled in.
    pub words: i64,
    /// When the sender may send the next one.
    pub next_send_at: DateTime<Utc>,
}

/// Writes the mail down; from here on it counts against the limits. False once the lease is lost.
pub async fn make(
    store: &Store,
    lease: &Lease,
    draft: &Draft<'_>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let made: Option<i16> = sql::query_scalar(include_str!("make.sql"))
        .bind(draft.key.employee_id)
        .bind(draft.key.campaign)
        .bind(draft.key.ordinal)
        .bind(draft.step as i16)
        .bind(draft.sender)
        .bind(draft.message_id)
        .bind(draft.subject)
        .bind(draft.email)
        .bind(now)
        .bind(draft.next_send_at)
        .bind(&lease.name)
        .bind(lease.token)
        .bind(draft.words)
        .fetch_optional(store)
        .await
        .map_err(StoreError::on("write a mail down"))?;
    Ok(made.is_some())
}

/// A mail as it was written down.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Made {
    pub employee_id: Uuid,
    pub ordinal: i32,
    pub step: i16,
    pub sender: String,
    pub message_id: String,
    pub subject: String,
}

/// The mails of some contacts of one campaign.
pub async fn made(store: &Store, campaign: i32, keys: &[PushKey]) -> Result<Vec<Made>, StoreError> {
    sql::query_as(
        "select m.employee_id, m.ordinal, m.step, m.sender, m.message_id, m.subject
         from unnest($2::uuid[], $3::integer[]) as k (employee_id, ordinal)
         join outreach.mails m
             on m.employee_id = k.employee_id and m.campaign_number = $1 and m.ordinal = k.ordinal",
    )
    .bind(campaign)
    .bind(keys.iter().map(|key| key.employee_id).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.ordinal).collect::<Vec<_>>())
    .fetch_all(store)
    .await
    .map_err(StoreError::on("look up mails"))
}
