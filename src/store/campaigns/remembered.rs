//! A campaign as the database remembers it: enough to settle its pushes when its file is gone.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::types::Json;

use crate::model::{
    Campaign, Colleagues, FieldRef, Limits, Membership, OnLeave, OutreachType, Safety, State, WriteBack,
};
use crate::store::{Store, StoreError, sql};

/// Remembers that the campaign is declared, under its present name and provider.
pub async fn remember(store: &Store, campaign: &Campaign, now: DateTime<Utc>) -> Result<(), StoreError> {
    let write_back: BTreeMap<String, &str> =
        campaign.write_back.iter().map(|write| (write.field.to_string(), write.value.as_str())).collect();
    let limits = json!({ "limits": campaign.limits, "timezone": campaign.timezone.name() });
    sql::query(
        "insert into outreach.campaigns as c
             (number, name, provider, declared_at, served_tick, outreach_type, write_back, limits, limits_since)
         values ($1, $2, $3, $4, $4, $5, $6, $7, '-infinity')
         on conflict (number) do update
             set name = excluded.name, provider = excluded.provider, declared_at = excluded.declared_at,
                 outreach_type = excluded.outreach_type, write_back = excluded.write_back,
                 limits = excluded.limits,
                 limits_since = case when c.limits = excluded.limits then c.limits_since else $4 end
             where (c.name, c.provider, c.outreach_type, c.write_back, c.limits) is distinct from
                 (excluded.name, excluded.provider, excluded.outreach_type, excluded.write_back, excluded.limits)",
    )
    .bind(campaign.number)
    .bind(&campaign.name)
    .bind(&campaign.provider)
    .bind(now)
    .bind(campaign.outreach_type.as_str())
    .bind(Json(write_back))
    .bind(limits)
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("remember the campaign"))
}

#[derive(sqlx::FromRow)]
struct Row {
    name: String,
    provider: String,
    outreach_type: String,
    write_back: Json<BTreeMap<String, String>>,
}

/// The campaign of this number as it was last declared. It takes nobody in; `None` when it was never applied.
pub async fn remembered(store: &Store, number: i32) -> Result<Option<Campaign>, StoreError> {
    let row: Option<Row> = sql::query_as(
        "select name, provider, outreach_type, coalesce(write_back, '{}') as write_back
         from outreach.campaigns where number = $1 and outreach_type is not null",
    )
    .bind(number)
    .fetch_optional(store)
    .await
    .map_err(StoreError::on("recall the campaign"))?;
    Ok(row.map(|row| campaign(number, row)))
}

fn campaign(number: i32, row: Row) -> Campaign {
    let Json(write_back) = row.write_back;
    Campaign {
        name: row.name,
        description: None,
        number,
        outreach_type: if row.outreach_type == OutreachType::Sales.as_str() {
            OutreachType::Sales
        } else {
            OutreachType::Marketing
        },
        segment: String::new(),
        provider: row.provider,
        state: State::Paused,
        membership: Membership::Enroll,
        on_leave: OnLeave::Keep,
        exit: None,
        priority: 0,
        overlap: false,
        holdout: 0,
        cooldown: None,
        verified: None,
        company_cap: None,
        schedule: None,
        timezone: chrono_tz::UTC,
        window: None,
        limits: Limits::default(),
        fields: BTreeMap::new(),
        sequence: Vec::new(),
        safety: Safety::default(),
        write_back: write_back
            .into_iter()
            .filter_map(|(field, value)| Some(WriteBack { field: FieldRef::parse(&field)?, value }))
            .collect(),
        colleagues: Colleagues::default(),
        remote: None,
        file: String::new(),
    }
}

/// A campaign as it was last looked at, and where its provider keeps it.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Live {
    pub name: String,
    pub provider: String,
    pub declared_at: DateTime<Utc>,
    pub remote_id: Option<String>,
    /// By setting: what was declared when it was last written, and what the provider then showed.
    pub written: Option<serde_json::Value>,
}

/// What is live of a campaign; `None` when it was never looked at.
pub async fn live(store: &Store, number: i32) -> Result<Option<Live>, StoreError> {
    sql::query_as(
        "select c.name, c.provider, c.declared_at, r.remote_id, r.written
         from outreach.campaigns c
         left join outreach.remote_campaigns r on r.campaign_number = c.number
         where c.number = $1",
    )
    .bind(number)
    .fetch_optional(store)
    .await
    .map_err(StoreError::on("read what is live of the campaign"))
}
