//! Faults by seed: which request fails, and how. The same seed and the same order of requests fail alike.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a request can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::simulate) enum Fault {
    /// Done, and never answered.
    Timeout,
    /// The connection breaks before anything is done.
    Drop,
    /// Done, and the connection breaks before the answer.
    DropAfter,
    /// 429 with `Retry-After`, nothing done.
    TooMany,
    /// 500 with a reason, nothing done.
    Refusal,
    /// 500, although it was done.
    RefusalAfter,
    /// 503, nothing done.
    Away,
    /// Of several leads only some are taken, without a word about the others.
    Partial,
    /// A webhook that is delivered a second time.
    HookTwice,
    /// A webhook that is never delivered.
    HookLost,
}

impl Fault {
    const ALL: [(Self, &'static str); 10] = [
        (Self::Timeout, "timeout"),
        (Self::Drop, "drop"),
        (Self::DropAfter, "drop-after"),
        (Self::TooMany, "429"),
        (Self::Refusal, "500"),
        (Self::RefusalAfter, "500-after"),
        (Self::Away, "503"),
        (Self::Partial, "partial"),
        (Self::HookTwice, "hook-twice"),
        (Self::HookLost, "hook-lost"),
    ];

    const fn is_of_hooks(self) -> bool {
        matches!(self, Self::HookTwice | Self::HookLost)
    }
}

/// How often each fault happens, in hundredths of a percent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults(Vec<(Fault, u32)>);

impl Faults {
    /// What happens to a request, by a throw of 0 to 9999.
    pub(in crate::simulate) fn of_request(&self, throw: u32) -> Option<Fault> {
        self.pick(throw, false)
    }

    /// What happens to a webhook.
    pub(super) fn of_hook(&self, throw: u32) -> Option<Fault> {
        self.pick(throw, true)
    }

    fn pick(&self, throw: u32, of_hooks: bool) -> Option<Fault> {
        let mut bound = 0;
        self.0.iter().filter(|(fault, _)| fault.is_of_hooks() == of_hooks).find_map(|(fault, share)| {
            bound += share;
            (throw < bound).then_some(*fault)
        })
    }
}

/// `5%` spreads over all faults of requests; `timeout=1%,503=0.5%` names them.
impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut shares = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                None => {
                    let of_requests: Vec<Fault> = Fault::ALL
                        .iter()
                        .map(|(fault, _)| *fault)
                        .filter(|fault| !fault.is_of_hooks())
                        .collect();
                    let each = share(part)? / of_requests.len() as u32;
                    shares.extend(of_requests.into_iter().map(|fault| (fault, each)));
                }
                Some((name, of)) => {
                    let fault = Fault::ALL.iter().find(|(_, word)| *word == name).ok_or_else(|| {
                        let known: Vec<&str> = Fault::ALL.iter().map(|(_, word)| *word).collect();
                        format!("there is no fault `{name}`; there are: {}", known.join(", "))
                    })?;
                    shares.push((fault.0, share(of)?));
                }
            }
        }
        if shares.iter().map(|(_, share)| share).sum::<u32>() > 10_000 {
            return Err("the shares add up to more than 100%".to_owned());
        }
        Ok(Self(shares))
    }
}

fn share(text: &str) -> Result<u32, String> {
    let number: Option<f64> = text.strip_suffix('%').and_then(|number| number.parse().ok());
    number
        .filter(|percent| (0.0..=100.0).contains(percent))
        .map(|percent| (percent * 100.0).round() as u32)
        .ok_or_else(|| format!("`{text}` is not a share such as `5%`"))
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self
            .0
            .iter()
            .filter_map(|(fault, share)| {
                let (_, word) = Fault::ALL.iter().find(|(known, _)| known == fault)?;
                Some(format!("{word}={}%", f64::from(*share) / 100.0))
            })
            .collect();
        f.write_str(&parts.join(","))
    }
}

/// `SplitMix64`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::simulate) struct Dice(pub(in crate::simulate) u64);

impl Dice {
    /// 0 to `sides - 1`.
    pub(in crate::simulate) fn throw(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (mixed(self.0) % u64::from(sides)) as u32
    }
}

const fn mixed(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A throw that belongs to a text, whenever it is made: 0 to 9999.
pub(in crate::simulate) fn throw_of(seed: u64, text: &str) -> u32 {
    let folded = text.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (mixed(folded) % 10_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept() {
        let faults: Faults = "timeout=1%,503=0.5%".parse().unwrap();
        let of = |throw| faults.of_request(throw);
        assert_eq!(
            [of(99), of(100), of(149), of(150)],
            [Some(Fault::Timeout), Some(Fault::Away), Some(Fault::Away), None]
        );
        assert_eq!(faults.to_string(), "timeout=1%,503=0.5%");
        let even: Faults = "8%".parse().unwrap();
        let failing = (0..10_000).filter(|throw| even.of_request(*throw).is_some()).count();
        assert_eq!((failing, even.of_hook(0)), (800, None));
        assert!("often=1%".parse::<Faults>().is_err() && "5".parse::<Faults>().is_err());
        assert!("timeout=60%,drop=60%".parse::<Faults>().is_err());
    }

    #[test]
    fn a_seed_repeats_itself() {
        let throws = |seed| {
            let mut dice = Dice(seed);
            (0..9).map(move |_| dice.throw(10_000)).collect::<Vec<_>>()
        };
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
        assert_ne!(throw_of(1, "a@b.example"), throw_of(2, "a@b.example"));
    }
}
