//! Charts as SVG, made here: colours come from the style sheet, figures stand in a table beside them. Pure.

use std::fmt::Write as _;

use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::reconcile::forecast::Portion;
use crate::store::engagement::Day;

/// What is counted, in the order in which it happens.
pub(super) const SERIES: [&str; 5] = ["queued", "sent", "replied", "bounced", "unsubscribed"];
const WIDTH: f64 = 720.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 8.0;
const HIGH: f64 = 96.0;
const GAP: f64 = 30.0;

/// One day over all campaigns, or of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Total {
    pub day: NaiveDate,
    pub counts: [i64; 5],
}

/// Every day up to today, those on which nothing happened too.
pub(super) fn totals(days: &[Day], number: Option<i32>, today: NaiveDate, length: u64) -> Vec<Total> {
    let first = today.checked_sub_days(Days::new(length - 1)).unwrap_or(today);
    first
        .iter_days()
        .take(length as usize)
        .map(|day| {
            let mut counts = [0; 5];
            let of_day = days.iter().filter(|one| one.day == day);
            for one in of_day.filter(|one| number.is_none_or(|number| one.campaign_number == number)) {
                let more = [one.queued, one.sent, one.replied, one.bounced, one.unsubscribed];
                for (count, more) in counts.iter_mut().zip(more) {
                    *count += more;
                }
            }
            Total { day, counts }
        })
        .collect()
}

/// Sums over all days.
pub(super) fn sums(totals: &[Total]) -> [i64; 5] {
    let mut sums = [0; 5];
    for total in totals {
        for (sum, count) in sums.iter_mut().zip(total.counts) {
            *sum += count;
        }
    }
    sums
}

/// Two panels over the same days: what went out, and what came back.
pub(super) fn engagement(totals: &[Total]) -> String {
    let height = TOP + HIGH + GAP + HIGH + 24.0;
    let mut svg = open(height, "What went out and what came back, day by day");
    panel(&mut svg, totals, TOP, &[0, 1]);
    panel(&mut svg, totals, TOP + HIGH + GAP, &[2, 3, 4]);
    let step = step(totals.len());
    for (index, total) in totals.iter().enumerate() {
        if (totals.len() - 1 - index).is_multiple_of(7) {
            let last = index + 1 == totals.len();
            let x = if last { WIDTH } else { LEFT + step * (index as f64 + 0.5) };
            let anchor = if last { "end" } else { "middle" };
            label(&mut svg, x, height - 6.0, anchor, &total.day.format("%-d %b").to_string());
        }
    }
    svg.push_str("</svg>");
    svg
}

fn open(height: f64, title: &str) -> String {
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\" preserveAspectRatio=\"xMidYMid meet\">"
    )
}

fn step(columns: usize) -> f64 {
    (WIDTH - LEFT) / columns.max(1) as f64
}

