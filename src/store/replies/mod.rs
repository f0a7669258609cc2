//! Mails that were read: written down once each, matched with what they answer, and brought to bear on their contacts.
//!
//! Mails, what they come to and the place in their folder are stored in one transaction. What a contact's flags and
//! enrollment become depends on which mails there are, not on their order. A person's word on a mail wins over every rule.

/// What waits for a person: rules that are not sure, and stops of somebody whom we cannot find among our contacts.
macro_rules! waits {
    () => {
        "(corrected_kind is null
          and (confidence = 'unsure' or employee_id is null and kind in ('unsubscribe', 'complaint')))"
    };
}

mod decide;
pub mod feed;
mod list;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::feedback::TakenIn;
use super::{Store, StoreError, sql};
use crate::model::{PushKey, printable};

pub use decide::{Reread, correct, release, reread};
pub use list::{Listed, Shown, Stored, list, page, show, stored, undecided};

/// Something in a mail that may name the one it answers. The earlier ones count first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// `return_path`, `unsubscribe_address`, `envelope_id`, `in_reply_to`, `references`, `returned`, `mark` or `address`.
    pub via: &'static str,
    pub names: Named,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Push(PushKey),
    /// A Message-ID without its brackets.
    Message(String),
    /// Normalised.
    Address(String),
}

/// A mail, read and judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// The same for the same mail in another folder.
    pub dedupe: String,
    /// Its own Message-ID: one of ours is no answer.
    pub message_id: Option<String>,
    pub received_at: DateTime<Utc>,
    pub raw: Vec<u8>,
    pub claims: Vec<Claim>,
    pub judged: Judged,
}

/// What the rules say of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub kind: &'static str,
    pub rule: String,
    pub evidence: String,
    pub is_sure: bool,
    pub status: Option<String>,
    pub hard: Option<bool>,
    /// An absence is over then.
    pub away_until: Option<DateTime<Utc>>,
    pub left_company: bool,
    /// Who stops by it beside the contact's own address: its sender, or who complained.
    pub from: Option<String>,
}

impl Judged {
    /// The addresses that are stopped if it is a stop. Of strangers those who say so themselves, and surely.
    pub fn stops(&self, kind: &str, email: Option<&str>) -> Vec<String> {
        let speaks = matches!(kind, "unsubscribe" | "complaint");
        let from = self.from.as_deref().filter(|_| speaks && (email.is_some() || self.is_sure));
        let mut stops: Vec<String> = email
            .into_iter()
            .chain(from)
            .filter(|address| address.contains('@'))
            .map(str::to_owned)
            .collect();
        stops.dedup();
        stops
    }
}

/// How far a folder was read.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Place {
    pub folder: String,
    pub uid_validity: i64,
    pub last_uid: i64,
}

/// What holds for all mails that are taken in.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    pub now: DateTime<Utc>,
    /// Campaigns in which colleagues of one who answers are left alone.
    pub sparing: Vec<i32>,
    /// So many soft bounces ...
    pub soft_bounces: u32,
    /// ... within so many seconds are a bounce.
    pub within: i64,
}

/// Where the folders of a mailbox were left.
pub async fn places(store: &Store, mailbox: &str) -> Result<Vec<Place>, StoreError> {
    sql::query_as("select folder, uid_validity, last_uid from outreach.mailbox_folders where mailbox = $1")
        .bind(mailbox)
        .fetch_all(store)
        .await
        .map_err(StoreError::on("look up how far a mailbox was read"))
}

