//! `outreachd explain`: why a contact is, or is not, in a campaign.

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use super::exit::Coded;
use super::output::{BOLD, DIM, GREEN, RED, YELLOW, paint};
use super::session::Session;
use super::{Exit, Format, Globals, output};
use crate::audience::Tree;
use crate::model::printable;
use crate::reconcile::{Explanation, explain, words};
use crate::store::contacts::{self, Contact, PushLine};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The contact's address or id.
    contact: String,
    /// Only this campaign, by name or number.
    #[arg(long)]
    campaign: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let session = Session::open(globals).await?;
    let names: Vec<String> = arguments.campaign.iter().cloned().collect();
    let campaigns = session.campaigns(&names)?;
    let context = session.context();
    let contacts = contacts::find(context.store, &arguments.contact).await?;
    if contacts.is_empty() {
        return Err(Coded::error(Exit::Failed, "no contact has this address or id"));
    }
    let mut answers = Vec::new();
    for contact in &contacts {
        let mut explanations = Vec::new();
        for campaign in &campaigns {
            explanations.push(explain(&context, campaign, contact).await?);
        }
        let pushes = contacts::pushes(context.store, contact.employee_id).await?;
        if arguments.format == Format::Text {
            output::write(&text(contact, &explanations, &pushes))?;
        }
        answers.push(json!({ "contact": contact, "campaigns": explanations, "pushes": pushes }));
    }
    if arguments.format == Format::Json {
        output::json(&answers)?;
    }
    Ok(Exit::Done)
}

fn text(contact: &Contact, explanations: &[Explanation], pushes: &[PushLine]) -> String {
    let shown = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), printable);
    let mut text = format!(
        "{} <{}>\n  {}, {}\n  {}\n",
        paint(BOLD, shown(&contact.full_name)),
        shown(&contact.email),
        shown(&contact.position),
        shown(&contact.company_name),
        paint(DIM, contact.employee_id),
    );
    if let Some(number) = contact.campaign_number {
        let _ = writeln!(
            text,
            "  campaign {number}, {}, sent {}",
            shown(&contact.campaign_status),
            shown(&contact.outreach_sent_date)
        );
    }
    for (set, name) in [
        (contact.reply_unsubscribe, "unsubscribed"),
        (contact.reply_bounce, "bounced"),
        (contact.reply_info_request, "asked for information"),
    ] {
        if set {
            let _ = writeln!(text, "  {} {name}", paint(YELLOW, "flag:"));
        }
    }
    for suppression in &contact.suppressions {
        let _ = writeln!(
            text,
            "  {} {suppression}",
            paint(RED, "suppressed:"),
            suppression = printable(suppression)
        );
    }
    for explanation in explanations {
        let _ = writeln!(
            text,
            "\n{} {}\n  {}",
            paint(BOLD, &explanation.campaign),
            paint(DIM, format!("#{}", explanation.number)),
            explanation.verdict
        );
        for reason in &explanation.further {
            let _ = writeln!(text, "  {} {}", paint(YELLOW, "and:"), words(reason));
        }
        for field in &explanation.unset_fields {
            let _ = writeln!(text, "  {} {field} is not set", paint(YELLOW, "missing:"));
        }
        if let Some(tree) = &explanation.rule {
            branch(&mut text, tree, 1);
        }
    }
    if !pushes.is_empty() {
        let _ = writeln!(text, "\n{}", paint(DIM, "handed over"));
    }
    for push in pushes {
        let at = push.handed_at.map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string());
        let answer =
            push.answer.as_ref().map_or_else(String::new, |answer| format!(": {}", printable(answer)));
        let _ = writeln!(
            text,
            "  {at}  {}  {} ({}) {}{answer}",
            push.campaign_number,
            push.action,
            printable(&push.reason),
            push.state
        );
    }
    text.push('\n');
    text
}

fn branch(text: &mut String, tree: &Tree, depth: usize) {
    let mark = if tree.verdict { paint(GREEN, "✓") } else { paint(RED, "✗") };
    let value = match &tree.value {
        Some(value) if tree.text => format!(" {}", paint(DIM, format!("is {:?}", printable(value)))),
        Some(value) => format!(" {}", paint(DIM, format!("is {}", printable(value)))),
        None if tree.unset => format!(" {}", paint(DIM, "is not set")),
        None => String::new(),
    };
    let _ = writeln!(text, "{}{mark} {}{value}", "  ".repeat(depth), tree.label);
    for child in &tree.children {
        branch(text, child, depth + 1);
    }
}
