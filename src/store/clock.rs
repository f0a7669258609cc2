//! The database's clock, so that replicas agree on the time and a stepped clock of a machine changes nothing.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Store, StoreError, sql};
use crate::model::Clock;

/// The database's time at one instant, carried on by the machine's monotonic clock, which nobody sets.
#[derive(Debug)]
pub struct DatabaseClock {
    anchor: Mutex<(DateTime<Utc>, Instant)>,
}

impl DatabaseClock {
    /// Asks the database what time it is.
    pub async fn read(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { anchor: Mutex::new(ask(store).await?) })
    }

    /// Asks again: monotonic clocks drift, and stand still while a machine sleeps.
    pub async fn adjust(&self, store: &Store) -> Result<(), StoreError> {
        let anchor = ask(store).await?;
        *self.anchor.lock().unwrap_or_else(PoisonError::into_inner) = anchor;
        Ok(())
    }
}

/// Taken as of the answer: behind by its way here, never ahead.
async fn ask(store: &Store) -> Result<(DateTime<Utc>, Instant), StoreError> {
    let now = sql::query_scalar("select clock_timestamp()")
        .fetch_one(store)
        .await
        .map_err(StoreError::on("ask the database what time it is"))?;
    Ok((now, Instant::now()))
}

impl Clock for DatabaseClock {
    fn now(&self) -> DateTime<Utc> {
        let (then, at) = *self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        then + TimeDelta::from_std(at.elapsed()).unwrap_or_default()
    }
}
