//! `outreachd replies`: mails that were read, and a person's word on what one says.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use uuid::Uuid;

use super::exit::Coded;
use super::output::{BOLD, YELLOW, count, paint};
use super::session::{self, Database, Session};
use super::{Exit, Format, Globals, output};
use crate::model::{Clock as _, printable};
use crate::reconcile::inbox;
use crate::reply;
use crate::store::DatabaseClock;
use crate::store::events::ByHand;
use crate::store::replies::{self, Listed, Reread, Shown};

/// Mails shown at once.
const SHOWN: i64 = 200;
/// Of what was said in one.
const MOST_SAID: usize = 4000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Mails that wait for a person's word; with --all every answer.
    List {
        #[arg(long)]
        all: bool,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// One mail: what it says, whom it answers, and what came of it.
    Show {
        /// Its id, or the beginning of it.
        id: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Say what a mail is. Your word wins over every rule, now and later; what the rules made of it is taken back.
    Correct {
        /// Its id, or the beginning of it.
        id: String,
        #[arg(value_enum)]
        kind: Kind,
    },
    /// Write to the colleagues of somebody who answered again, where their campaign leaves them alone.
    Release {
        /// The answer: its id, or the beginning of it.
        id: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Kind {
    Bounce,
    Complaint,
    Unsubscribe,
    AutoReply,
    InfoRequest,
    Reply,
    Other,
    /// What the rules say: takes an earlier correction back.
    AsRead,
}

impl Kind {
    const fn word(self) -> Option<&'static str> {
        match self {
            Self::Bounce => Some("bounce"),
            Self::Complaint => Some("complaint"),
            Self::Unsubscribe => Some("unsubscribe"),
            Self::AutoReply => Some("auto_reply"),
            Self::InfoRequest => Some("info_request"),
            Self::Reply => Some("reply"),
            Self::Other => Some("other"),
            Self::AsRead => None,
        }
    }
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    match &arguments.command {
        None => list(globals, false, Format::Text).await,
        Some(Command::List { all, format }) => list(globals, *all, *format).await,
        Some(Command::Show { id, format }) => show(globals, id, *format).await,
        Some(Command::Correct { id, kind }) => correct(globals, id, *kind).await,
        Some(Command::Release { id }) => release(globals, id).await,
    }
}

async fn open(globals: &Globals) -> anyhow::Result<Database> {
    // What was said can be looked at even when a file is broken.
    let project = crate::manifest::load(&globals.root).project;
    Database::migrated(globals, project.as_ref()).await
}

async fn list(globals: &Globals, all: bool, format: Format) -> anyhow::Result<Exit> {
    let database = open(globals).await?;
    let list = replies::list(&database.store, !all, SHOWN).await?;
    if format == Format::Json {
        output::json(&list)?;
    } else if list.is_empty() {
        output::write(if all { "No answers were read.\n" } else { "No mail waits for a person's word.\n" })?;
    } else {
        let rows: Vec<Vec<String>> = list.iter().map(row).collect();
        let headings = ["id", "received", "kind", "from", "campaign", "because"];
        output::write(&output::table(&headings, &rows))?;
        if !all {
            output::remark("outreachd replies show ID, then outreachd replies correct ID KIND");
        }
    }
    Ok(Exit::Done)
}

fn row(one: &Listed) -> Vec<String> {
    let kind = match (&one.corrected_by, one.confidence.as_str()) {
        (Some(by), _) => format!("{} ({by})", one.kind),
        (None, "unsure") => format!("{}?", one.kind),
        (None, _) => one.kind.clone(),
    };
    vec![
        short(one.id),
        minute(one.received_at),
        kind,
        printable(one.email.as_deref().or(one.from.as_deref()).unwrap_or_default()),
        one.campaign_number.map_or_else(String::new, |number| format!("#{number}")),
        format!("{}: {}", one.rule, printable(&one.evidence)),
    ]
}

fn short(id: Uuid) -> String {
    id.to_string().chars().take(8).collect()
}

fn minute(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%d %H:%M").to_string()
}

async fn find(store: &crate::store::Store, id: &str) -> anyhow::Result<Shown> {
    let mut found = replies::show(store, id).await?;
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => {
            Err(Coded::error(Exit::Usage, format!("several mails begin with {id}: write more of it")))
        }
        (None, _) => Err(Coded::error(
            Exit::Usage,
            format!("no mail has the id {id}: see `outreachd replies list --all`"),
        )),
    }
}

async fn show(globals: &Globals, id: &str, format: Format) -> anyhow::Result<Exit> {
    let database = open(globals).await?;
    let one = find(&database.store, id).await?;
    let said = reply::read(&one.raw).said;
    if format == Format::Json {
        let mut value = serde_json::to_value(&one)?;
        value["said"] = json!(said);
        output::json(&value)?;
    } else {
        output::write(&as_text(&one, &said))?;
    }
    Ok(Exit::Done)
}

fn as_text(one: &Shown, said: &str) -> String {
    let Shown { listed, .. } = one;
    let mut lines = vec![format!("{} {}", paint(BOLD, &listed.kind), listed.id)];
    match &listed.corrected_by {
        Some(by) => lines.push(format!("  {by} says so; the rules say {}", one.said_by_rules)),
        None if listed.confidence == "unsure" => {
            lines.push(format!("  {}", paint(YELLOW, "the rules are not sure")));
        }
        None => {}
    }
    lines.push(format!("  because {}: {}", listed.rule, printable(&listed.evidence)));
    lines.push(format!(
        "  received {} UTC in {} of {}",
        minute(listed.received_at),
        printable(&one.folder),
        listed.mailbox
    ));
    lines.push(match (&listed.email, listed.campaign_number) {
        (Some(email), Some(number)) => format!(
            "  answers what went to {email} in campaign #{number}, as {} tells",
            listed.matched_by.as_deref().unwrap_or("nothing").replace('_', " ")
        ),
        _ => format!("  answers nobody of ours{}", stranger(listed)),
    });
    if let Some(status) = &one.status {
        lines.push(format!("  status {status}"));
    }
    if let Some(until) = one.away_until {
        lines.push(format!("  away until {} UTC", minute(until)));
    }
    lines.push(match &one.meaning {
        Some(meaning) => format!("  counts as {meaning}"),
        None => "  changes nothing".to_owned(),
    });
    if !one.flags_set.is_empty() {
        lines.push(format!("  has set {}", one.flags_set.join(", ")));
    }
    if !said.is_empty() {
        let cut: String = said.chars().take(MOST_SAID).collect();
        lines.push(String::new());
        lines.extend(cut.lines().map(|line| format!("  | {}", printable(line))));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// For mails of strangers: who that is, and what one can do.
fn stranger(listed: &Listed) -> String {
    let Some(from) = &listed.from else { return String::new() };
    let from = printable(from);
    let mut words = format!(": from {from}");
    if matches!(listed.kind.as_str(), "unsubscribe" | "complaint") {
        words.push_str(
            "\n  if it is a contact with another address: outreachd suppress add ADDRESS; \
             then correct this mail, so that it waits no more",
        );
    }
    words
}

async fn correct(globals: &Globals, id: &str, kind: Kind) -> anyhow::Result<Exit> {
    let session = Session::open(globals).await?;
    let one = find(&session.database.store, id).await?;
    let actor = session::actor();
    let by = ByHand { actor: &actor, at: session.clock.now() };
    let done = inbox::correct(&session.context(), one.listed.id, kind.word(), by).await?;
    let Some(reread) = done else {
        return Err(Coded::error(Exit::Failed, format!("mail {id} is gone")));
    };
    let word = kind.word().unwrap_or(&one.said_by_rules);
    output::write(&format!("{} counts as {word} now\n{}", short(one.listed.id), what_came(&reread)))?;
    Ok(Exit::Done)
}

async fn release(globals: &Globals, id: &str) -> anyhow::Result<Exit> {
    let database = open(globals).await?;
    let one = find(&database.store, id).await?;
    let actor = session::actor();
    let by = ByHand { actor: &actor, at: DatabaseClock::read(&database.store).await?.now() };
    let released = replies::release(&database.store, one.listed.id, by).await?;
    output::write(if released {
        "their colleagues are written to again\n"
    } else {
        "no colleagues were left alone for that\n"
    })?;
    Ok(Exit::Done)
}

/// What second thoughts did.
pub(super) fn what_came(reread: &Reread) -> String {
    let Reread { lowered, raised } = reread;
    let mut text = String::new();
    let mut line = |n: i64, one: &str, words: &str| {
        if n > 0 {
            let _ = writeln!(text, "  {} {words}", count(n, one));
        }
    };
    line(lowered.stopped, "suppression", "lifted");
    line(lowered.written, "contact", "freed of what no mail stands for");
    line(raised.stopped, "suppression", "added");
    line(raised.written, "contact", "marked");
    line(raised.moved + lowered.moved, "enrollment", "moved");
    text
}
