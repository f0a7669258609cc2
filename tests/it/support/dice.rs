//! Chance that can be repeated.

use super::receiver::Behaviour;

/// `SplitMix64`: the same seed, the same days.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    /// What a receiver does next.
    pub(crate) fn behaviour(&mut self, contacts: usize) -> Behaviour {
        let someone = self.roll(contacts as u64) + 1;
        let email = format!("p{someone}@c{someone}.example");
        let keep = self.roll(2) == 0;
        match self.roll(14) {
            0 => Behaviour::Item { email, status: "refused" },
            1 => Behaviour::Item { email, status: "retry" },
            2 => Behaviour::Status(500),
            3 => Behaviour::Status(401),
            4 => Behaviour::ComeBack { status: 429, after: "0".to_owned() },
            5 => Behaviour::ComeBack { status: 503, after: "1".to_owned() },
            6 => Behaviour::Poison(email),
            7 => Behaviour::Hang { keep },
            8 => Behaviour::Drop { keep },
            9 => Behaviour::Say { status: 200, body: "thank you".to_owned() },
            10 => Behaviour::HalfList,
            _ => Behaviour::Accept,
        }
    }
}
