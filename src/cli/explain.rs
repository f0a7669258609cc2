//! `outreachd explain`: why a contact is, or is not, in a campaign.

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use super::exit::Coded;
use super::output::{BOLD, DIM, GREEN, RED, YELLOW, paint};
use super::session::Session;
use super::{Exit, Format, Globals, output};
use crate::audience::{Scope, Tree};
use crate::model::{Campaign, FieldRef, FieldSource, Skip, WithdrawReason, printable};
use crate::reconcile::Planner;
use crate::store::contacts::{self, Contact, PushLine};
use crate::store::diff::Verdict;
use crate::store::segment::explain_contact;

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

/// One campaign's answer.
#[derive(Debug, serde::Serialize)]
struct Explanation {
    campaign: String,
    number: i32,
    /// The answer in one sentence.
    verdict: String,
    /// `None` when the contact has no company.
    rule: Option<Tree>,
    skip: Option<String>,
    leaves: Option<String>,
    /// What else would keep it out, or make it leave.
    further: Vec<String>,
    status: Option<String>,
    action: Option<String>,
    unset_fields: Vec<String>,
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
            explanations.push(explain(&session, campaign, contact).await?);
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

async fn explain(session: &Session, campaign: &Campaign, contact: &Contact) -> anyhow::Result<Explanation> {
    let context = session.context();
    let people = [contact.employee_id];
    let mut planner = Planner::open(&context).await?;
    let scope = Scope { segments: &session.manifest.segments, as_of: planner.as_of() };
    let found = planner.verdicts(campaign, &people).await?;
    let rule = match session.manifest.segments.get(&campaign.segment) {
        Some(segment) if found.is_ok() => {
            explain_contact(&session.database.store, &segment.rule, &scope, contact.employee_id).await?
        }
        _ => None,
    };
    let required: Vec<FieldRef> = campaign
        .fields
        .values()
        .filter_map(|source| match source {
            FieldSource::Column { from, default: None } => Some(from.clone()),
            _ => None,
        })
        .collect();
    let (verdict, sentence) = match found {
        Ok(found) => {
            let verdict = found.into_iter().next().unwrap_or_else(|| Verdict::nothing(people[0]));
            let sentence = sentence(&verdict, rule.as_ref());
            (verdict, sentence)
        }
        Err(message) => (Verdict::nothing(people[0]), format!("cannot tell: {}", printable(&message))),
    };
    let further = verdict.further();
    let Verdict { skip, leaves, status, action, against, .. } = verdict;
    let unset_fields = if against.iter().any(|reason| reason == Skip::MissingField.code()) {
        contacts::unset(context.store, &required, contact.employee_id).await?
    } else {
        Vec::new()
    };
    Ok(Explanation {
        campaign: campaign.name.clone(),
        number: campaign.number,
        verdict: sentence,
        rule,
        skip,
        leaves,
        further,
        status,
        action,
        unset_fields,
    })
}

fn words(code: &str) -> &str {
    let known = Skip::parse(code).map(Skip::text);
    known.or_else(|| WithdrawReason::parse(code).map(WithdrawReason::text)).unwrap_or(code)
}

fn sentence(verdict: &Verdict, rule: Option<&Tree>) -> String {
    match (&verdict.action, &verdict.skip, &verdict.leaves) {
        _ if verdict.in_flight => "on its way: a push is not settled yet".to_owned(),
        (Some(action), _, Some(reason)) if action == "withdraw" => {
            format!("will be withdrawn: {}", words(reason))
        }
        (Some(action), ..) if action == "enroll" => "will be enrolled".to_owned(),
        (Some(action), ..) if action == "send" => "is enrolled; its next mail is due".to_owned(),
        (Some(_), ..) => "is enrolled; its fields will be updated".to_owned(),
        (None, _, _) if verdict.live => "is enrolled".to_owned(),
        (None, Some(skip), _) => format!("is not enrolled: {}", words(skip)),
        (None, None, _) => match (&verdict.status, rule) {
            (Some(status), _) => format!("was enrolled and is {status}"),
            (None, None) => "is not in the audience: it has no company".to_owned(),
            (None, Some(rule)) if !rule.verdict => {
                "is not in the audience: the rule does not let it in".to_owned()
            }
            (None, Some(_)) => "is not enrolled: the campaign takes nobody in".to_owned(),
        },
    }
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
