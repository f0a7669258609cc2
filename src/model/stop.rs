//! Who is asked to stop finishes and records what is in flight, and begins nothing: a process, or one of its passes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// Asked once, heard everywhere. The default is never asked.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    /// The one that this is a part of.
    whole: Option<Arc<AtomicBool>>,
}

impl Stop {
    /// Of a process that is ended at once, if at all.
    pub fn never() -> &'static Self {
        static NEVER: LazyLock<Stop> = LazyLock::new(Stop::default);
        &NEVER
    }

    /// One that can be asked by itself, and is asked with this one.
    #[must_use]
    pub fn part(&self) -> Self {
        Self { asked: Arc::default(), whole: Some(Arc::clone(&self.asked)) }
    }

    pub fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    pub fn is_asked(&self) -> bool {
        let asked = |one: &Arc<AtomicBool>| one.load(Ordering::Relaxed);
        asked(&self.asked) || self.whole.as_ref().is_some_and(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_asked_by_itself_and_with_the_whole() {
        let whole = Stop::default();
        let (one, other) = (whole.part(), whole.part());
        one.ask();
        assert!(one.is_asked() && !other.is_asked() && !whole.is_asked());
        whole.ask();
        assert!(other.is_asked());
    }
}
