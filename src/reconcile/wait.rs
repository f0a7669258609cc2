//! How long what was put off waits.

use std::time::Duration;

use chrono::TimeDelta;

/// A provider may ask for a day at most: one that asks for years has made a mistake.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

pub(super) fn bounded(wait: Duration) -> TimeDelta {
    TimeDelta::from_std(wait.min(LONGEST_WAIT)).unwrap_or(TimeDelta::hours(24))
}

/// 0.5 s, 1 s, 2 s ... up to an hour, each shortened by up to a quarter, differently for each batch.
pub(super) fn backoff(attempts: i16, salt: u128) -> Duration {
    let exponent = u32::from(attempts.clamp(1, 14).unsigned_abs()) - 1;
    let full = Duration::from_millis(500).saturating_mul(1 << exponent).min(Duration::from_hours(1));
    full.mul_f64(1.0 - (salt % 1000) as f64 / 4000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backing_off_doubles_up_to_an_hour() {
        assert_eq!(backoff(1, 0), Duration::from_millis(500));
        assert_eq!(backoff(3, 0), Duration::from_secs(2));
        assert_eq!(backoff(i16::MAX, 0), Duration::from_hours(1));
        assert!(backoff(3, 999) < backoff(3, 1));
    }

    #[test]
    fn nobody_is_put_off_for_more_than_a_day() {
        assert_eq!(bounded(Duration::from_secs(7)), TimeDelta::seconds(7));
        assert_eq!(bounded(Duration::MAX), TimeDelta::hours(24));
    }
}
