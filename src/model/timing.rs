//! When a campaign may do what: ticks of its schedule, its window, its days. Pure.
//!
//! Instants come in and go out in UTC; what is declared is read in the campaign's time zone. Days that
//! skip or repeat an hour are the zone's own.

use std::str::FromStr;

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use croner::Cron;
use sha2::{Digest as _, Sha256};

use super::campaign::{Campaign, CatchUp, Schedule, Window};
use super::duration::Span;
use super::mail::Mailbox;

/// A window that opens on one day of the year is found within this many days, leap days included.
const DAYS_AHEAD: i64 = 8 * 366;

impl Schedule {
    /// The ticks after an instant, each moved by the campaign's jitter: the instants at which they are due.
    ///
    /// Empty when the line never fires again.
    pub fn ticks_after(
        &self,
        number: i32,
        zone: Tz,
        after: DateTime<Utc>,
    ) -> impl Iterator<Item = Tick> + use<'_> {
        // One that fired shortly before may be due later than `after`.
        let start = after - TimeDelta::from_std(self.jitter).unwrap_or_default();
        let cron = Cron::from_str(&self.cron).ok();
        let fired = cron.map(|cron| {
            let first = cron.find_next_occurrence(&start.with_timezone(&zone), false).ok();
            std::iter::successors(first, move |tick| cron.find_next_occurrence(tick, false).ok())
        });
        fired
            .into_iter()
            .flatten()
            .map(move |tick| self.tick(number, tick))
            .filter(move |tick| tick.due > after)
    }

    fn tick(&self, number: i32, at: DateTime<Tz>) -> Tick {
        let at = at.with_timezone(&Utc);
        let most = self.jitter.as_millis() as u64;
        // The same for every replica, and another one for each campaign and tick.
        let hash = Sha256::digest(format!("{number}:{}", at.timestamp()));
        let roll = hash.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let delay = if most == 0 { 0 } else { roll % most };
        Tick { at, due: at + TimeDelta::milliseconds(delay as i64) }
    }

    /// The latest tick that is due and was not served, if the policy still wants it.
    ///
    /// However many were missed, they are made up by one.
    pub fn open_tick(
        &self,
        number: i32,
        zone: Tz,
        served: DateTime<Utc>,
        now: DateTime<Utc>,
        grace: TimeDelta,
    ) -> Option<Tick> {
        // A served instant is the fire time itself, so jitter must not bring it back.
        let fresh = |tick: &Tick| tick.at > served && tick.due <= now;
        // The latest one is wanted, and a line may have fired a million times since.
        let last = LOOK_BACK.iter().find_map(|hours| {
            let start = served.max(now - TimeDelta::hours(*hours));
            let ticks = self.ticks_after(number, zone, start);
            ticks.take_while(|tick| tick.at <= now).filter(fresh).last()
        })?;
        match self.catch_up {
            CatchUp::Once => Some(last),
            CatchUp::Skip => (now - last.due <= grace).then_some(last),
        }
    }
}

/// In hours: an hour, a day, a month, a year, and the leap years of a 29 February.
const LOOK_BACK: [i64; 5] = [1, 25, 24 * 32, 24 * 367, 24 * 366 * 9];

/// One firing of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick {
    /// As the cron line says.
    pub at: DateTime<Utc>,
    /// With jitter.
    pub due: DateTime<Utc>,
}

impl Window {
    /// Whether something may leave at that instant.
    pub fn is_open(&self, zone: Tz, at: DateTime<Utc>) -> bool {
        let local = at.with_timezone(&zone);
        self.is_day(local.date_naive()) && local.time() >= self.from && local.time() < self.to
    }

    fn is_day(&self, day: NaiveDate) -> bool {
        self.days.contains(&day.weekday()) && !self.except.contains(&day)
    }

    /// The first opening after an instant; `None` when every day is excepted for years.
    pub fn next_opening(&self, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let today = after.with_timezone(&zone).date_naive();
        (0..DAYS_AHEAD)
            .map(|days| today + TimeDelta::days(days))
            .filter(|day| self.is_day(*day))
            .filter_map(|day| instant(zone, day, self.from))
            .find(|opening| *opening > after)
    }

