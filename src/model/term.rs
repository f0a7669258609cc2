//! Until when something may be done: put off by whoever renews the right, asked by whoever is about to use it.
//!
//! By the monotonic clock, which nobody steps; it is read by the caller.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// An end that may move, seen alike by all who hold a copy.
#[derive(Debug, Clone)]
pub struct Term(Arc<Mutex<Instant>>);

impl Term {
    pub fn until(end: Instant) -> Self {
        Self(Arc::new(Mutex::new(end)))
    }

    pub fn move_to(&self, end: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    pub fn is_over(&self, at: Instant) -> bool {
        at >= *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn all_copies_see_its_end_move() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let term = Term::until(after(1));
        let copy = term.clone();
        assert_eq!([copy.is_over(start), copy.is_over(after(1))], [false, true]);
        term.move_to(after(9));
        assert_eq!([copy.is_over(after(8)), copy.is_over(after(9))], [false, true]);
    }
}
