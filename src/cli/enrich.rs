//! `outreachd enrich`: look up which addresses are alive, what missing ones are, and facts of companies.

use std::fmt::Write as _;

use clap::Args;
use rust_decimal::Decimal;

use super::exit::Coded;
use super::output::{BOLD, DIM, YELLOW, paint};
use super::session::Session;
use super::{Exit, Format, Globals, output};
use crate::intake::enrich::{self, Context, Dns, Order, Report};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Contacts of this segment, whatever their processing status; otherwise whoever is `pending`.
    #[arg(long, value_name = "SEGMENT")]
    segment: Option<String>,
    /// Show what would be asked and what it would cost. Asks nobody.
    #[arg(long)]
    dry_run: bool,
    /// Credits that this run may use, instead of what outreach.yaml says. The day's budget holds all the same.
    #[arg(long, value_name = "N")]
    max_credits: Option<Decimal>,
    /// Take lost answers for gone: their questions may be paid for again.
    #[arg(long, conflicts_with = "dry_run")]
    retry_lost: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    if arguments.max_credits.is_some_and(|most| most.is_sign_negative()) {
        return Err(Coded::error(Exit::Usage, "--max-credits cannot be negative"));
    }
    let session = Session::open(globals).await?;
    let Some(settings) = &session.manifest.project.enrichment else {
        let message = "outreach.yaml declares no `enrichment`: nothing is looked up";
        return Err(Coded::error(Exit::InvalidFiles, message));
    };
    let segment = match &arguments.segment {
        None => None,
        Some(name) => Some(session.manifest.segments.get(name).ok_or_else(|| {
            let known: Vec<&str> = session.manifest.segments.keys().map(String::as_str).collect();
            let message = format!("no segment is named {name}; there are: {}", known.join(", "));
            Coded::error(Exit::Usage, message)
        })?),
    };
    let pass = session.context();
    let dns = Dns::of_system();
    let context = Context {
        store: pass.store,
        project: &session.manifest.project,
        settings,
        segments: &session.manifest.segments,
        clock: pass.clock,
        root: pass.root,
        holder: pass.holder,
        stop: pass.stop,
        domains: &dns,
    };
    let order = Order {
        trigger: "enrich",
        segment,
        max_credits: arguments.max_credits,
        retry_lost: arguments.retry_lost,
    };
    let report = if arguments.dry_run {
        enrich::plan(&context, &order).await?
    } else {
        enrich::run(&context, &order).await?
    };
    match arguments.format {
        Format::Json => output::json(&report)?,
        Format::Text => output::write(&text(&report))?,
    }
    Ok(if report.stopped.is_some() { Exit::HeldBack } else { Exit::Done })
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for step in &report.steps {
        let _ = writeln!(text, "{}", paint(BOLD, step.step));
        let asked = if report.dry_run { "would be asked" } else { "asked" };
        let _ = writeln!(
            text,
            "  {} waiting   {} refused before they cost   {} {asked}",
            step.waiting, step.refused, step.asked
        );
        for (outcome, n) in &step.answers {
            let _ = writeln!(text, "  {n:>8}  {outcome}");
        }
    }
    let used = if report.dry_run { "would cost at most" } else { "cost" };
    let _ = writeln!(
        text,
        "{used} {} credits; {}",
        report.credits.normalize(),
        paint(DIM, format!("{} left today", report.left_today.normalize())),
    );
    if report.shared > 0 {
        let _ = writeln!(
            text,
            "{} took over what was known of their address",
            output::count(report.shared as i64, "contact")
        );
    }
    if report.jobs_open > 0 {
        let _ = writeln!(
            text,
            "{} still worked on; the next run reads what comes of it",
            output::count(report.jobs_open, "job")
        );
    }
    if report.lost > 0 {
        let _ = writeln!(
            text,
            "{} {} lost and will not be bought again by itself; --retry-lost does it",
            paint(YELLOW, "note:"),
            output::count(report.lost, "answer"),
        );
    }
    if let Some(reason) = &report.stopped {
        let _ = writeln!(text, "{} {reason}", paint(YELLOW, "ended early:"));
    }
    text
}
