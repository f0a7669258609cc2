//! The account's calls, shared with all campaigns and processes through the database.
//!
//! Turns are reserved before pushes are claimed for them: between a claim and its call a stop could come in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::{Context, ReconcileError, held};
use crate::model::{Clock, Stop};
use crate::provider::Pace;
use crate::store::{Store, rates};

/// A minute holds at least one call of any rate; a longer wait is the provider's own word.
pub(super) const RATE_PATIENCE: Duration = Duration::from_secs(61);

#[derive(Clone)]
pub(super) struct Budget<'c> {
    store: &'c Store,
    clock: &'c dyn Clock,
    stop: &'c Stop,
    provider: String,
    per_minute: u32,
    /// Turns that have come and were not used yet.
    reserved: Arc<AtomicU32>,
}

impl<'c> Budget<'c> {
    pub(super) fn new(context: &Context<'c>, provider: &str, per_minute: u32) -> Self {
        Self {
            store: context.store,
            clock: context.clock,
            stop: context.stop,
            provider: provider.to_owned(),
            per_minute,
            reserved: Arc::default(),
        }
    }

    /// Waits for so many more turns, to be used at once when they have come.
    pub(super) async fn reserve(&self, calls: u32) -> Result<(), ReconcileError> {
        for _ in 0..calls {
            let turn = rates::take(self.store, &self.provider, self.per_minute, RATE_PATIENCE).await?;
            let wait = turn.ok_or_else(|| ReconcileError::RateSpent(self.provider.clone()))?;
            let end = Instant::now() + wait;
            while Instant::now() < end {
                if self.stop.is_asked() {
                    return Err(ReconcileError::Stopping);
                }
                sleep(held::POLL.min(end - Instant::now())).await;
            }
            self.reserved.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn use_reserved(&self) -> bool {
        self.reserved.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |turns| turns.checked_sub(1)).is_ok()
    }
}

impl Pace for Budget<'_> {
    fn turn(&self, patience: Duration) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            if self.use_reserved() {
                return true;
            }
            match rates::take(self.store, &self.provider, self.per_minute, patience).await {
                Ok(Some(wait)) => {
                    sleep(wait).await;
                    true
                }
                Ok(None) => false,
                Err(error) => {
                    warn!(provider = self.provider, error = %error, "could not ask for a turn");
                    false
                }
            }
        })
    }

    fn pause(&self, length: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let until = self.clock.now() + TimeDelta::from_std(length).unwrap_or(TimeDelta::hours(1));
            // What was reserved before it came is not to be used now.
            self.reserved.store(0, Ordering::SeqCst);
            if let Err(error) = rates::pause(self.store, &self.provider, until).await {
                warn!(provider = self.provider, error = %error, "could not remember a pause");
            }
        })
    }
}
