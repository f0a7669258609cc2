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

/// The days, as they were counted last, and the day on which that was: from this one on they are counted anew.
type Counted = (NaiveDate, Arc<Vec<Day>>);

#[derive(Debug, Default)]
pub(in crate::web) struct Past(Mutex<Option<Counted>>);

impl Past {
    fn known(&self) -> Option<Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn count(&self, store: &Store, now: DateTime<Utc>, zone: Tz) -> Result<Counted, StoreError> {
        let days = engagement::daily(store, now - TimeDelta::days(DAYS), zone.name()).await?;
        let counted = (now.with_timezone(&zone).date_naive(), Arc::new(days));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(counted.clone());
        Ok(counted)
    }
}

/// The last 30 days of every campaign, in the project's time zone.
pub(super) async fn days(shared: &Shared, now: DateTime<Utc>, zone: Tz) -> Result<Vec<Day>, StoreError> {
    let (counted_on, past) = match shared.past.known() {
        Some(counted) => counted,
        None => shared.past.count(&shared.store, now, zone).await?,
    };
    let midnight = counted_on.and_time(NaiveTime::MIN).and_local_timezone(zone).earliest();
    let fresh = engagement::daily(&shared.store, midnight.map_or(now, |at| at.to_utc()), zone.name()).await?;
    let over = past.iter().filter(|day| day.day < counted_on).cloned();
    Ok(over.chain(fresh.into_iter().filter(|day| day.day >= counted_on)).collect())
}

/// Counts the days that are over, so that no page waits for it.
pub(in crate::web) async fn count_days(shared: &Shared) {
    let zone = shared.files.declared().await.manifest.project.defaults.timezone;
    if let Err(error) = shared.past.count(&shared.store, shared.clock.now(), zone).await {
        debug!(%error, "the past days were not counted");
    }
}

/// For ever.
pub(in crate::web) async fn keep_counting(shared: &Shared) {
    loop {
        sleep(EVERY).await;
        count_days(shared).await;
    }
}
