//! `outreachd apply`: bring providers and database to what is declared, or to a reviewed plan.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::exit::Coded;
use super::output::{GREEN, RED, YELLOW, count, paint};
use super::session::{self, Session};
use super::{Exit, Format, Globals, output, plan};
use crate::daemon::Looked;
use crate::model::{Campaign, Plan, Totals};
use crate::reconcile::{Applied, Context, Order, Planner, ReconcileError, reconcile};
use crate::store::history::PassOutcome;

/// How long `apply` waits for pushes that a provider put off before it leaves them to the next run.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A plan made by `plan --out FILE`: exactly that one, or nothing.
    plan: Option<PathBuf>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Let this campaign through once although the guard blocks it.
    #[arg(long, value_name = "CAMPAIGN")]
    approve: Vec<String>,
    /// Only these campaigns, by name or number.
    #[arg(long = "only", value_name = "CAMPAIGN", conflicts_with = "plan")]
    campaigns: Vec<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What `apply` needs of a plan file; its actions are skipped over.
#[derive(Deserialize)]
struct Reviewed {
    format_version: u32,
    digest: String,
    campaigns: Vec<ReviewedCampaign>,
    totals: Totals,
}

#[derive(Deserialize)]
struct ReviewedCampaign {
    campaign: String,
    number: i32,
    digest: String,
    enroll: i64,
    update: i64,
    withdraw: i64,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let reviewed = arguments.plan.as_deref().map(read_plan).transpose()?;
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if reviewed.is_none() && !arguments.yes && !terminal {
        let message = "without a terminal apply needs --yes, or a plan file made by `plan --out FILE`";
        return Err(Coded::error(Exit::Usage, message));
    }
    let session = Session::open(globals).await?;
    for name in &arguments.approve {
        session.campaign(name)?;
    }
    let names = match &reviewed {
        Some(reviewed) => reviewed.campaigns.iter().map(|part| part.number.to_string()).collect(),
        None => arguments.campaigns.clone(),
    };
    let campaigns = match &reviewed {
        Some(reviewed) => declared(&session, reviewed)?,
        None => session.campaigns(&names)?,
    };
    let context = session.context();
    let mut expected = BTreeMap::new();
    if reviewed.is_some() || !arguments.yes {
        let mut planner = Planner::open_for(&context, &campaigns).await?;
        let plan = plan::make(&context, &mut planner, &campaigns, 5, reviewed.is_none()).await?;
        drop(planner);
        match &reviewed {
            Some(reviewed) => compare(reviewed, &plan)?,
            None => {
                output::write(&plan::plan_text(&plan))?;
                if !confirmed().await? {
                    return Ok(Exit::HeldBack);
                }
            }
        }
        expected = plan.campaigns.iter().map(|part| (part.number, part.digest.clone())).collect();
    }
    let mut results = Vec::new();
    for campaign in campaigns {
        let order = Order {
            approved: arguments
                .approve
                .iter()
                .any(|name| *name == campaign.name || *name == campaign.number.to_string())
                .then(session::actor),
            expected: expected.get(&campaign.number).cloned(),
            ..Order::by_hand("apply", PATIENCE)
        };
        results.push(one(&context, campaign, &order, arguments.format).await?);
        if results.last().is_some_and(Outcome::is_database_away) {
            output::remark("the campaigns after it were not tried");
            break;
        }
    }
    finish(&results, arguments.format)
}

enum Outcome {
    Applied(Box<Applied>),
    Failed { campaign: String, error: ReconcileError },
}

impl Outcome {
    /// What ends one campaign would end the next.
    fn is_database_away(&self) -> bool {
        matches!(self, Self::Failed { error: ReconcileError::Store(error), .. } if error.is_away())
    }
}

