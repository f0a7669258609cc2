//! Keeping to a provider account's request limit, which others share: the budget itself is kept elsewhere.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep_until};

/// A budget of calls to one provider account.
pub trait Pace: Send + Sync {
    /// Waits for the turn of one call. False when it would take longer than `patience`; nothing is reserved then.
    fn turn(&self, patience: Duration) -> BoxFuture<'_, bool>;

    /// Nobody calls for so long: the provider said so.
    fn pause(&self, length: Duration) -> BoxFuture<'_, ()>;
}

/// No budget; pauses that the provider asks for are kept by this process alone.
#[derive(Debug, Default)]
pub struct Unpaced(Mutex<Option<Instant>>);

impl Unpaced {
    fn paused_until(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pace for Unpaced {
    fn turn(&self, patience: Duration) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            match self.paused_until() {
                Some(until) if until > Instant::now() + patience => false,
                Some(until) => {
                    sleep_until(until).await;
                    true
                }
                None => true,
            }
        })
    }

    fn pause(&self, length: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let until = Instant::now() + length;
            let mut paused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *paused = Some(paused.map_or(until, |earlier| earlier.max(until)));
        })
    }
}
