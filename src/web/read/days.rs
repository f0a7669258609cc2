//! What happened day by day, for charts. Days that are over are counted now and then, beside the pages; today is
//! counted for each.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use tokio::time::sleep;
use tracing::debug;

use crate::model::Clock as _;
use crate::store::engagement::{self, Day};
use crate::store::{Store, StoreError};
use crate::web::Shared;

/// Days of the charts, today included.
const DAYS: i64 = 30;
/// A day that is over changes when somebody of it answers.
const EVERY: Duration = Duration::from_mins(5);

/// Days before today, as they were counted last; of another day's midnight they are another month's.
#[derive(Debug, Default)]
pub(in crate::web) struct Past(Mutex<Option<(NaiveDate, Arc<Vec<Day>>)>>);

impl Past {
    fn known(&self, today: NaiveDate) -> Option<Arc<Vec<Day>>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(day, _)| *day == today).map(|(_, days)| Arc::clone(days))
    }

    async fn count(&self, store: &Store, now: DateTime<Utc>, zone: Tz) -> Result<Arc<Vec<Day>>, StoreError> {
        let days = engagement::daily(store, now - TimeDelta::days(DAYS), zone.name()).await?;
        let days = Arc::new(days);
        let today = now.with_timezone(&zone).date_naive();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((today, Arc::clone(&days)));
        Ok(days)
    }
}

/// The last 30 days of every campaign, in the project's time zone.
pub(super) async fn days(shared: &Shared, now: DateTime<Utc>, zone: Tz) -> Result<Vec<Day>, StoreError> {
    let today = now.with_timezone(&zone).date_naive();
    let past = match shared.past.known(today) {
        Some(past) => past,
        None => shared.past.count(&shared.store, now, zone).await?,
    };
    let midnight = today.and_time(NaiveTime::MIN).and_local_timezone(zone).earliest();
    let fresh = engagement::daily(&shared.store, midnight.map_or(now, |at| at.to_utc()), zone.name()).await?;
    let over = past.iter().filter(|day| day.day < today).cloned();
    Ok(over.chain(fresh.into_iter().filter(|day| day.day == today)).collect())
}

/// Counts the days that are over for ever, so that no page waits for it.
pub(in crate::web) async fn keep_counting(shared: &Shared) {
    loop {
        let zone = shared.files.declared().await.manifest.project.defaults.timezone;
        if let Err(error) = shared.past.count(&shared.store, shared.clock.now(), zone).await {
            debug!(%error, "the past days were not counted");
        }
        sleep(EVERY).await;
    }
}
