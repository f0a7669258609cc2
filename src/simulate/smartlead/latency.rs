//! How long answers take: what is asked for is done at once, and heard of later.

use std::str::FromStr;
use std::sync::Mutex;
use std::time::Duration;

use super::faults::Dice;
use super::{Shared, lock};

/// `300-800`: milliseconds, at least and at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latency {
    least: u32,
    most: u32,
}

impl Latency {
    pub(super) fn of(self, dice: &mut Dice) -> Duration {
        let spread = self.most - self.least;
        // Other throws stay what they were without it.
        let more = if spread == 0 { 0 } else { dice.throw(spread + 1) };
        Duration::from_millis(u64::from(self.least + more))
    }
}

/// Calls whose answer is not given yet.
#[derive(Debug)]
pub(super) struct Answering {
    latency: Latency,
    dice: Dice,
    now: usize,
    most: usize,
}

impl Answering {
    pub(super) fn new(latency: Latency, seed: u64) -> Self {
        Self { latency, dice: Dice(seed), now: 0, most: 0 }
    }
}

/// A call that is under way.
pub(super) struct UnderWay<'s>(&'s Mutex<Answering>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut answering = lock(self.0);
        answering.now = answering.now.saturating_sub(1);
    }
}

impl Shared {
    /// Counts a call as under way until what is returned is dropped; and how long it takes.
    pub(super) fn begin(&self) -> (UnderWay<'_>, Duration) {
        let mut answering = lock(&self.answering);
        answering.now += 1;
        answering.most = answering.most.max(answering.now);
        let latency = answering.latency;
        (UnderWay(&self.answering), latency.of(&mut answering.dice))
    }

    /// From now on; how many calls are under way at once is counted anew.
    pub(super) fn set_latency(&self, latency: Latency) {
        let mut answering = lock(&self.answering);
        answering.latency = latency;
        answering.most = answering.now;
    }

    pub(super) fn most_at_once(&self) -> usize {
        lock(&self.answering).most
    }
}

impl FromStr for Latency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (least, most) = text.split_once('-').unwrap_or((text, text));
        match (least.parse(), most.parse()) {
            (Ok(least), Ok(most)) if least <= most && most < 600_000 => Ok(Self { least, most }),
            _ => Err(format!("`{text}` are no milliseconds such as 300-800")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_bounds() {
        let latency: Latency = "300-800".parse().unwrap();
        let mut dice = Dice(1);
        let times: Vec<u128> = (0..1000).map(|_| latency.of(&mut dice).as_millis()).collect();
        assert!(times.iter().all(|time| (300..=800).contains(time)));
        assert!(times.iter().any(|time| *time < 400) && times.iter().any(|time| *time > 700));
        assert_eq!("50".parse::<Latency>().unwrap().of(&mut dice), Duration::from_millis(50));
        assert!("8-3".parse::<Latency>().is_err() && "x".parse::<Latency>().is_err());
    }
}
