//! A process that is asked to stop finishes and records what is in flight, and begins nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// Asked once, heard everywhere. The default is never asked.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Of a process that is ended at once, if at all.
    pub fn never() -> &'static Self {
        static NEVER: LazyLock<Stop> = LazyLock::new(Stop::default);
        &NEVER
    }

    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
