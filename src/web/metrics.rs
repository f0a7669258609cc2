//! Metrics in the text form of Prometheus, read from the database: every daemon tells the same, and a restart
//! loses nothing.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};

use super::Shared;
use super::fault::{Fault, PageFault};
use super::read::Now;
use crate::model::Clock as _;
use crate::store::figures::{self, Sample};

/// Name, kind and meaning of every metric; a test holds dashboard and alerts to this list.
pub const METRICS: [(&str, &str, &str); 18] = [
    ("outreachd_up", "gauge", "1 while the loop comes round and the database answers"),
    ("outreachd_daemons", "gauge", "Daemons that show signs of life on this database"),
    ("outreachd_passes_total", "counter", "Passes by campaign and outcome"),
    ("outreachd_pass_seconds_max", "gauge", "Longest pass of the last hour"),
    ("outreachd_plan_seconds", "gauge", "Time from the start of the latest pass to its recorded plan"),
    ("outreachd_pushes_total", "counter", "Pushes settled by passes, by campaign and verdict"),
    ("outreachd_pushes_open", "gauge", "Pushes that are not settled, by campaign and state"),
    ("outreachd_in_doubt", "gauge", "Pushes of which nobody knows whether they arrived"),
    ("outreachd_enrolled", "gauge", "Contacts that are in a campaign"),
    ("outreachd_answers_total", "counter", "Contacts that replied, bounced or unsubscribed"),
    ("outreachd_condition", "gauge", "1 while a condition of a campaign holds"),
    ("outreachd_condition_since_seconds", "gauge", "Unix time since when the condition is as it is"),
    ("outreachd_limit_left", "gauge", "Enrollments left of today's limit"),
    (
        "outreachd_stop_lag_seconds_max",
        "gauge",
        "Longest time from a stop to the last hand-over after it, last day",
    ),
    ("outreachd_feed_lag_seconds", "gauge", "Time since a provider's news or a mailbox were last read"),
    ("outreachd_sender_paused", "gauge", "1 while a mailbox or provider account is paused"),
    ("outreachd_file_problems", "gauge", "Errors in the declared files; those before are in force"),
    ("outreachd_last_pass_timestamp_seconds", "gauge", "Unix time of the latest pass of a campaign"),
];

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new().route("/metrics", get(scrape))
}

async fn scrape(State(shared): State<Arc<Shared>>) -> Result<Response, PageFault> {
    let text = text(&shared).await?;
    Ok(([("content-type", "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

async fn text(shared: &Shared) -> Result<String, Fault> {
    let now = Now::of(shared).await?;
    let mut samples = figures::all(&shared.store, now.at).await?;
    let healthy = shared.health.wanting().is_none();
    samples.push(Sample::plain("outreachd_up", f64::from(u8::from(healthy))));
    let problems = now.declared.diagnostics.iter().filter(|one| one.is_error()).count();
    samples.push(Sample::plain("outreachd_file_problems", problems as f64));
    limits(shared, &now, &mut samples).await?;
    Ok(written(&samples, shared.clock.now()))
}

async fn limits(shared: &Shared, now: &Now, samples: &mut Vec<Sample>) -> Result<(), Fault> {
    let limited = now.manifest.campaigns.iter().filter(|one| one.limits.on_day(0).is_some());
    for campaign in limited {
        let start = campaign.day_start(now.at);
        let mails = now.sends_mails(campaign);
        let handed = figures::handed(&shared.store, campaign.number, start, mails).await?;
        let day = handed.first.map_or(0, |first| campaign.days_between(first, now.at));
        let limit = campaign.limits.on_day(day).map_or(0, i64::from);
        let left = (limit - handed.today).max(0);
        samples.push(Sample::of_campaign("outreachd_limit_left", campaign.number, left as f64));
    }
    Ok(())
}

/// In the order of the list, each with its meaning.
fn written(samples: &[Sample], now: DateTime<Utc>) -> String {
    let mut text = String::new();
    for (name, kind, help) in METRICS {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for sample in samples.iter().filter(|sample| sample.name == name) {
            let labels: Vec<String> = sample
                .labels
                .0
                .iter()
                .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
                .collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(text, "{name}{labels} {}", sample.value);
        }
    }
    let _ = writeln!(text, "# as of {}", (now + TimeDelta::zero()).to_rfc3339());
    text
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_every_metric_is_told_of() {
        let mut sample = Sample::of_campaign("outreachd_enrolled", 12, 3.0);
        sample.labels.0.insert("provider".to_owned(), "a\"b\\c\nd".to_owned());
        let text = written(&[sample], DateTime::default());
        assert!(
            text.contains("outreachd_enrolled{campaign=\"12\",provider=\"a\\\"b\\\\c\\nd\"} 3\n"),
            "{text}"
        );
        assert_eq!(text.matches("# TYPE ").count(), METRICS.len());
    }
}