/// One campaign; its failure ends it alone.
async fn one<'a>(
    context: &Context<'a>,
    campaign: &'a Campaign,
    order: &Order,
    format: Format,
) -> anyhow::Result<Outcome> {
    match Box::pin(reconcile(context, campaign, order)).await {
        Ok(applied) => {
            if format == Format::Text {
                output::write(&applied_text(&applied))?;
            }
            Ok(Outcome::Applied(Box::new(applied)))
        }
        Err(error) => {
            let message = error.chain();
            output::remark(&format!("{} {}: {message}", paint(RED, "failed"), campaign.name));
            Ok(Outcome::Failed { campaign: campaign.name.clone(), error })
        }
    }
}

pub(super) fn applied_text(applied: &Applied) -> String {
    let mut text = plan::campaign_text(&applied.plan);
    let settled = applied.settled;
    let mut line = |style, n: i64, words: &str| {
        if n > 0 {
            let _ = writeln!(text, "  {}", paint(style, format!("{n} {words}")));
        }
    };
    line(GREEN, applied.recovered.accepted, "of an earlier pass found at the provider");
    line(GREEN, settled.accepted, "accepted");
    line(RED, settled.refused, "refused: `outreachd explain ADDRESS` says why");
    line(YELLOW, settled.retry, &put_off(applied.put_off_until));
    line(RED, settled.in_doubt + applied.recovered.in_doubt, "in doubt, see `outreachd status`");
    line(YELLOW, applied.stopped, "stopped before they left");
    if settled.written > 0 {
        let _ = writeln!(text, "  {} written back", count(settled.written, "row"));
    }
    text
}

fn put_off(until: Option<DateTime<Utc>>) -> String {
    match until {
        Some(until) => format!(
            "put off until {}: an apply after that tries again",
            until.to_rfc3339_opts(SecondsFormat::Secs, true)
        ),
        None => "put off: the next apply tries again".to_owned(),
    }
}

/// Reports one round of the daemon; campaigns that needed no pass are not mentioned.
pub(super) fn finish_round(looked: Vec<Looked>, format: Format) -> anyhow::Result<Exit> {
    let mut results = Vec::new();
    for one in looked {
        match one.result {
            None => {}
            Some(Ok(applied)) => {
                if format == Format::Text {
                    output::write(&applied_text(&applied))?;
                }
                results.push(Outcome::Applied(Box::new(applied)));
            }
            Some(Err(error)) => {
                output::remark(&format!("{} #{}: {}", paint(RED, "failed"), one.number, error.chain()));
                results.push(Outcome::Failed { campaign: format!("#{}", one.number), error });
            }
        }
    }
    if results.is_empty() && format == Format::Text {
        output::write("Nothing to do now.\n")?;
    }
    finish(&results, format)
}

fn finish(results: &[Outcome], format: Format) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    let mut rank = |code: Exit| {
        // Held back says more than try again, and a failure more than both.
        let weight = |exit| match exit {
            Exit::Failed => 3,
            Exit::HeldBack => 2,
            Exit::TryAgain => 1,
            _ => 0,
        };
        if weight(code) > weight(exit) {
            exit = code;
        }
    };
    let mut rows = Vec::new();
    for result in results {
        match result {
            Outcome::Applied(applied) => {
                if applied.plan.blocked.is_some() || applied.settled.refused > 0 {
                    rank(Exit::HeldBack);
                }
                if applied.settled.in_doubt + applied.recovered.in_doubt > 0 {
                    rank(Exit::HeldBack);
                }
                if applied.settled.retry > 0 || applied.outcome == PassOutcome::Failed {
                    rank(Exit::TryAgain);
                }
                rows.push(json!({
                    "campaign": applied.plan.campaign,
                    "number": applied.plan.number,
                    "enroll": applied.plan.enroll,
                    "update": applied.plan.update,
                    "withdraw": applied.plan.withdraw,
                    "keep": applied.plan.keep,
                    "blocked": applied.plan.blocked,
                    "accepted": applied.settled.accepted,
                    "refused": applied.settled.refused,
                    "retry": applied.settled.retry,
                    "put_off_until": applied.put_off_until,
                    "in_doubt": applied.settled.in_doubt,
                    "recovered": applied.recovered.accepted,
                    "stopped": applied.stopped,
                    "written": applied.settled.written,
                    "error": null,
                }));
            }
            Outcome::Failed { campaign, error } => {
                rank(match error {
                    error if error.is_temporary() => Exit::TryAgain,
                    ReconcileError::Stale { .. } | ReconcileError::ProviderChanged { .. } => Exit::HeldBack,
                    _ => Exit::Failed,
                });
                rows.push(json!({ "campaign": campaign, "error": error.chain() }));
            }
        }
    }
    if format == Format::Json {
        output::json(&json!({ "campaigns": rows }))?;
    }
    Ok(exit)
}

