//! Works out what pages have asked for and did not wait for, one thing after the other.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{forecast, plan, verdicts};
use crate::web::Shared;
use crate::web::outlook::About;

/// Open pages of a busy project ask all the time; the database is to have other things to do.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// For ever.
pub(in crate::web) async fn keep_making(shared: &Shared) {
    loop {
        let about = shared.outlooks.next().await;
        let started = Instant::now();
        let made = match about {
            About::Plan(number) => plan(shared, number, false).await.map(drop),
            About::Forecast(number) => forecast(shared, number).await.map(drop),
            About::Contact(id) => verdicts(shared, id).await.map(drop),
        };
        if let Err(fault) = made {
            fault.log();
        }
        sleep((started.elapsed() / 2).min(LONGEST_REST)).await;
    }
}
