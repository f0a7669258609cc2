//! `outreachd drafts`: look at drafts, and decide on them.

use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};

use super::exit::Coded;
use super::output::{BOLD, DIM, paint};
use super::session::{self, Session};
use super::{Exit, Format, Globals, output};
use crate::model::{Clock as _, printable};
use crate::store::drafts::{self, Decision, DraftKey, Shown};
use crate::store::events::ByHand;

/// A person reads no more at once.
const MOST: i64 = 1000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Drafts that wait for somebody, or those of another state.
    List {
        /// Only these campaigns, by name or number.
        #[arg(long, value_name = "CAMPAIGN")]
        campaign: Vec<String>,
        #[arg(long, value_enum, default_value_t = State::Drafted)]
        state: State,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// One draft with its prompt and what the model said.
    Show {
        /// The draft's key, as `list` shows it.
        key: DraftKey,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Let drafts be used.
    Approve {
        /// Keys, as `list` shows them.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        keys: Vec<DraftKey>,
        /// All that wait, of the campaigns that are named, or of every one.
        #[arg(long)]
        all: bool,
        #[arg(long, value_name = "CAMPAIGN", requires = "all")]
        campaign: Vec<String>,
        /// Use this text instead; it is taken as it is.
        #[arg(long, value_name = "TEXT", conflicts_with = "all")]
        text: Option<String>,
    },
    /// Drafts that are never to be used: their contacts stay out.
    Reject {
        #[arg(required = true)]
        keys: Vec<DraftKey>,
    },
    /// Forget drafts, so that they are made anew. What would be sent as before is not paid for again.
    Redo {
        #[arg(required = true)]
        keys: Vec<DraftKey>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    /// Waits for somebody.
    Drafted,
    Approved,
    Rejected,
    /// Did not pass the checks.
    Failed,
    All,
}

impl State {
    const fn codes(self) -> &'static [&'static str] {
        match self {
            Self::Drafted => &["drafted"],
            Self::Approved => &["approved"],
            Self::Rejected => &["rejected"],
            Self::Failed => &["failed"],
            Self::All => &[],
        }
    }
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let session = Session::open(globals).await?;
    let store = &session.database.store;
    let numbers = |names: &[String]| -> anyhow::Result<Vec<i32>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        Ok(session.campaigns(names)?.iter().map(|campaign| campaign.number).collect())
    };
    match &arguments.command {
        Command::List { campaign, state, format } => {
            let shown = drafts::list(store, &numbers(campaign)?, state.codes(), None, MOST).await?;
            if *format == Format::Json {
                output::json(&shown)?;
            } else if shown.is_empty() {
                output::write("There are no such drafts.\n")?;
            } else {
                output::write(&shown.iter().map(short).collect::<String>())?;
            }
        }
        Command::Show { key, format } => {
            let shown = drafts::list(store, &[], &[], Some(key), 1).await?;
            let Some(one) = shown.first() else { return Err(unknown(key)) };
            match format {
                Format::Json => output::json(one)?,
                Format::Text => output::write(&whole(one))?,
            }
        }
        Command::Approve { keys, all, campaign, text } => {
            let text = text.as_deref().map(str::trim);
            if text.is_some_and(str::is_empty) || text.is_some() && keys.len() != 1 {
                return Err(Coded::error(Exit::Usage, "--text is the text of one draft, and not blank"));
            }
            let keys = if *all {
                let waiting = drafts::list(store, &numbers(campaign)?, &["drafted"], None, i64::MAX).await?;
                waiting.iter().filter_map(|one| one.key.parse().ok()).collect()
            } else {
                keys.clone()
            };
            return decide(&session, &keys, Decision::Approve { text }).await;
        }
        Command::Reject { keys } => return decide(&session, keys, Decision::Reject).await,
        Command::Redo { keys } => return decide(&session, keys, Decision::Redo).await,
    }
    Ok(Exit::Done)
}

fn unknown(key: &DraftKey) -> anyhow::Error {
    let DraftKey { campaign, employee_id, field } = key;
    Coded::error(
        Exit::Failed,
        format!("there is no draft {campaign}:{employee_id}:{field} of which this can be said"),
    )
}

async fn decide(session: &Session, keys: &[DraftKey], decision: Decision<'_>) -> anyhow::Result<Exit> {
    let actor = session::actor();
    let by = ByHand { actor: &actor, at: session.clock.now() };
    let word = match decision {
        Decision::Approve { .. } => "approved",
        Decision::Reject => "rejected",
        Decision::Redo => "will be made anew:",
    };
    for key in keys {
        if !drafts::decide(&session.database.store, key, decision, by).await? {
            return Err(unknown(key));
        }
        output::write(&format!("{word} {}:{}:{}\n", key.campaign, key.employee_id, key.field))?;
    }
    Ok(Exit::Done)
}

fn short(one: &Shown) -> String {
    let shown = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), printable);
    let mut text = format!(
        "{} {}, {} {}\n  {}\n",
        paint(BOLD, &one.key),
        shown(&one.full_name),
        shown(&one.company_name),
        paint(DIM, &one.state),
        printable(&one.text),
    );
    if let Some(problem) = &one.problem {
        let _ = writeln!(text, "  {} {}", paint(DIM, "because"), printable(problem));
    }
    text
}

fn whole(one: &Shown) -> String {
    let mut text = short(one);
    let line = |text: &mut String, name: &str, value: &str| {
        let _ = writeln!(text, "  {} {value}", paint(DIM, name));
    };
    line(&mut text, "model", one.model.as_deref().unwrap_or("-"));
    line(&mut text, "drafted", &one.drafted_at.format("%Y-%m-%d %H:%M").to_string());
    if let (Some(at), Some(by)) = (one.decided_at, &one.decided_by) {
        line(&mut text, "decided", &format!("{} by {}", at.format("%Y-%m-%d %H:%M"), printable(by)));
    }
    for (name, value) in [("prompt", &one.prompt), ("response", &one.response)] {
        let Some(value) = value else { continue };
        let _ = writeln!(text, "  {}", paint(DIM, name));
        for row in value.lines() {
            let _ = writeln!(text, "    {}", printable(row));
        }
    }
    text
}