    /// The latest opening at or before an instant, within a week.
    pub fn last_opening(&self, zone: Tz, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let today = at.with_timezone(&zone).date_naive();
        (0..=7)
            .map(|days| today - TimeDelta::days(days))
            .filter(|day| self.is_day(*day))
            .filter_map(|day| instant(zone, day, self.from))
            .find(|opening| *opening <= at)
    }
}

impl Campaign {
    /// Whether the window, if there is one, is open.
    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        self.window.as_ref().is_none_or(|window| window.is_open(self.timezone, at))
    }

    /// Start of the local day of an instant: what was handed over since counts against the limits.
    pub fn day_start(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        day_start_of(self.timezone, at)
    }

    /// Start of a local day.
    pub fn start_of(&self, day: NaiveDate) -> Option<DateTime<Utc>> {
        day_start(self.timezone, day)
    }

    /// When somebody means: a length of time from now (`3d`), a local day (`2026-12-01`) or an instant (RFC 3339).
    pub fn instant(&self, text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let text = text.trim();
        let after = |span: Span| now.checked_add_signed(TimeDelta::from_std(span.approximate()).ok()?);
        text.parse::<Span>()
            .ok()
            .and_then(after)
            .or_else(|| text.parse().ok().and_then(|day| self.start_of(day)))
            .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc)))
    }

    /// Start of the local day after that of an instant.
    pub fn next_day_start(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        next_day_start(self.timezone, at)
    }

    /// Whole local days from one instant to another; never negative.
    pub fn days_between(&self, first: DateTime<Utc>, at: DateTime<Utc>) -> u32 {
        days_between(self.timezone, first, at)
    }
}

impl Mailbox {
    /// Whether answers are read here, and were last read longer ago than they may be: a stop may lie there.
    pub fn is_stale(&self, read_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        let Some(imap) = &self.imap else { return false };
        let after = TimeDelta::from_std(imap.stale_after).unwrap_or(TimeDelta::days(1));
        read_at.is_none_or(|read| read + after < now)
    }

    /// Start of the local day that an instant falls on.
    pub fn day_start(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        day_start_of(self.timezone, at)
    }

    /// Start of the local day after that of an instant.
    pub fn next_day_start(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        next_day_start(self.timezone, at)
    }

    /// Whole local days from one instant to another; never negative.
    pub fn days_between(&self, first: DateTime<Utc>, at: DateTime<Utc>) -> u32 {
        days_between(self.timezone, first, at)
    }
}

fn next_day_start(zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
    let tomorrow = at.with_timezone(&zone).date_naive() + TimeDelta::days(1);
    day_start(zone, tomorrow).unwrap_or(at + TimeDelta::days(1))
}

fn days_between(zone: Tz, first: DateTime<Utc>, at: DateTime<Utc>) -> u32 {
    let day = |instant: DateTime<Utc>| instant.with_timezone(&zone).date_naive();
    (day(at) - day(first)).num_days().max(0) as u32
}

fn day_start_of(zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
    day_start(zone, at.with_timezone(&zone).date_naive()).unwrap_or(at)
}

fn day_start(zone: Tz, day: NaiveDate) -> Option<DateTime<Utc>> {
    instant(zone, day, NaiveTime::MIN)
}

