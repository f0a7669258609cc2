//! `outreachd status`: campaigns, counts, last pass, what is blocked or in doubt.

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::json;

use super::output::{BOLD, RED, YELLOW, paint};
use super::session::Session;
use super::{Exit, Format, Globals, output};
use crate::model::{Campaign, Clock as _, PushKey};
use crate::reconcile::{Planner, in_rank};
use crate::store::status::{self, CampaignStatus, InDoubt};

/// Pushes in doubt shown at once.
const SHOWN: i64 = 100;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let session = Session::open(globals).await?;
    let context = session.context();
    let campaigns = in_rank(&session.manifest.campaigns);
    let numbers: Vec<i32> = campaigns.iter().map(|campaign| campaign.number).collect();
    let figures = status::campaigns(context.store, &numbers).await?;
    let in_doubt = status::in_doubt(context.store, SHOWN).await?;
    let orphans = Planner::open(&context).await?.orphans().await?;
    let of = |campaign: &Campaign| figures.iter().find(|figure| figure.number == campaign.number);
    if arguments.format == Format::Json {
        let campaigns: Vec<_> = campaigns
            .iter()
            .map(|campaign| {
                json!({
                    "campaign": campaign.name,
                    "number": campaign.number,
                    "provider": campaign.provider,
                    "state": campaign.state,
                    "figures": of(campaign),
                })
            })
            .collect();
        let in_doubt: Vec<_> =
            in_doubt.iter().map(|push| json!({ "key": key(push).to_string(), "push": push })).collect();
        output::json(&json!({ "campaigns": campaigns, "in_doubt": in_doubt, "orphaned": orphans }))?;
        return Ok(Exit::Done);
    }
    let now = session.clock.now();
    let rows: Vec<Vec<String>> = campaigns
        .iter()
        .filter_map(|campaign| of(campaign).map(|figure| row(campaign, figure, now)))
        .collect();
    let headings = [
        "campaign",
        "#",
        "state",
        "provider",
        "enrolled",
        "ended",
        "refused",
        "put off",
        "in doubt",
        "last pass",
    ];
    output::write(&output::table(&headings, &rows))?;
    for orphan in &orphans {
        output::write(&format!(
            "{} {} #{} with {} enrolled and {}: no file declares it\n",
            paint(YELLOW, "orphaned"),
            orphan.campaign,
            orphan.number,
            orphan.enrolled,
            output::count(orphan.open, "open push")
        ))?;
    }
    if !in_doubt.is_empty() {
        output::write(&format!("\n{}\n", paint(RED, "In doubt: nobody knows whether these arrived")))?;
        for push in &in_doubt {
            output::write(&format!(
                "  {} {} -> {}: {}\n",
                paint(BOLD, key(push)),
                push.action,
                push.provider,
                push.answer.as_deref().unwrap_or("the process ended before an answer came")
            ))?;
        }
        output::write(
            "  The next apply asks the provider; where it cannot tell: outreachd resolve KEY --arrived|--not-arrived\n",
        )?;
    }
    Ok(Exit::Done)
}

fn key(push: &InDoubt) -> PushKey {
    PushKey { campaign: push.campaign_number, employee_id: push.employee_id, ordinal: push.ordinal }
}

fn row(campaign: &Campaign, figure: &CampaignStatus, now: DateTime<Utc>) -> Vec<String> {
    let ended = figure.replied + figure.bounced + figure.unsubscribed + figure.finished + figure.withdrawn;
    let last = match (&figure.last_outcome, figure.last_at) {
        (Some(outcome), Some(at)) => {
            let message =
                figure.last_message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
            format!("{outcome} {}{message}", ago(now, at))
        }
        _ => "never".to_owned(),
    };
    vec![
        campaign.name.clone(),
        campaign.number.to_string(),
        format!("{:?}", campaign.state).to_lowercase(),
        campaign.provider.clone(),
        figure.enrolled.to_string(),
        ended.to_string(),
        figure.failed.to_string(),
        figure.put_off.to_string(),
        figure.in_doubt.to_string(),
        last,
    ]
}

fn ago(now: DateTime<Utc>, then: DateTime<Utc>) -> String {
    let seconds = (now - then).num_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}
