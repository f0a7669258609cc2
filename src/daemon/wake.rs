//! One wake with its reasons: files, time, signals and people all mean only "look again, because ...".
//!
//! Carries nothing to act on. Wakes that come before the loop has taken the last one are one wake.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Why a campaign is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    Start,
    Files,
    Signal,
    /// A mail has come that changes something.
    Mail,
    /// A tick of the schedule, a due push, or simply some time since the last look.
    Time,
    /// The last try failed, or another process was at work.
    Again,
}

impl Reason {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Files => "files",
            Self::Signal => "signal",
            Self::Mail => "mail",
            Self::Time => "time",
            Self::Again => "again",
        }
    }
}

/// The bell of the loop; clones ring the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Wake(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    reasons: Mutex<BTreeSet<Reason>>,
    bell: Notify,
}

impl Wake {
    pub(super) fn ring(&self, reason: Reason) {
        self.reasons().insert(reason);
        self.0.bell.notify_one();
    }

    /// Waits for a wake and takes all that has come together. Nothing is lost when this is dropped waiting.
    pub(super) async fn taken(&self) -> BTreeSet<Reason> {
        loop {
            let reasons = std::mem::take(&mut *self.reasons());
            if !reasons.is_empty() {
                return reasons;
            }
            self.0.bell.notified().await;
        }
    }

    fn reasons(&self) -> std::sync::MutexGuard<'_, BTreeSet<Reason>> {
        self.0.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn wakes_run_together_and_none_is_lost() {
        let wake = Wake::default();
        wake.ring(Reason::Files);
        wake.ring(Reason::Files);
        wake.ring(Reason::Signal);
        assert_eq!(wake.taken().await, BTreeSet::from([Reason::Files, Reason::Signal]));
        let waiting = tokio::time::timeout(std::time::Duration::ZERO, wake.taken()).await;
        assert!(waiting.is_err(), "one wake, not three");
        wake.ring(Reason::Signal);
        assert_eq!(wake.taken().await, BTreeSet::from([Reason::Signal]));
    }
}
