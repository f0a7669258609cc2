//! `outreachd feedback`: read what providers tell of contacts and what lies in mailboxes, now.

use clap::Args;
use serde_json::json;

use super::output::count;
use super::session::Session;
use super::{Exit, Format, Globals, output};
use crate::reconcile::{feedback, inbox};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only these campaigns, by name or number.
    campaigns: Vec<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let session = Session::open(globals).await?;
    let context = session.context();
    let mut mailboxes = Vec::new();
    // Whatever campaigns are asked for: an answer is found by reading all of them.
    for mailbox in session.manifest.project.mailboxes.values().filter(|mailbox| mailbox.imap.is_some()) {
        let taken = inbox::read_once(&context, mailbox).await?;
        if arguments.format == Format::Text {
            output::write(&match taken {
                Some(taken) => format!(
                    "mailbox {}: {} moved, {} written, {}\n",
                    mailbox.name,
                    count(taken.moved, "enrollment"),
                    count(taken.written, "row"),
                    count(taken.stopped, "new suppression"),
                ),
                None => format!("mailbox {}: another process reads it\n", mailbox.name),
            })?;
        }
        mailboxes.push(json!({
            "mailbox": mailbox.name,
            "read": taken.is_some(),
            "moved": taken.map(|taken| taken.moved),
            "written": taken.map(|taken| taken.written),
            "stopped": taken.map(|taken| taken.stopped),
        }));
    }
    let mut rows = Vec::new();
    for campaign in session.campaigns(&arguments.campaigns)? {
        let taken = feedback(&context, campaign).await?;
        if arguments.format == Format::Text {
            output::write(&format!(
                "{}: {} moved, {} written, {}, {} not ours\n",
                campaign.name,
                count(taken.moved, "enrollment"),
                count(taken.written, "row"),
                count(taken.stopped, "new suppression"),
                taken.strangers,
            ))?;
        }
        rows.push(json!({
            "campaign": campaign.name,
            "number": campaign.number,
            "moved": taken.moved,
            "written": taken.written,
            "stopped": taken.stopped,
            "strangers": taken.strangers,
        }));
    }
    if arguments.format == Format::Json {
        output::json(&json!({ "campaigns": rows, "mailboxes": mailboxes }))?;
    }
    Ok(Exit::Done)
}
