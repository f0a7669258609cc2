//! Campaigns that a provider keeps: under which id, what was last written there, who is called what.

mod adopt;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Store, StoreError, sql};
use crate::model::RemotePlan;

pub use adopt::{Adoptee, Adoption, Fates, adopt};

/// A setting as it was last written: what was declared, and what the provider showed then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Written {
    pub declared: Value,
    pub observed: Value,
}

/// A campaign of ours at its provider.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteCampaign {
    pub provider: String,
    pub name: String,
    /// Absent as long as nobody knows whether it was created.
    pub remote_id: Option<String>,
    pub asked_at: DateTime<Utc>,
    pub written: BTreeMap<String, Written>,
    pub heard: BTreeMap<String, DateTime<Utc>>,
}

type Row = (
    String,
    String,
    Option<String>,
    DateTime<Utc>,
    Json<BTreeMap<String, Written>>,
    Json<BTreeMap<String, DateTime<Utc>>>,
);

/// What is known of the campaign at this provider.
pub async fn load(store: &Store, number: i32, provider: &str) -> Result<Option<RemoteCampaign>, StoreError> {
    let row: Option<Row> = sql::query_as(
        "select provider, name, remote_id, asked_at, written, heard from outreach.remote_campaigns
         where campaign_number = $1 and provider = $2",
    )
    .bind(number)
    .bind(provider)
    .fetch_optional(store)
    .await
    .map_err(StoreError::on("look for the campaign at its provider"))?;
    Ok(row.map(|(provider, name, remote_id, asked_at, Json(written), Json(heard))| RemoteCampaign {
        provider,
        name,
        remote_id,
        asked_at,
        written,
        heard,
    }))
}

/// How the campaign at its provider differed from what is declared, when a pass last looked.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Sighting {
    pub at: DateTime<Utc>,
    pub remote: RemotePlan,
}

/// What the last pass that looked has seen of the campaign that is there now.
pub async fn last_seen(store: &Store, number: i32) -> Result<Option<Sighting>, StoreError> {
    let row: Option<(DateTime<Utc>, Json<RemotePlan>)> = sql::query_as(
        "select p.started_at, p.remote
         from outreach.reconciles p
         join outreach.remote_campaigns r using (campaign_number)
         where p.campaign_number = $1 and p.remote ->> 'id' = r.remote_id
         order by p.started_at desc
         limit 1",
    )
    .bind(number)
    .fetch_optional(store)
    .await
    .map_err(StoreError::on("look what was last seen at the provider"))?;
    Ok(row.map(|(at, Json(remote))| Sighting { at, remote }))
}

/// Our number of the provider's campaign.
pub async fn number_of(store: &Store, provider: &str, remote_id: &str) -> Result<Option<i32>, StoreError> {
    sql::query_scalar(
        "select campaign_number from outreach.remote_campaigns where provider = $1 and remote_id = $2",
    )
    .bind(provider)
    .bind(remote_id)
    .fetch_optional(store)
    .await
    .map_err(StoreError::on("look for a campaign of the provider"))
}

/// Remembers that the campaign is about to be created under this name; committed before the provider is asked.
pub async fn intend(
    store: &Store,
    number: i32,
    provider: &str,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query(
        "insert into outreach.remote_campaigns (campaign_number, provider, name, asked_at)
         values ($1, $2, $3, $4)
         on conflict (campaign_number) do update
             set provider = excluded.provider, name = excluded.name, asked_at = excluded.asked_at,
                 remote_id = null, written = '{}', heard = '{}', adopted = false",
    )
    .bind(number)
    .bind(provider)
    .bind(name)
    .bind(now)
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("remember that the campaign is being created"))
}

/// Nothing was created: the provider refused.
pub async fn not_created(store: &Store, number: i32) -> Result<(), StoreError> {
    sql::query("delete from outreach.remote_campaigns where campaign_number = $1 and remote_id is null")
        .bind(number)
        .execute(store)
        .await
        .map(|_| ())
        .map_err(StoreError::on("forget a campaign that was not created"))
}

