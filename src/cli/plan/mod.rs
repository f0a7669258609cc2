//! `outreachd plan`: what apply would do, and why. Changes nothing.

mod base;
mod comparison;
mod json;
mod markdown;
mod text;

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::session::Session;
use super::{Exit, Globals, output};
use crate::model::{Campaign, Plan};
use crate::reconcile::{Context, Planner, compare, total};

pub(super) use text::{campaign as campaign_text, plan as plan_text};

/// How a plan is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people: counts, reasons, a sample.
    #[default]
    Text,
    /// For programs: every action.
    Json,
    /// For a pull request's comment.
    Markdown,
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only these campaigns, by name or number.
    campaigns: Vec<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// How many contacts of each kind of action to show.
    #[arg(long, value_name = "N", default_value_t = 5)]
    show: u32,
    /// Also write the plan as JSON to a file, for `apply FILE`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Exit with 2 when there is something to do.
    #[arg(long)]
    detailed_exitcode: bool,
    /// Only what the change of the files since a commit does to people: who enters, who leaves, by which clause.
    #[arg(long, value_name = "REV", conflicts_with_all = ["out", "campaigns"])]
    base: Option<String>,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    if let Some(revision) = &arguments.base {
        return against(globals, arguments, revision).await;
    }
    let session = Session::open(globals).await?;
    let campaigns = session.campaigns(&arguments.campaigns)?;
    let context = session.context();
    let mut planner = Planner::open_for(&context, &campaigns).await?;
    let samples = if arguments.format == Format::Json { 0 } else { i64::from(arguments.show) };
    let plan = make(&context, &mut planner, &campaigns, samples, true).await?;
    if let Some(path) = &arguments.out {
        let failed = || format!("could not write the plan to {}", path.display());
        // A pipe or a terminal is written to as it is; a file appears whole or not at all.
        let is_special = std::fs::metadata(path).is_ok_and(|about| !about.is_file());
        let partial = path.with_extension("partial");
        let target = if is_special { path } else { &partial };
        let mut options = std::fs::OpenOptions::new();
        // It holds addresses: nobody else reads it.
        options.write(true).create(!is_special).truncate(!is_special).mode(0o600);
        let file = options.open(target).with_context(failed)?;
        json::write(&mut planner, &campaigns, &plan, std::io::BufWriter::new(file)).await?;
        if !is_special {
            std::fs::rename(&partial, path).with_context(failed)?;
        }
    }
    match arguments.format {
        Format::Text => output::write(&text::plan(&plan))?,
        Format::Markdown => output::write(&markdown::plan(&plan))?,
        Format::Json => {
            let stdout = std::io::BufWriter::new(std::io::stdout().lock());
            json::write(&mut planner, &campaigns, &plan, stdout).await?;
        }
    }
    // What could not be read is not nothing to do, whoever asks.
    if plan.untold() > 0 {
        return Ok(Exit::HeldBack);
    }
    let changes = plan.campaigns.iter().any(|plan| plan.changes() > 0 || plan.blocked.is_some());
    Ok(if arguments.detailed_exitcode && changes { Exit::Changes } else { Exit::Done })
}

/// Compares the files with those of a commit.
async fn against(globals: &Globals, arguments: &Arguments, revision: &str) -> anyhow::Result<Exit> {
    let base = base::read(&globals.root, revision).await?;
    let session = Session::open(globals).await?;
    let before = base.manifest.with_paused(&session.paused);
    let compared = compare(&session.context(), &before, &base.revision, i64::from(arguments.show)).await?;
    match arguments.format {
        Format::Text => output::write(&comparison::text(&compared))?,
        Format::Markdown => output::write(&comparison::markdown(&compared))?,
        Format::Json => output::json(&compared)?,
    }
    if compared.untold() > 0 {
        return Ok(Exit::HeldBack);
    }
    let moves = compared.campaigns.iter().any(|part| !part.is_quiet());
    Ok(if arguments.detailed_exitcode && moves { Exit::Changes } else { Exit::Done })
}

/// Plans the campaigns, which stand in order of rank.
pub(super) async fn make<'a>(
    context: &Context<'a>,
    planner: &mut Planner<'a>,
    campaigns: &[&'a Campaign],
    samples: i64,
    funnel: bool,
) -> anyhow::Result<Plan> {
    let mut plans = Vec::with_capacity(campaigns.len());
    // The funnel reads every contact once more: at the same time, and of the same snapshot.
    let mut twin = if funnel { Some(planner.twin(context).await?) } else { None };
    for campaign in campaigns {
        let steps = async {
            match &mut twin {
                Some(twin) => twin.funnel(campaign).await,
                None => Ok(Vec::new()),
            }
        };
        let (plan, steps) = tokio::join!(planner.campaign(campaign, samples), steps);
        let mut plan = plan?;
        let steps = steps?;
        if plan.is_told() {
            plan.funnel = steps;
        }
        plans.push(plan);
    }
    let orphans = planner.orphans().await?;
    Ok(total(planner.as_of(), plans, orphans))
}
