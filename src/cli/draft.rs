//! `outreachd draft`: have a model draft fields for the contacts that campaigns would take next.

use std::fmt::Write as _;

use clap::Args;

use super::exit::Coded;
use super::output::{YELLOW, count, paint};
use super::session::Session;
use super::{Exit, Format, Globals, output};
use crate::intake::draft::{self, Context, Order, Report};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only these campaigns, by name or number.
    #[arg(long, value_name = "CAMPAIGN")]
    campaign: Vec<String>,
    /// Show how many calls would be made. Asks nobody.
    #[arg(long)]
    dry_run: bool,
    /// Calls that this run may make, instead of what outreach.yaml says. The day's budget holds all the same.
    #[arg(long, value_name = "N")]
    max_calls: Option<u32>,
    /// Take lost answers for gone: their prompts may be paid for again.
    #[arg(long, conflicts_with = "dry_run")]
    retry_lost: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let session = Session::open(globals).await?;
    let Some(settings) = &session.manifest.project.drafting else {
        let message = "outreach.yaml declares no `drafting`: nothing is drafted";
        return Err(Coded::error(Exit::InvalidFiles, message));
    };
    let numbers: Vec<i32> = if arguments.campaign.is_empty() {
        Vec::new()
    } else {
        session.campaigns(&arguments.campaign)?.iter().map(|campaign| campaign.number).collect()
    };
    let pass = session.context();
    let context = Context {
        store: pass.store,
        manifest: &session.manifest,
        settings,
        clock: pass.clock,
        root: pass.root,
        holder: pass.holder,
        stop: pass.stop,
    };
    let order = Order {
        trigger: "draft",
        campaigns: &numbers,
        max_calls: arguments.max_calls,
        retry_lost: arguments.retry_lost,
        dry_run: arguments.dry_run,
    };
    let report = draft::run(&context, &order).await?;
    match arguments.format {
        Format::Json => output::json(&report)?,
        Format::Text => output::write(&text(&report))?,
    }
    Ok(if report.stopped.is_some() { Exit::HeldBack } else { Exit::Done })
}

fn text(report: &Report) -> String {
    let mut text = format!("{} without a draft\n", count(report.waiting, "field"));
    let made = if report.dry_run { "would be made" } else { "made" };
    let _ = writeln!(
        text,
        "{} {made}; {} from an answer that is there",
        count(report.calls, "call"),
        count(report.reused, "draft"),
    );
    for (state, n) in &report.drafts {
        let words = match state.as_str() {
            "approved" => "may be used",
            "drafted" => "wait for somebody to approve them: outreachd drafts list",
            _ => "did not pass the checks: outreachd drafts list --state failed",
        };
        let _ = writeln!(text, "{n:>8}  {words}");
    }
    if report.unfilled > 0 {
        let _ = writeln!(text, "{:>8}  have values that do not fill the prompt", report.unfilled);
    }
    if report.lost > 0 {
        let _ = writeln!(
            text,
            "{} {} lost; --retry-lost pays for them again",
            paint(YELLOW, "note:"),
            count(report.lost, "answer"),
        );
    }
    if let Some(reason) = &report.stopped {
        let _ = writeln!(text, "{} {reason}", paint(YELLOW, "ended early:"));
    }
    text
}