/// Takes mails of one folder in: all of them, with the place behind them, or nothing.
pub async fn take_in(
    store: &Store,
    mailbox: &str,
    place: &Place,
    mails: &[Incoming],
    terms: &Terms,
) -> Result<TakenIn, StoreError> {
    let doing = "take in mails";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    // Replicas and folders may bring the same mails in different orders: one at a time, no deadlock, no half of a count.
    sql::query("select pg_advisory_xact_lock(hashtext('outreach.replies'))")
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::on(doing))?;
    let matches = find(&mut transaction, mailbox, mails, terms.now).await?;
    let new = insert(&mut transaction, mailbox, &place.folder, mails, &matches, terms.now).await?;
    let taken = bring_to_bear(&mut transaction, &new, terms).await?;
    sql::query(
        "insert into outreach.mailbox_folders (mailbox, folder, uid_validity, last_uid) values ($1, $2, $3, $4)
         on conflict (mailbox, folder) do update
             set uid_validity = excluded.uid_validity, last_uid = excluded.last_uid",
    )
    .bind(mailbox)
    .bind(&place.folder)
    .bind(place.uid_validity)
    .bind(place.last_uid)
    .execute(&mut *transaction)
    .await
    .map_err(StoreError::on(doing))?;
    transaction.commit().await.map_err(StoreError::on(doing))?;
    Ok(taken)
}

/// What a mail answers.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
struct Match {
    mail: i32,
    via: String,
    employee_id: Uuid,
    campaign_number: i32,
    ordinal: Option<i32>,
    email: String,
}

/// Before everything else a mail may turn out to be our own.
const OWN: &str = "own";

async fn find(
    connection: &mut PgConnection,
    mailbox: &str,
    mails: &[Incoming],
    now: DateTime<Utc>,
) -> Result<Vec<Match>, StoreError> {
    let (mut numbers, mut ranks, mut vias) = (Vec::new(), Vec::new(), Vec::new());
    let (mut employees, mut campaigns, mut ordinals) = (Vec::new(), Vec::new(), Vec::new());
    let mut words = Vec::new();
    for (number, mail) in mails.iter().enumerate() {
        let own = mail.message_id.iter().map(|id| Claim { via: OWN, names: Named::Message(id.clone()) });
        for (rank, claim) in own.chain(mail.claims.iter().cloned()).enumerate() {
            let (key, word) = match claim.names {
                Named::Push(key) => (Some(key), None),
                Named::Message(word) | Named::Address(word) => (None, Some(printable(&word))),
            };
            numbers.push(number as i32);
            ranks.push(rank as i32);
            vias.push(claim.via);
            employees.push(key.map(|key| key.employee_id));
            campaigns.push(key.map(|key| key.campaign));
            ordinals.push(key.map(|key| key.ordinal));
            words.push(word);
        }
    }
    sql::query_as(include_str!("match.sql"))
        .bind(mailbox)
        .bind(numbers)
        .bind(ranks)
        .bind(vias)
        .bind(employees)
        .bind(campaigns)
        .bind(ordinals)
        .bind(words)
        .bind(now)
        .fetch_all(connection)
        .await
        .map_err(StoreError::on("find what mails answer"))
}

async fn insert(
    connection: &mut PgConnection,
    mailbox: &str,
    folder: &str,
    mails: &[Incoming],
    matches: &[Match],
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, StoreError> {
    struct Row<'a> {
        mail: &'a Incoming,
        matched: Option<&'a Match>,
        kind: &'a str,
        rule: &'a str,
    }
    let rows: Vec<Row<'_>> = mails
        .iter()
        .enumerate()
        .map(|(number, mail)| {
            let matched = matches.iter().find(|found| found.mail == number as i32);
            match matched {
                Some(found) if found.via == OWN => Row { mail, matched: None, kind: "other", rule: OWN },
                // A mail to that address is what the address is for, whatever it says.
                Some(found) if found.via == "unsubscribe_address" => {
                    Row { mail, matched, kind: "unsubscribe", rule: "unsubscribe_address" }
                }
                _ => Row { mail, matched, kind: mail.judged.kind, rule: &mail.judged.rule },
            }
        })
        .collect();
    let email = |row: &Row<'_>| row.matched.map(|found| found.email.clone());
    let stops = |row: &Row<'_>| json!(row.mail.judged.stops(row.kind, email(row).as_deref()));
    // Of people who have nothing to do with us the words are not kept.
    let is_ours =
        |row: &Row<'_>| row.matched.is_some() || matches!(row.kind, "bounce" | "complaint" | "unsubscribe");
    let confidence = |row: &Row<'_>| {
        let sure = row.mail.judged.is_sure || row.kind != row.mail.judged.kind || row.matched.is_none();
        if sure { "sure" } else { "unsure" }
    };
    sql::query_scalar(include_str!("insert.sql"))
        .bind(mailbox)
        .bind(folder)
        .bind(now)
        .bind(rows.iter().map(|_| Uuid::new_v4()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| printable(&row.mail.dedupe)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.mail.received_at).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.kind).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.rule).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| printable(&row.mail.judged.evidence)).collect::<Vec<_>>())
        .bind(rows.iter().map(confidence).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.matched.map(|found| found.employee_id)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.matched.map(|found| found.campaign_number)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.matched.and_then(|found| found.ordinal)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.matched.map(|found| found.via.as_str())).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.mail.judged.status.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.mail.judged.hard).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.mail.judged.away_until).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| if is_ours(row) { &row.mail.raw[..] } else { &[] }).collect::<Vec<_>>())
        .bind(rows.iter().map(email).collect::<Vec<_>>())
        .bind(rows.iter().map(stops).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.mail.judged.left_company).collect::<Vec<_>>())
        .fetch_all(connection)
        .await
        .map_err(StoreError::on("write mails down"))
}

