//! `outreachd history`: the latest passes.

use clap::Args;

use super::output::{DIM, paint};
use super::session::Session;
use super::{Exit, Format, Globals, output};
use crate::store::history::{self, Entry};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only this campaign, by name or number.
    campaign: Option<String>,
    /// How many passes to show.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let session = Session::open(globals).await?;
    let number = match &arguments.campaign {
        Some(name) => Some(session.campaign(name)?.number),
        None => None,
    };
    let entries = history::list(session.context().store, number, i64::from(arguments.limit)).await?;
    if arguments.format == Format::Json {
        output::json(&entries)?;
        return Ok(Exit::Done);
    }
    if entries.is_empty() {
        output::write("No pass has been made yet.\n")?;
        return Ok(Exit::Done);
    }
    let headings = [
        "started", "took", "campaign", "trigger", "files", "plan", "accepted", "refused", "put off",
        "in doubt", "outcome",
    ];
    let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    output::write(&output::table(&headings, &rows))?;
    for entry in entries.iter().filter(|entry| entry.message.is_some()) {
        let message = entry.message.as_deref().unwrap_or_default();
        output::write(&format!(
            "{}\n",
            paint(
                DIM,
                format!("{} {}: {message}", entry.started_at.format("%Y-%m-%d %H:%M:%S"), entry.campaign)
            )
        ))?;
    }
    Ok(Exit::Done)
}

fn row(entry: &Entry) -> Vec<String> {
    vec![
        entry.started_at.format("%Y-%m-%d %H:%M:%S").to_string(),
        took(entry),
        entry.campaign.clone(),
        entry.trigger.clone(),
        // As git shortens it; without git, what was declared.
        entry.git_revision.clone().unwrap_or_else(|| entry.manifest_digest.chars().take(8).collect()),
        format!("+{} ~{} -{} ={}", entry.enroll, entry.update, entry.withdraw, entry.keep),
        entry.accepted.to_string(),
        entry.refused.to_string(),
        entry.retry.to_string(),
        entry.in_doubt.to_string(),
        entry.outcome.clone(),
    ]
}

fn took(entry: &Entry) -> String {
    let Some(finished) = entry.finished_at else { return String::new() };
    let milliseconds = (finished - entry.started_at).num_milliseconds().max(0);
    if milliseconds < 10_000 {
        format!("{}.{:02} s", milliseconds / 1000, milliseconds % 1000 / 10)
    } else {
        format!("{} s", milliseconds / 1000)
    }
}
