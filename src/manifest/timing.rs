//! Time zones, windows and cron lines.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, TimeZone as _, Utc, Weekday};
use chrono_tz::{TZ_VARIANTS, Tz};
use croner::Cron;

use super::diagnostic::closest;
use super::finding::Findings;
use super::raw::{RawSchedule, RawWindow};
use super::schema::WEEKDAYS;
use crate::model::{CatchUp, Schedule, Span, Window};

/// Ticks that are held against the window: more than a year of weekly ones.
const TICKS: usize = 60;
/// A cron line that does not fire in this many years never does (29 February comes within 8).
const YEARS: i32 = 8;

pub(super) fn timezone(findings: &mut Findings<'_>, pointer: &str, name: &str) -> Option<Tz> {
    if let Ok(zone) = Tz::from_str(name) {
        return Some(zone);
    }
    let near = closest(name, TZ_VARIANTS.iter().map(|zone| zone.name()));
    findings.error(pointer, "unknown-timezone", format!("there is no time zone `{name}`")).advise(
        near.map_or_else(
            || "use a name such as Europe/Moscow or UTC".to_owned(),
            |near| format!("did you mean `{near}`?"),
        ),
    );
    None
}

pub(super) fn window(findings: &mut Findings<'_>, raw: &RawWindow) -> Option<Window> {
    let from = clock_time(findings, "/window/from", raw.from.as_deref());
    let to = clock_time(findings, "/window/to", raw.to.as_deref());
    let except: Vec<NaiveDate> = raw
        .except
        .iter()
        .enumerate()
        .filter_map(|(index, text)| {
            let day = text.parse().ok();
            if day.is_none() {
                findings
                    .error(&format!("/window/except/{index}"), "bad-value", format!("`{text}` is not a day"))
                    .advise("write year, month and day: `2026-12-31`");
            }
            day
        })
        .collect();
    let days = match &raw.days {
        Some(days) => days.iter().filter_map(|day| weekday(day)).collect(),
        None => WEEKDAYS.iter().filter_map(|day| weekday(day)).collect(),
    };
    let (from, to) = (from?, to?);
    if from >= to {
        findings
            .error("/window/to", "impossible", "the window closes before it opens")
            .advise("`from` is earlier than `to`; a window does not reach over midnight");
        return None;
    }
    Some(Window { days, from, to, except })
}

fn weekday(name: &str) -> Option<Weekday> {
    WEEKDAYS.contains(&name).then(|| name.parse().ok())?
}

fn clock_time(findings: &mut Findings<'_>, pointer: &str, text: Option<&str>) -> Option<NaiveTime> {
    let text = text?;
    let time = NaiveTime::parse_from_str(text, "%H:%M").ok().filter(|_| text.len() == 5);
    if time.is_none() {
        findings
            .error(pointer, "bad-value", format!("`{text}` is not a time of day"))
            .advise("write hours and minutes from \"00:00\" to \"23:59\"");
    }
    time
}

/// Checks that the line is cron, that it fires at all, and that it ever fires inside the window.
pub(super) fn schedule(
    findings: &mut Findings<'_>,
    raw: RawSchedule,
    zone: Tz,
    window: Option<&Window>,
) -> Option<Schedule> {
    let line = raw.cron?;
    let pointer = "/schedule/cron";
    if line.split_whitespace().count() != 5 {
        findings
            .error(pointer, "bad-cron", format!("`{line}` is not five fields"))
            .advise("minute, hour, day of the month, month, day of the week: `0 9 * * 1-5`");
        return None;
    }
    let cron = match Cron::from_str(&line) {
        Ok(cron) => cron,
        Err(error) => {
            findings
                .error(pointer, "bad-cron", format!("`{line}` is not a cron line: {error}"))
                .advise("minute, hour, day of the month, month, day of the week: `0 9 * * 1-5`");
            return None;
        }
    };
    let ticks = ticks(&cron, zone);
    if ticks.is_empty() {
        findings
            .error(pointer, "never-fires", format!("`{line}` never fires"))
            .advise("no calendar has such a day");
        return None;
    }
    if let Some(window) = window
        && !ticks.iter().any(|tick| window.is_open(zone, tick.with_timezone(&Utc)))
    {
        findings
            .warning(pointer, "outside-window", format!("`{line}` fires outside of the window only"))
            .advise(format!(
                "the window is open from {} to {} in {zone}",
                window.from.format("%H:%M"),
                window.to.format("%H:%M")
            ));
    }
    let jitter = super::project::bounded(findings, "/schedule/jitter", raw.jitter.as_ref(), 0, 6 * 3600);
    Some(Schedule {
        cron: line,
        jitter: jitter.map_or(Duration::ZERO, Span::approximate),
        catch_up: raw.catch_up.unwrap_or(CatchUp::Once),
    })
}

/// The first ticks after a fixed instant: a check gives the same answer on every day.
fn ticks(cron: &Cron, zone: Tz) -> Vec<DateTime<Tz>> {
    let start = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).single().unwrap_or_default().with_timezone(&zone);
    let end = start.year() + YEARS;
    cron.iter_after(start).take(TICKS).take_while(|tick| tick.year() <= end).collect()
}
