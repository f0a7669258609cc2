//! Taking over a campaign that was made at the provider by hand, in one transaction.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::model::Campaign;
use crate::store::events::{self, ByHand};
use crate::store::{Store, StoreError, sql};

/// Somebody who is in the campaign at the provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Adoptee {
    pub email: String,
    pub held: String,
    /// The enrollment's status.
    pub status: &'static str,
    pub fields: Value,
    pub since: Option<DateTime<Utc>>,
}

/// What became of whom, by address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fates {
    pub taken: Vec<String>,
    /// Enrolled in this campaign before.
    pub known: Vec<String>,
    /// In another campaign of ours, which has them.
    pub elsewhere: Vec<String>,
    /// No row of `employees` has this address.
    pub strangers: Vec<String>,
}

/// Which campaign is taken over, and what for.
#[derive(Debug, Clone, Copy)]
pub struct Adoption<'a> {
    pub campaign: &'a Campaign,
    pub remote_id: &'a str,
    /// Numbers of the campaigns that may share people with it, itself included.
    pub tolerated: &'a [i32],
    pub by: ByHand<'a>,
    /// Nothing is kept.
    pub dry_run: bool,
}

/// Takes the campaign and its people over.
pub async fn adopt(store: &Store, adoption: Adoption<'_>, people: &[Adoptee]) -> Result<Fates, StoreError> {
    let doing = "take over the campaign";
    let Adoption { campaign, remote_id, tolerated, by, dry_run } = adoption;
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    sql::query(
        "insert into outreach.remote_campaigns (campaign_number, provider, name, remote_id, asked_at, adopted)
         values ($1, $2, $3, $4, $5, true)
         on conflict (campaign_number) do update
             set provider = excluded.provider, name = excluded.name, remote_id = excluded.remote_id,
                 asked_at = excluded.asked_at, adopted = true, written = '{}', heard = '{}'
             where (remote_campaigns.provider, remote_campaigns.remote_id)
                 is distinct from (excluded.provider, excluded.remote_id)",
    )
    .bind(campaign.number)
    .bind(&campaign.provider)
    .bind(&campaign.name)
    .bind(remote_id)
    .bind(by.at)
    .execute(&mut *transaction)
    .await
    .map_err(StoreError::on(doing))?;
    let rows: Vec<(String, String)> = sql::query_as(include_str!("adopt.sql"))
        .bind(campaign.number)
        .bind(&campaign.provider)
        .bind(by.at)
        .bind(campaign.outreach_type.as_str())
        .bind(tolerated)
        .bind(Uuid::new_v4())
        .bind(people.iter().map(|person| person.email.as_str()).collect::<Vec<_>>())
        .bind(people.iter().map(|person| person.held.as_str()).collect::<Vec<_>>())
        .bind(people.iter().map(|person| person.status).collect::<Vec<_>>())
        .bind(people.iter().map(|person| person.fields.clone()).collect::<Vec<_>>())
        .bind(people.iter().map(|person| person.since).collect::<Vec<_>>())
        .fetch_all(&mut *transaction)
        .await
        .map_err(StoreError::on(doing))?;
    if !dry_run {
        let taken = rows.iter().filter(|(_, fate)| fate == "taken").count();
        let detail = json!({ "provider": campaign.provider, "remote": remote_id, "taken": taken });
        events::add(&mut transaction, "adopted", &format!("campaign:{}", campaign.number), by, detail)
            .await?;
        transaction.commit().await.map_err(StoreError::on(doing))?;
    }
    let mut fates = Fates::default();
    for (email, fate) in rows {
        match fate.as_str() {
            "taken" => fates.taken.push(email),
            "known" => fates.known.push(email),
            "elsewhere" => fates.elsewhere.push(email),
            _ => fates.strangers.push(email),
        }
    }
    Ok(fates)
}