fn read_plan(path: &Path) -> anyhow::Result<Reviewed> {
    let file = std::fs::File::open(path)
        .map_err(|error| Coded::error(Exit::Usage, format!("could not read {}: {error}", path.display())))?;
    let reviewed: Reviewed = serde_json::from_reader(BufReader::new(file)).map_err(|error| {
        Coded::error(Exit::InvalidFiles, format!("{} is not a plan of `plan --out`: {error}", path.display()))
    })?;
    if reviewed.format_version != crate::model::FORMAT_VERSION {
        let message = format!("{} is a plan of another version of outreachd: make a new one", path.display());
        return Err(Coded::error(Exit::InvalidFiles, message));
    }
    Ok(reviewed)
}

fn declared<'s>(session: &'s Session, reviewed: &Reviewed) -> anyhow::Result<Vec<&'s Campaign>> {
    let gone: Vec<&str> = reviewed
        .campaigns
        .iter()
        .filter(|part| session.campaign(&part.number.to_string()).is_err())
        .map(|part| part.campaign.as_str())
        .collect();
    if !gone.is_empty() {
        let message = format!(
            "the plan is stale and nothing was done: {} {} not declared any more",
            gone.join(", "),
            if gone.len() == 1 { "is" } else { "are" }
        );
        return Err(Coded::error(Exit::HeldBack, message));
    }
    let names: Vec<String> = reviewed.campaigns.iter().map(|part| part.number.to_string()).collect();
    if names.is_empty() { Ok(Vec::new()) } else { session.campaigns(&names) }
}

/// Refuses a plan that the world has moved on from, and says what moved.
fn compare(reviewed: &Reviewed, now: &Plan) -> anyhow::Result<()> {
    if reviewed.digest == now.digest {
        return Ok(());
    }
    let mut message = format!(
        "the plan is stale and nothing was done: it had + {} ~ {} - {}, now it would be + {} ~ {} - {}",
        reviewed.totals.enroll,
        reviewed.totals.update,
        reviewed.totals.withdraw,
        now.totals.enroll,
        now.totals.update,
        now.totals.withdraw
    );
    for part in &now.campaigns {
        let Some(then) = reviewed.campaigns.iter().find(|then| then.number == part.number) else { continue };
        if then.digest == part.digest {
            continue;
        }
        let was = (then.enroll, then.update, then.withdraw);
        let is = (part.enroll, part.update, part.withdraw);
        if was == is {
            let _ = write!(
                message,
                "\n  {}: as many actions, but for other contacts, values or settings",
                part.campaign
            );
        } else {
            let _ = write!(
                message,
                "\n  {}: + {} ~ {} - {} became + {} ~ {} - {}",
                part.campaign, was.0, was.1, was.2, is.0, is.1, is.2
            );
        }
    }
    message.push_str("\nMake a new plan and review it.");
    Err(Coded::error(Exit::HeldBack, message))
}

async fn confirmed() -> anyhow::Result<bool> {
    let mut stdout = std::io::stdout().lock();
    write!(stdout, "\nApply this? Only `yes` does it: ")?;
    stdout.flush()?;
    drop(stdout);
    // In a thread of its own, which holds up neither a signal nor the exit.
    let (said, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = said.send(std::io::stdin().lock().read_line(&mut line).map(|_| line));
    });
    let answer = answer.await.context("could not ask")?.context("could not read the answer")?;
    Ok(answer.trim() == "yes")
}
