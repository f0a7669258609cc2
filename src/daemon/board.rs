//! Which campaigns are to be looked at, and when again. Pure: time comes in as an argument.
//!
//! Invariants: a campaign is worked on once at a time; a wake during its pass causes exactly one more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::wake::Reason;

/// After a failure: 2 s, 4 s, 8 s ... up to this.
const LONGEST_BACKOFF: Duration = Duration::from_mins(5);
const FIRST_BACKOFF: Duration = Duration::from_secs(2);

/// What a look wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// All is well; look again after this long.
    In(Duration),
    /// It failed; look again after a while that grows.
    Backoff,
}

/// The campaigns of the present manifest, in order of rank.
#[derive(Debug, Default)]
pub(super) struct Board {
    ranked: Vec<i32>,
    slots: BTreeMap<i32, Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    reasons: BTreeSet<Reason>,
    is_running: bool,
    failures: u32,
    next: Option<Instant>,
}

impl Board {
    /// Takes over the campaigns of a manifest; what is known of those that stay is kept.
    pub(super) fn declare(&mut self, ranked: Vec<i32>) {
        self.slots.retain(|number, slot| slot.is_running || ranked.contains(number));
        for number in &ranked {
            self.slots.entry(*number).or_default();
        }
        self.ranked = ranked;
    }

    /// Marks what a wake is about. A person's doing does not wait for a failure's pause to end.
    pub(super) fn want(&mut self, reasons: &BTreeSet<Reason>) {
        for number in &self.ranked {
            if let Some(slot) = self.slots.get_mut(number) {
                slot.reasons.extend(reasons);
            }
        }
    }

    /// The next campaign to work on, with why; it counts as running from here on.
    pub(super) fn start(&mut self, now: Instant) -> Option<(i32, String)> {
        for number in &self.ranked {
            let Some(slot) = self.slots.get_mut(number).filter(|slot| !slot.is_running) else { continue };
            if slot.next.is_some_and(|next| next <= now) {
                let reason = if slot.failures > 0 { Reason::Again } else { Reason::Time };
                slot.reasons.insert(reason);
                slot.next = None;
            }
            if slot.reasons.is_empty() {
                continue;
            }
            slot.is_running = true;
            let reasons = std::mem::take(&mut slot.reasons);
            let words: Vec<&str> = reasons.into_iter().map(Reason::as_str).collect();
            return Some((*number, words.join(", ")));
        }
        None
    }

    /// The campaign's pass is over. `roll` is from 0 to 1 and takes replicas that failed together apart.
    pub(super) fn done(&mut self, number: i32, next: Next, roll: f64, now: Instant) {
        let Some(slot) = self.slots.get_mut(&number) else { return };
        slot.is_running = false;
        let wait = match next {
            Next::In(wait) => {
                slot.failures = 0;
                wait
            }
            Next::Backoff => {
                let doubled = FIRST_BACKOFF.saturating_mul(1 << slot.failures.min(10)).min(LONGEST_BACKOFF);
                slot.failures += 1;
                doubled.mul_f64(1.0 - roll / 4.0)
            }
        };
        slot.next = Some(now + wait);
        if !self.ranked.contains(&number) {
            self.slots.remove(&number);
        }
    }

    /// When time alone makes something to do.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.slots.values().filter(|slot| !slot.is_running).filter_map(|slot| slot.next).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn because(reason: Reason) -> BTreeSet<Reason> {
        BTreeSet::from([reason])
    }

    #[tokio::test]
    async fn a_wake_during_a_pass_causes_exactly_one_more() {
        let now = Instant::now();
        let mut board = Board::default();
        board.declare(vec![2, 1]);
        board.want(&because(Reason::Start));
        assert_eq!(board.start(now), Some((2, "start".to_owned())), "in order of rank");
        assert_eq!(board.start(now), Some((1, "start".to_owned())));
        board.want(&because(Reason::Files));
        board.want(&because(Reason::Files));
        assert_eq!(board.start(now), None, "once at a time");
        board.done(2, Next::In(Duration::from_secs(10)), 0.0, now);
        assert_eq!(board.start(now), Some((2, "files".to_owned())));
        board.done(2, Next::In(Duration::from_secs(10)), 0.0, now);
        assert_eq!(board.start(now), None);
        assert_eq!(board.start(now + Duration::from_secs(10)), Some((2, "time".to_owned())));
    }

    #[tokio::test]
    async fn failures_wait_longer_and_longer_and_a_person_does_not() {
        let now = Instant::now();
        let mut board = Board::default();
        board.declare(vec![1]);
        board.want(&because(Reason::Start));
        let mut waits = Vec::new();
        for _ in 0..12 {
            assert!(board.start(now + LONGEST_BACKOFF).is_some());
            board.done(1, Next::Backoff, 0.0, now);
            waits.push(board.next_at().unwrap() - now);
        }
        assert_eq!(waits[..3], [2, 4, 8].map(Duration::from_secs));
        assert_eq!(waits[11], LONGEST_BACKOFF);
        board.want(&because(Reason::Files));
        assert_eq!(board.start(now), Some((1, "files".to_owned())));
        board.done(1, Next::In(Duration::from_secs(1)), 0.0, now);
        board.start(now + Duration::from_secs(1));
        board.done(1, Next::Backoff, 0.0, now);
        assert_eq!(board.next_at(), Some(now + FIRST_BACKOFF), "success forgets failures");
    }

    #[tokio::test]
    async fn a_campaign_that_is_gone_is_not_looked_at_again() {
        let now = Instant::now();
        let mut board = Board::default();
        board.declare(vec![1, 2]);
        board.want(&because(Reason::Start));
        assert!(board.start(now).is_some());
        board.declare(vec![2]);
        board.done(1, Next::In(Duration::ZERO), 0.0, now);
        assert_eq!(board.start(now), Some((2, "start".to_owned())));
        assert_eq!(board.start(now), None);
    }
}