fn label(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = write!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

/// A round figure that is not below the largest one.
fn ceiling(most: i64) -> i64 {
    let mut unit = 1;
    loop {
        for factor in [1, 2, 4, 5, 10] {
            if unit * factor >= most.max(1) {
                return unit * factor;
            }
        }
        unit *= 10;
    }
}

fn axis(svg: &mut String, top: f64, most: i64) {
    for share in [0, 1, 2] {
        let y = top + HIGH - HIGH * f64::from(share) / 2.0;
        let _ =
            write!(svg, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
        let figure = most * i64::from(share);
        if figure % 2 == 0 {
            label(svg, LEFT - 6.0, y + 4.0, "end", &short(figure / 2));
        }
    }
}

fn short(figure: i64) -> String {
    match figure {
        1_000_000.. => format!("{}M", figure / 1_000_000),
        10_000.. => format!("{}k", figure / 1000),
        _ => figure.to_string(),
    }
}

/// Bars side by side; a hover tells the day's figures.
fn panel(svg: &mut String, totals: &[Total], top: f64, series: &[usize]) {
    let largest = totals.iter().flat_map(|total| series.iter().map(|index| total.counts[*index])).max();
    let most = ceiling(largest.unwrap_or(0));
    axis(svg, top, most);
    let step = step(totals.len());
    let wide = (step * 0.8 / series.len() as f64).min(14.0);
    for (index, total) in totals.iter().enumerate() {
        let middle = LEFT + step * (index as f64 + 0.5);
        let start = middle - wide * series.len() as f64 / 2.0;
        let _ = write!(svg, "<g><title>{}:", total.day.format("%a %-d %b"));
        for which in series {
            let _ = write!(svg, " {} {}", total.counts[*which], SERIES[*which]);
        }
        let _ = write!(
            svg,
            "</title><rect class=\"hit\" x=\"{:.1}\" y=\"{top}\" width=\"{step:.1}\" height=\"{HIGH}\"/>",
            LEFT + step * index as f64
        );
        for (place, which) in series.iter().enumerate() {
            let count = total.counts[*which];
            if count > 0 {
                let tall = (HIGH * count as f64 / most as f64).max(1.5);
                let _ = write!(
                    svg,
                    "<rect class=\"bar {}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\"/>",
                    SERIES[*which],
                    start + wide * place as f64,
                    top + HIGH - tall,
                    wide - 0.6
                );
            }
        }
        svg.push_str("</g>");
    }
}

/// How far people have come: each bar as long as its share of the first.
pub(super) fn funnel(sums: [i64; 5]) -> String {
    let (tall, gap, left) = (22.0, 8.0, 132.0);
    let height = (tall + gap) * 5.0;
    let mut svg = open(height, "How many were queued, sent to, and what came back");
    let most = sums.into_iter().max().unwrap_or(0).max(1);
    for (index, (name, sum)) in SERIES.into_iter().zip(sums).enumerate() {
        let y = (tall + gap) * index as f64;
        let long = (WIDTH - left - 180.0) * sum as f64 / most as f64;
        label(&mut svg, left - 10.0, y + 15.5, "end", name);
        let _ = write!(
            svg,
            "<rect class=\"bar {name}\" x=\"{left}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{tall}\"/>",
            long.max(if sum > 0 { 2.0 } else { 0.0 })
        );
        let share = if index > 0 && sums[0] > 0 {
            format!("{sum} ({:.1} %)", sum as f64 * 100.0 / sums[0] as f64)
        } else {
            sum.to_string()
        };
        label(&mut svg, left + long + 8.0, y + 15.5, "start", &share);
    }
    svg.push_str("</svg>");
    svg
}

/// A row's small chart: mails or hand-overs by day.
pub(super) fn spark(totals: &[Total]) -> String {
    let (width, height) = (120.0, 24.0);
    let most = totals.iter().map(|total| total.counts[0].max(total.counts[1])).max().unwrap_or(0).max(1);
    let step = width / totals.len().max(1) as f64;
    let mut svg = format!("<svg class=\"spark\" viewBox=\"0 0 {width} {height}\" aria-hidden=\"true\">");
    for (index, total) in totals.iter().enumerate() {
        let count = total.counts[0].max(total.counts[1]);
        if count > 0 {
            let tall = ((height - 2.0) * count as f64 / most as f64).max(1.5);
            let _ = write!(
                svg,
                "<rect class=\"bar sent\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\"/>",
                step * index as f64,
                height - tall,
                (step - 0.8).max(0.8)
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// What is handed over on each local day.
pub(super) fn by_day(portions: &[Portion], zone: Tz) -> Vec<(NaiveDate, i64)> {
    let mut days: Vec<(NaiveDate, i64)> = Vec::new();
    for portion in portions {
        let day = portion.at.with_timezone(&zone).date_naive();
        match days.last_mut() {
            Some((last, sum)) if *last == day => *sum += portion.enroll,
            _ => days.push((day, portion.enroll)),
        }
    }
    days
}

/// Days to come, each with what will be handed over.
pub(super) fn forecast(days: &[(NaiveDate, i64)], from: DateTime<Utc>, zone: Tz, ahead: u32) -> String {
    let height = TOP + HIGH + 24.0;
    let mut svg = open(height, "What will be handed over, day by day");
    let most = ceiling(days.iter().map(|(_, sum)| *sum).max().unwrap_or(0));
    axis(&mut svg, TOP, most);
    let step = step(ahead as usize);
    let first = from.with_timezone(&zone).date_naive();
    for (index, day) in first.iter_days().take(ahead as usize).enumerate() {
        let middle = LEFT + step * (index as f64 + 0.5);
        if index.is_multiple_of(7) {
            label(&mut svg, middle, height - 6.0, "middle", &day.format("%-d %b").to_string());
        }
        let Some((_, sum)) = days.iter().find(|(known, sum)| *known == day && *sum > 0) else { continue };
        let tall = (HIGH * *sum as f64 / most as f64).max(1.5);
        let wide = (step * 0.7).min(18.0);
        let _ = write!(
            svg,
            "<g><title>{}: {sum}</title><rect class=\"bar queued\" x=\"{:.1}\" y=\"{:.1}\" width=\"{wide:.1}\" height=\"{tall:.1}\"/></g>",
            day.format("%a %-d %b"),
            middle - wide / 2.0,
            TOP + HIGH - tall
        );
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_without_anything_stand_there_too() {
        let today: NaiveDate = "2026-03-02".parse().unwrap();
        let day = Day {
            campaign_number: 12,
            day: "2026-02-28".parse().unwrap(),
            queued: 5,
            sent: 4,
            replied: 1,
            bounced: 0,
            unsubscribed: 0,
        };
        let all = totals(&[day.clone(), Day { campaign_number: 13, ..day }], None, today, 30);
        assert_eq!(all.len(), 30);
        assert_eq!((all[0].day, all[29].day), ("2026-02-01".parse().unwrap(), today));
        assert_eq!(all[27].counts, [10, 8, 2, 0, 0]);
        assert_eq!(sums(&all), [10, 8, 2, 0, 0]);
        let svg = engagement(&all);
        assert!(svg.contains("Sat 28 Feb: 10 queued 8 sent"), "{svg}");
        assert!(!svg.contains("style="), "the policy for content forbids it");
        assert!(funnel(sums(&all)).contains("8 (80.0 %)"));
    }

    #[test]
    fn the_axis_ends_at_a_round_figure() {
        let ends: Vec<i64> = [0, 1, 3, 5, 7, 11, 99, 101, 4001].map(ceiling).into();
        assert_eq!(ends, [1, 1, 4, 5, 10, 20, 100, 200, 5000]);
    }
}
