//! How long answers take: what is asked for is done at once, and heard of later.

use std::str::FromStr;
use std::time::Duration;

use super::faults::Dice;

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
