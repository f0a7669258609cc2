//! What the database remembers of campaigns: their names, their first day, what was handed over today.

mod remembered;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Store, StoreError, sql};
use crate::model::{Campaign, Orphan};

pub use remembered::{Live, live, remember, remembered};

/// The figures that daily limits are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Handed {
    /// When the first contact was enrolled; the start of the ramp.
    pub first: Option<DateTime<Utc>>,
    /// Enrollments handed over since the day began, and those that may have been; mails where we send them.
    pub today: i64,
}

/// Reads the figures for one campaign.
pub async fn handed(
    connection: &mut PgConnection,
    number: i32,
    day_start: DateTime<Utc>,
    mails: bool,
) -> Result<Handed, StoreError> {
    sql::query_as(
        "select
             (select min(enrolled_at) from outreach.enrollments
              where campaign_number = $1 and status <> 'failed') as first,
             case when $3 then (
                 select count(*) from outreach.mails where campaign_number = $1 and handed_at >= $2
             ) else (
                 select count(*) from outreach.enrollments
                 where campaign_number = $1 and enrolled_at >= $2 and status <> 'failed'
             ) end
             + (select count(*) from outreach.pushes p
                where campaign_number = $1 and settled_at is null and action in ('enroll', 'send')
                  and (state <> 'recorded' or attempts > 0)
                  and not exists (
                      select from outreach.mails m
                      where m.employee_id = p.employee_id and m.campaign_number = p.campaign_number
                        and m.ordinal = p.ordinal and m.handed_at >= $2
                  )) as today",
    )
    .bind(number)
    .bind(day_start)
    .bind(mails)
    .fetch_one(connection)
    .await
    .map_err(StoreError::on("count what was handed over today"))
}

/// When the next mails of the campaign's contacts are due, to the hour: the mail before, when, how many.
pub async fn mails_due(
    connection: &mut PgConnection,
    number: i32,
) -> Result<Vec<(i16, DateTime<Utc>, i64)>, StoreError> {
    sql::query_as(
        "select step, date_trunc('hour', next_at) as at, count(*)
         from outreach.enrollments
         where campaign_number = $1 and live and next_at is not null and step is not null
         group by 1, 2
         order by 2, 1",
    )
    .bind(number)
    .fetch_all(connection)
    .await
    .map_err(StoreError::on("count the mails that are due"))
}

/// When each of the mailboxes sent its first mail; those that have sent none are left out.
pub async fn first_mails(
    connection: &mut PgConnection,
    senders: &[&str],
) -> Result<Vec<(String, DateTime<Utc>)>, StoreError> {
    sql::query_as(
        "select sender, min(handed_at) from outreach.mails
         where sender = any ($1) and handed_at is not null group by sender",
    )
    .bind(senders)
    .fetch_all(connection)
    .await
    .map_err(StoreError::on("look up the first mails"))
}

/// The provider that still holds contacts of the campaign, if it is not the one that is declared now.
pub async fn left_at(
    connection: &mut PgConnection,
    campaign: &Campaign,
) -> Result<Option<String>, StoreError> {
    sql::query_scalar(
        "select c.provider
         from outreach.campaigns c
         where c.number = $1 and c.provider <> $2
           and (
               exists (select from outreach.enrollments n where n.campaign_number = $1 and n.live)
               or exists (
                   select from outreach.pushes p
                   where p.campaign_number = $1 and p.settled_at is null
                     and (p.state <> 'recorded' or p.attempts > 0)
               )
           )",
    )
    .bind(campaign.number)
    .bind(&campaign.provider)
    .fetch_optional(connection)
    .await
    .map_err(StoreError::on("look who holds the campaign's contacts"))
}

/// Numbers and names of every campaign that was ever looked at.
pub async fn known(store: &Store) -> Result<Vec<(i32, String)>, StoreError> {
    sql::query_as("select number, name from outreach.campaigns order by number")
        .fetch_all(store)
        .await
        .map_err(StoreError::on("list the campaigns"))
}

