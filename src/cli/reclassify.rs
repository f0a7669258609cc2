//! `outreachd reclassify`: the present rules on the mails of the past.

use clap::Args;
use serde_json::{Value, json};

use super::output::count;
use super::replies::what_came;
use super::session::{self, Session};
use super::{Exit, Format, Globals, output};
use crate::model::Clock as _;
use crate::reconcile::inbox::{self, Changed};
use crate::store::events::ByHand;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only show which mails would be read otherwise, and whose flags would flip.
    #[arg(long)]
    dry_run: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let session = Session::open(globals).await?;
    let actor = session::actor();
    let by = ByHand { actor: &actor, at: session.clock.now() };
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut list: Vec<Value> = Vec::new();
    let tell = |one: &Changed| {
        let Changed { stored, judged } = one;
        rows.push(vec![
            stored.id.to_string().chars().take(8).collect(),
            stored.email.clone().unwrap_or_default(),
            format!("{} ({})", stored.kind, stored.rule),
            format!("{} ({})", judged.kind, judged.rule),
            flips(one).join(", "),
        ]);
        list.push(json!({
            "id": stored.id,
            "email": stored.email,
            "employee_id": stored.employee_id,
            "was": { "kind": stored.kind, "rule": stored.rule, "hard": stored.hard },
            "is": { "kind": judged.kind, "rule": judged.rule, "hard": judged.hard },
            "flips": flips(one),
        }));
    };
    let (seen, reread) =
        inbox::reclassify(&session.context(), (!arguments.dry_run).then_some(by), tell).await?;
    if arguments.format == Format::Json {
        output::json(&json!({ "read": seen, "applied": !arguments.dry_run, "changed": list }))?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        output::write(&format!("{} read again, all as before.\n", count(seen as i64, "mail")))?;
        return Ok(Exit::Done);
    }
    let changed = count(rows.len() as i64, "mail");
    output::write(&output::table(&["id", "contact", "was", "is", "flips"], &rows))?;
    let words = if arguments.dry_run {
        format!("{changed} of {seen} would be read otherwise; nothing was changed.\n")
    } else {
        format!("{changed} of {seen} read otherwise.\n{}", what_came(&reread))
    };
    output::write(&words)?;
    Ok(Exit::Done)
}

/// What flips on the contact, unless other mails stand for it.
fn flips(one: &Changed) -> Vec<String> {
    let Changed { stored, judged } = one;
    if stored.employee_id.is_none() {
        return Vec::new();
    }
    let flag = |kind: &str, hard: Option<bool>| match kind {
        "unsubscribe" | "complaint" => Some("reply_unsubscribe"),
        "bounce" if hard == Some(true) => Some("reply_bounce"),
        "info_request" => Some("reply_info_request"),
        _ => None,
    };
    let (was, is) = (flag(&stored.kind, stored.hard), flag(judged.kind, judged.hard));
    if was == is {
        return Vec::new();
    }
    was.map(|flag| format!("-{flag}")).into_iter().chain(is.map(|flag| format!("+{flag}"))).collect()
}
