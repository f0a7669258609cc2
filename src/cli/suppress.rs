//! `outreachd suppress`: addresses and domains that are never written to.

use clap::{Args, Subcommand, ValueEnum};

use super::exit::Coded;
use super::session::{self, Database};
use super::{Exit, Format, Globals, output};
use crate::model::{Clock as _, SystemClock, is_address, normalize_address};
use crate::store::events::ByHand;
use crate::store::suppressions::{self};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Never write to these addresses (`anna@x.example`) or domains (`@x.example`) again.
    Add {
        #[arg(required = true)]
        targets: Vec<String>,
        #[arg(long, value_enum, default_value_t = Reason::DoNotContact)]
        reason: Reason,
        /// Why, in your words.
        #[arg(long)]
        note: Option<String>,
    },
    /// Take suppressions back.
    Remove {
        #[arg(required = true)]
        targets: Vec<String>,
    },
    /// Show all suppressions.
    List {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Reason {
    Unsubscribed,
    Bounced,
    Complained,
    DoNotContact,
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Unsubscribed => "unsubscribed",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
            Self::DoNotContact => "do_not_contact",
        }
    }
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    // A stop must get through even when a file is broken.
    let project = crate::manifest::load(&globals.root).project;
    let actor = session::actor();
    let by = ByHand { actor: &actor, at: SystemClock.now() };
    match &arguments.command {
        Command::Add { targets, reason, note } => {
            let targets = parse(targets)?;
            let database = Database::migrated(globals, project.as_ref()).await?;
            for target in targets {
                let added =
                    suppressions::add(&database.store, &target, reason.as_str(), note.as_deref(), "cli", by)
                        .await?;
                let word = if added { "suppressed" } else { "was suppressed already:" };
                output::write(&format!("{word} {target}\n"))?;
            }
        }
        Command::Remove { targets } => {
            let targets = parse(targets)?;
            let database = Database::migrated(globals, project.as_ref()).await?;
            for target in targets {
                let removed = suppressions::remove(&database.store, &target, by).await?;
                let word = if removed { "no longer suppressed:" } else { "was not suppressed:" };
                output::write(&format!("{word} {target}\n"))?;
                let flagged = suppressions::flagged(&database.store, &target).await?;
                if !flagged.is_empty() {
                    output::remark(&format!(
                        "note: {} with this address still carry a reply flag and stay stopped",
                        output::count(flagged.len() as i64, "contact")
                    ));
                }
            }
        }
        Command::List { format } => {
            let database = Database::migrated(globals, project.as_ref()).await?;
            let list = suppressions::list(&database.store).await?;
            if *format == Format::Json {
                output::json(&list)?;
            } else if list.is_empty() {
                output::write("Nothing is suppressed.\n")?;
            } else {
                let rows: Vec<Vec<String>> = list
                    .into_iter()
                    .map(|one| {
                        let since = one.created_at.format("%Y-%m-%d %H:%M").to_string();
                        vec![one.target, one.reason, one.source, since, one.note.unwrap_or_default()]
                    })
                    .collect();
                output::write(&output::table(&["target", "reason", "source", "since", "note"], &rows))?;
            }
        }
    }
    Ok(Exit::Done)
}

/// All targets are checked before any is acted on.
fn parse(targets: &[String]) -> anyhow::Result<Vec<String>> {
    let normal = |text: &String| {
        let target = normalize_address(text);
        let valid = match target.strip_prefix('@') {
            Some(domain) => is_address(&format!("x@{domain}")),
            None => is_address(&target),
        };
        if valid {
            return Ok(target);
        }
        let message = format!("{text:?} is neither an address (anna@x.example) nor a domain (@x.example)");
        Err(Coded::error(Exit::Usage, message))
    };
    targets.iter().map(normal).collect()
}
