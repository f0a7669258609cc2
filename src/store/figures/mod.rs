//! Figures for metrics: a sample a row. Labels are numbers and codes, never names of people.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::{Store, StoreError, campaigns, sql};

/// One value with its labels.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Sample {
    pub name: String,
    pub labels: Json<BTreeMap<String, String>>,
    pub value: f64,
}

impl Sample {
    /// Without labels.
    pub fn plain(name: &str, value: f64) -> Self {
        Self { name: name.to_owned(), labels: Json(BTreeMap::new()), value }
    }

    pub fn of_campaign(name: &str, number: i32, value: f64) -> Self {
        let labels = BTreeMap::from([("campaign".to_owned(), number.to_string())]);
        Self { name: name.to_owned(), labels: Json(labels), value }
    }
}

/// Everything that the database knows by itself.
pub async fn all(store: &Store, now: DateTime<Utc>) -> Result<Vec<Sample>, StoreError> {
    sql::query_as(include_str!("figures.sql"))
        .bind(now)
        .fetch_all(store)
        .await
        .map_err(StoreError::on("read the metrics"))
}

/// What was handed over today, for what is left of a limit.
pub async fn handed(
    store: &Store,
    number: i32,
    day_start: DateTime<Utc>,
    mails: bool,
) -> Result<campaigns::Handed, StoreError> {
    let mut connection = store.begin().await.map_err(StoreError::on("count what was handed over today"))?;
    campaigns::handed(&mut connection, number, day_start, mails).await
}