/// What replies mean, and what comes of it.
async fn bring_to_bear(
    connection: &mut PgConnection,
    ids: &[Uuid],
    terms: &Terms,
) -> Result<TakenIn, StoreError> {
    if ids.is_empty() {
        return Ok(TakenIn::default());
    }
    mean(connection, ids, terms).await?;
    raise(connection, ids, terms).await
}

async fn mean(connection: &mut PgConnection, ids: &[Uuid], terms: &Terms) -> Result<(), StoreError> {
    sql::query(include_str!("mean.sql"))
        .bind(ids)
        .bind(i64::from(terms.soft_bounces))
        .bind(terms.within as f64)
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(StoreError::on("say what mails mean"))
}

async fn raise(connection: &mut PgConnection, ids: &[Uuid], terms: &Terms) -> Result<TakenIn, StoreError> {
    sql::query_as(include_str!("raise.sql"))
        .bind(ids)
        .bind(terms.now)
        .bind(&terms.sparing)
        .fetch_one(connection)
        .await
        .map_err(StoreError::on("bring contacts to what mails mean"))
}

/// Brings mails to bear that came before the push that they answer was settled, now that it is.
pub async fn catch_up(store: &Store, campaign: i32, terms: &Terms) -> Result<TakenIn, StoreError> {
    let doing = "catch up with mails that came early";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    let ids: Vec<Uuid> = sql::query_scalar(
        "select r.id
         from outreach.replies r
         join outreach.pushes p using (employee_id, campaign_number, ordinal)
         where r.campaign_number = $1 and r.pending and p.settled_at is not null
         order by r.id
         for update of r",
    )
    .bind(campaign)
    .fetch_all(&mut *transaction)
    .await
    .map_err(StoreError::on(doing))?;
    if ids.is_empty() {
        return Ok(TakenIn::default());
    }
    let taken = raise(&mut transaction, &ids, terms).await?;
    transaction.commit().await.map_err(StoreError::on(doing))?;
    Ok(taken)
}

/// Which of these pushes were answered, and so evidently arrived: by an id of ours, not by an address alone.
pub async fn answered(store: &Store, keys: &[PushKey]) -> Result<Vec<PushKey>, StoreError> {
    let rows: Vec<(i32, Uuid, i32)> = sql::query_as(
        "select distinct r.campaign_number, r.employee_id, r.ordinal
         from unnest($1::uuid[], $2::integer[], $3::integer[]) as k (employee_id, campaign_number, ordinal)
         join outreach.replies r using (employee_id, campaign_number, ordinal)
         where r.matched_by <> 'address'",
    )
    .bind(keys.iter().map(|key| key.employee_id).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.campaign).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.ordinal).collect::<Vec<_>>())
    .fetch_all(store)
    .await
    .map_err(StoreError::on("look for answers to pushes in doubt"))?;
    Ok(rows
        .into_iter()
        .map(|(campaign, employee_id, ordinal)| PushKey { campaign, employee_id, ordinal })
        .collect())
}