/// Remembers the id under which the provider has the campaign. Up to now it had nothing to tell.
pub async fn created(
    store: &Store,
    number: i32,
    remote_id: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    const FEEDS: [&str; 5] = ["unsubscribed", "bounced", "replied", "sent", "finished"];
    let heard: BTreeMap<String, DateTime<Utc>> = FEEDS
        .iter()
        .flat_map(|feed| [(*feed).to_owned(), format!("{feed}, whole")])
        .map(|feed| (feed, now))
        .collect();
    sql::query("update outreach.remote_campaigns set remote_id = $2, heard = $3 where campaign_number = $1")
        .bind(number)
        .bind(remote_id)
        .bind(Json(heard))
        .execute(store)
        .await
        .map(|_| ())
        .map_err(StoreError::on("remember the campaign's id at its provider"))
}

/// Remembers settings as they were written.
pub async fn wrote(
    store: &Store,
    number: i32,
    written: &BTreeMap<String, Written>,
) -> Result<(), StoreError> {
    if written.is_empty() {
        return Ok(());
    }
    sql::query("update outreach.remote_campaigns set written = written || $2 where campaign_number = $1")
        .bind(number)
        .bind(Json(written))
        .execute(store)
        .await
        .map(|_| ())
        .map_err(StoreError::on("remember what was written to the provider"))
}

/// Remembers how far a feed was read.
pub async fn heard(store: &Store, number: i32, feed: &str, until: DateTime<Utc>) -> Result<(), StoreError> {
    sql::query(
        "update outreach.remote_campaigns
         set heard = heard || jsonb_build_object($2::text, $3::timestamptz) where campaign_number = $1",
    )
    .bind(number)
    .bind(feed)
    .bind(until)
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("remember how far the provider was listened to"))
}

/// Remembers the provider's names for contacts.
pub async fn learn(store: &Store, number: i32, names: &[(Uuid, String)]) -> Result<(), StoreError> {
    if names.is_empty() {
        return Ok(());
    }
    let (people, held): (Vec<Uuid>, Vec<&str>) = names.iter().map(|(id, held)| (*id, held.as_str())).unzip();
    sql::query(
        "insert into outreach.remote_leads (employee_id, campaign_number, held)
         select distinct on (employee_id) employee_id, $1, held
         from unnest($2::uuid[], $3::text[]) as n (employee_id, held)
         on conflict (employee_id, campaign_number) do update set held = excluded.held",
    )
    .bind(number)
    .bind(people)
    .bind(held)
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("remember the provider's names for contacts"))
}

/// The provider's names for these contacts, as far as they are known and the provider has them under these
/// addresses.
pub async fn held(
    store: &Store,
    number: i32,
    people: &[(Uuid, &str)],
) -> Result<HashMap<Uuid, String>, StoreError> {
    let (ids, emails): (Vec<Uuid>, Vec<&str>) = people.iter().copied().unzip();
    let rows: Vec<(Uuid, String)> = sql::query_as(
        "select l.employee_id, l.held
         from unnest($2::uuid[], $3::text[]) as p (employee_id, email)
         join outreach.remote_leads l on l.employee_id = p.employee_id and l.campaign_number = $1
         join outreach.enrollments n on n.employee_id = p.employee_id and n.campaign_number = $1
         where n.email = p.email",
    )
    .bind(number)
    .bind(ids)
    .bind(emails)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("look up the provider's names for contacts"))?;
    Ok(rows.into_iter().collect())
}

/// Whether anybody is in the campaign.
pub async fn has_contacts(store: &Store, number: i32) -> Result<bool, StoreError> {
    sql::query_scalar("select exists (select from outreach.enrollments where campaign_number = $1 and live)")
        .bind(number)
        .fetch_one(store)
        .await
        .map_err(StoreError::on("look whether anybody is in the campaign"))
}

/// Suppressions that the provider was not told of, of people whom it has had from us and of their domains.
///
/// The others are remembered as none of its business, so that each is looked at once; except for the latest, whose
/// contact may be on its way there.
pub async fn stops_to_tell(
    store: &Store,
    provider: &str,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    sql::query_scalar(include_str!("stops_to_tell.sql"))
        .bind(provider)
        .bind(now)
        .bind(limit)
        .fetch_all(store)
        .await
        .map_err(StoreError::on("look for stops that the provider does not know"))
}

/// Remembers that the provider was told.
pub async fn stops_told(
    store: &Store,
    provider: &str,
    targets: &[String],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query(
        "insert into outreach.stops_told (provider, target, at)
         select $1, target, $3 from unnest($2::text[]) as t (target)
         on conflict do nothing",
    )
    .bind(provider)
    .bind(targets)
    .bind(now)
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("remember which stops the provider knows"))
}
