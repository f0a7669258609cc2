//! The account's requests, shared with all processes through the database.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use tokio::time::sleep;
use tracing::warn;

use crate::model::Clock;
use crate::provider::Pace;
use crate::store::{Store, rates};

pub(in crate::intake) struct SharedPace<'c> {
    pub(in crate::intake) store: &'c Store,
    pub(in crate::intake) clock: &'c dyn Clock,
    pub(in crate::intake) account: &'static str,
    pub(in crate::intake) per_minute: u32,
}

impl Pace for SharedPace<'_> {
    fn turn(&self, patience: Duration) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            match rates::take(self.store, self.account, self.per_minute, patience).await {
                Ok(Some(wait)) => {
                    sleep(wait).await;
                    true
                }
                Ok(None) => false,
                Err(error) => {
                    warn!(provider = self.account, %error, "could not ask for a turn");
                    false
                }
            }
        })
    }

    fn pause(&self, length: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let until = self.clock.now() + TimeDelta::from_std(length).unwrap_or(TimeDelta::hours(1));
            if let Err(error) = rates::pause(self.store, self.account, until).await {
                warn!(provider = self.account, %error, "could not remember a pause");
            }
        })
    }
}
