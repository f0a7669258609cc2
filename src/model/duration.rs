//! Lengths of time as people write them in YAML: `30m`, `12h`, `3d`, `2w`, `6mo`, `2y`.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Months, TimeDelta, Utc};
use serde::Serialize;

/// Unit of a [`Span`]. Months and years follow the calendar; the others are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpanUnit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

const UNITS: [(&str, SpanUnit); 7] = [
    ("s", SpanUnit::Second),
    ("m", SpanUnit::Minute),
    ("h", SpanUnit::Hour),
    ("d", SpanUnit::Day),
    ("w", SpanUnit::Week),
    ("mo", SpanUnit::Month),
    ("y", SpanUnit::Year),
];

/// A whole number of one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    pub count: u32,
    pub unit: SpanUnit,
}

impl Span {
    pub const fn new(count: u32, unit: SpanUnit) -> Self {
        Self { count, unit }
    }

    /// The instant this long before `instant`; the earliest representable one when it would
    /// fall off the calendar.
    pub fn before(self, instant: DateTime<Utc>) -> DateTime<Utc> {
        match self.months() {
            Some(months) => instant.checked_sub_months(Months::new(months)),
            None => instant.checked_sub_signed(self.exact()),
        }
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// Length as a plain duration; a month counts 30 days and a year 365.
    pub fn approximate(self) -> std::time::Duration {
        let days = |n: u64| n * 86_400;
        let count = u64::from(self.count);
        std::time::Duration::from_secs(match self.unit {
            SpanUnit::Second => count,
            SpanUnit::Minute => count * 60,
            SpanUnit::Hour => count * 3_600,
            SpanUnit::Day => days(count),
            SpanUnit::Week => days(count * 7),
            SpanUnit::Month => days(count * 30),
            SpanUnit::Year => days(count * 365),
        })
    }

    fn months(self) -> Option<u32> {
        match self.unit {
            SpanUnit::Month => Some(self.count),
            SpanUnit::Year => Some(self.count.saturating_mul(12)),
            _ => None,
        }
    }

    fn exact(self) -> TimeDelta {
        TimeDelta::from_std(self.approximate()).unwrap_or(TimeDelta::MAX)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, suffix) = text.split_at(split);
        let unit = UNITS.iter().find(|(name, _)| *name == suffix).map(|(_, unit)| *unit);
        match (digits.parse(), unit) {
            (Ok(count), Some(unit)) => Ok(Self { count, unit }),
            _ => Err(format!(
                "`{text}` is not a length of time: write a whole number and one of s, m, h, d, w, mo, y, such as `3d`"
            )),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = UNITS.iter().find(|(_, unit)| *unit == self.unit).map_or("", |(name, _)| name);
        write!(f, "{}{suffix}", self.count)
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["0s", "30m", "12h", "3d", "2w", "6mo", "2y"] {
            assert_eq!(text.parse::<Span>().map(|span| span.to_string()), Ok(text.to_owned()));
        }
        for bad in ["", "d", "3", "3 d", "-3d", "3D", "1.5h", "99999999999d", "3м"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn years_follow_the_calendar() {
        let leap: DateTime<Utc> = "2024-02-29T12:00:00Z".parse().unwrap();
        let year = Span::new(1, SpanUnit::Year);
        assert_eq!(year.before(leap).to_rfc3339(), "2023-02-28T12:00:00+00:00");
        assert_eq!(Span::new(u32::MAX, SpanUnit::Year).before(leap), DateTime::<Utc>::MIN_UTC);
    }
}