/// Campaigns with live enrollments or open pushes that no file declares any more.
pub async fn orphans(connection: &mut PgConnection, declared: &[i32]) -> Result<Vec<Orphan>, StoreError> {
    let rows: Vec<(i32, String, i64, i64)> = sql::query_as(
        "select c.number, c.name, n.live, p.open
         from outreach.campaigns c
         cross join lateral (
             select count(*) as live from outreach.enrollments n
             where n.campaign_number = c.number and n.live
         ) n
         cross join lateral (
             select count(*) as open from outreach.pushes p
             where p.campaign_number = c.number and p.settled_at is null
               and (p.state <> 'recorded' or p.attempts > 0)
         ) p
         where c.number <> all ($1) and n.live + p.open > 0
         order by c.number",
    )
    .bind(declared)
    .fetch_all(connection)
    .await
    .map_err(StoreError::on("look for campaigns without a file"))?;
    let orphan = |(number, campaign, enrolled, open)| Orphan { campaign, number, enrolled, open };
    Ok(rows.into_iter().map(orphan).collect())
}

/// A figure that changes with every committed change of what plans are made from, and with some others.
///
/// The server's own counters: they cost a read of memory, count what anybody changes, and follow within
/// seconds. A restart of a crashed server sets them back, which is a change, too.
pub async fn changes(store: &Store) -> Result<i64, StoreError> {
    sql::query_scalar(include_str!("changes.sql"))
        .fetch_one(store)
        .await
        .map_err(StoreError::on("look whether anything has changed"))
}

/// What a whole look was made from.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub digest: &'a str,
    pub changes: i64,
    pub at: DateTime<Utc>,
    /// The tick that it served.
    pub tick: Option<DateTime<Utc>>,
    /// Whether people who were to be taken in still wait; `None` leaves it as it was.
    pub intake_open: Option<bool>,
}

/// Remembers that people are being taken in, so that whoever makes the next pass goes on with it.
pub async fn open_intake(store: &Store, number: i32) -> Result<(), StoreError> {
    sql::query("update outreach.campaigns set intake_open = true where number = $1 and not intake_open")
        .bind(number)
        .execute(store)
        .await
        .map(|_| ())
        .map_err(StoreError::on("begin to take people in"))
}

/// Remembers a whole look, so that no replica takes another one before something changes.
pub async fn seen(store: &Store, number: i32, seen: &Seen<'_>) -> Result<(), StoreError> {
    sql::query(
        "update outreach.campaigns
         set seen_digest = $2, seen_changes = $3, seen_at = $4, served_tick = greatest(served_tick, $5),
             intake_open = coalesce($6, intake_open)
         where number = $1",
    )
    .bind(number)
    .bind(seen.digest)
    .bind(seen.changes)
    .bind(seen.at)
    .bind(seen.tick)
    .bind(seen.intake_open)
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("remember what was looked at"))
}

/// What one cheap statement tells of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Glance {
    pub changes: i64,
    pub served_tick: Option<DateTime<Utc>>,
    /// People of a tick wait to be handed over.
    pub intake_open: bool,
    pub seen_digest: Option<String>,
    pub seen_changes: Option<i64>,
    pub seen_at: Option<DateTime<Utc>>,
    /// When the next push that was put off is due: an enrollment or a mail, anything else.
    pub enroll_due: Option<DateTime<Utc>>,
    pub other_due: Option<DateTime<Utc>>,
    /// When the next mail of somebody's sequence is due, where we send them.
    pub mail_due: Option<DateTime<Utc>>,
    /// A process died with pushes in hand.
    pub is_orphaned: bool,
    /// By hand, beside the files.
    pub is_paused: bool,
}

/// Looks at one campaign.
pub async fn glance(store: &Store, number: i32, now: DateTime<Utc>) -> Result<Glance, StoreError> {
    // One list of tables: a look that counted others than a pass would always find something new.
    sql::query_as(concat!(
        "with changed as (",
        include_str!("changes.sql"),
        "),\n",
        include_str!("glance.sql")
    ))
    .bind(number)
    .bind(now)
    .fetch_one(store)
    .await
    .map_err(StoreError::on("look whether the campaign needs a pass"))
}
