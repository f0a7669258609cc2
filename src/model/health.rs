//! What the process knows of its own health, for whoever asks from outside.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shared by the loop, which writes it, and the listener, which reads it.
#[derive(Debug, Clone)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    beat: Instant,
    /// Why it is not ready; `None` when it is.
    wanting: Option<String>,
}

impl Health {
    /// Alive, and not ready yet.
    pub fn starting() -> Self {
        let state =
            State { beat: Instant::now(), wanting: Some("the first look is not through yet".to_owned()) };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The loop has come round.
    pub fn beat(&self) {
        self.state().beat = Instant::now();
    }

    /// Whether passes can be made; if not, why.
    pub fn set(&self, wanting: Option<String>) {
        self.state().wanting = wanting;
    }

    /// Time since the loop last came round.
    pub fn silent_for(&self) -> Duration {
        self.state().beat.elapsed()
    }

    /// Why it is not ready; `None` when it is.
    pub fn wanting(&self) -> Option<String> {
        self.state().wanting.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