/// A local time as an instant; on a day that skips it, the first instant that exists after it, and on one
/// that has it twice, the first.
fn instant(zone: Tz, day: NaiveDate, time: NaiveTime) -> Option<DateTime<Utc>> {
    let local = day.and_time(time);
    // Zones skip at most a day (Samoa, 2011), nearly all of them one hour, in quarters of an hour.
    (0..=96)
        .find_map(|quarters| {
            zone.from_local_datetime(&(local + TimeDelta::minutes(15 * quarters))).earliest()
        })
        .map(|start| start.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn schedule(cron: &str) -> Schedule {
        Schedule { cron: cron.to_owned(), jitter: Duration::ZERO, catch_up: CatchUp::Once }
    }

    fn ticks(cron: &str, zone: Tz, after: &str, n: usize) -> Vec<String> {
        let schedule = schedule(cron);
        let ticks = schedule.ticks_after(1, zone, at(after));
        ticks.take(n).map(|tick| tick.due.with_timezone(&zone).to_rfc3339()).collect()
    }

    #[test]
    fn half_past_two_on_the_days_that_skip_and_repeat_it() {
        // 29 March 2026: 02:00 becomes 03:00. 25 October 2026: 03:00 becomes 02:00.
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(
            ticks("30 2 * * *", berlin, "2026-03-27T12:00:00Z", 3),
            ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
        );
        assert_eq!(
            ticks("30 2 * * *", berlin, "2026-10-23T12:00:00Z", 3),
            ["2026-10-24T02:30:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]
        );
    }

    #[test]
    fn missed_ticks_are_made_up_once_or_skipped() {
        let utc = Tz::UTC;
        let grace = TimeDelta::minutes(1);
        let mut nine = schedule("0 9 * * *");
        let open = |schedule: &Schedule, served: &str, now: &str| {
            schedule.open_tick(1, utc, at(served), at(now), grace).map(|tick| tick.at)
        };
        let (served, later) = ("2026-11-20T09:00:00Z", "2026-11-24T12:00:00Z");
        assert_eq!(open(&nine, served, later), Some(at("2026-11-24T09:00:00Z")));
        assert_eq!(open(&nine, served, "2026-11-21T08:59:59Z"), None);
        assert_eq!(open(&nine, "2026-11-24T09:00:00Z", later), None);
        nine.catch_up = CatchUp::Skip;
        assert_eq!(open(&nine, served, later), None);
        assert_eq!(open(&nine, served, "2026-11-24T09:00:30Z"), Some(at("2026-11-24T09:00:00Z")));
    }

    #[test]
    fn jitter_delays_and_never_serves_twice() {
        let mut hourly = schedule("0 * * * *");
        hourly.jitter = Duration::from_mins(10);
        let ticks: Vec<Tick> = hourly.ticks_after(7, Tz::UTC, at("2026-11-24T00:00:00Z")).take(24).collect();
        assert!(ticks.iter().all(|tick| tick.due >= tick.at && tick.due < tick.at + TimeDelta::minutes(10)));
        assert!(ticks.windows(2).any(|pair| pair[0].due - pair[0].at != pair[1].due - pair[1].at));
        let tick = ticks[3];
        let open = |served, now| hourly.open_tick(7, Tz::UTC, served, now, TimeDelta::zero());
        assert_eq!(open(tick.at - TimeDelta::hours(1), tick.due - TimeDelta::seconds(1)), None);
        assert_eq!(open(tick.at - TimeDelta::hours(1), tick.due), Some(tick));
        assert_eq!(open(tick.at, tick.due + TimeDelta::seconds(1)), None);
    }

    #[test]
    fn a_window_knows_its_days_and_its_edges() {
        let moscow = chrono_tz::Europe::Moscow;
        let window = Window {
            days: vec![chrono::Weekday::Mon, chrono::Weekday::Tue],
            from: "09:00:00".parse().unwrap(),
            to: "18:00:00".parse().unwrap(),
            except: vec!["2026-11-24".parse().unwrap()],
        };
        // Monday 23 November 2026, 09:00 in Moscow is 06:00 UTC.
        assert!(window.is_open(moscow, at("2026-11-23T06:00:00Z")));
        assert!(!window.is_open(moscow, at("2026-11-23T05:59:59Z")));
        assert!(!window.is_open(moscow, at("2026-11-23T15:00:00Z")));
        assert!(!window.is_open(moscow, at("2026-11-24T10:00:00Z")), "excepted");
        assert_eq!(
            window.next_opening(moscow, at("2026-11-23T06:00:00Z")),
            Some(at("2026-11-30T06:00:00Z")),
            "the Tuesday between is excepted"
        );
        assert_eq!(window.last_opening(moscow, at("2026-11-25T00:00:00Z")), Some(at("2026-11-23T06:00:00Z")));
        let never = Window { days: Vec::new(), ..window };
        assert_eq!(never.next_opening(moscow, at("2026-11-23T06:00:00Z")), None);
    }
}
