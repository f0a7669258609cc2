//! `outreachd audit`: looks for violations of what outreachd promises. Reads only.

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use super::output::{GREEN, RED, paint};
use super::session::Database;
use super::{Exit, Format, Globals, output};
use crate::store::audit::{self, INVARIANTS, Invariant, Violation};

/// Violations listed for each promise.
pub(super) const SHOWN: i64 = 100;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    // Broken files must not stand in the way of an audit.
    let project = crate::manifest::load(&globals.root).project;
    let database = Database::migrated(globals, project.as_ref()).await?;
    let mut found = Vec::new();
    for invariant in INVARIANTS {
        let violations = audit::violations(&database.store, invariant, SHOWN).await?;
        if arguments.format == Format::Text {
            output::write(&text(invariant, &violations))?;
        }
        found.push((invariant, violations));
    }
    if arguments.format == Format::Json {
        let list: Vec<_> = found
            .iter()
            .map(|(invariant, violations)| {
                json!({
                    "invariant": invariant.name,
                    "promise": invariant.promise,
                    "holds": violations.is_empty(),
                    "violations": violations,
                })
            })
            .collect();
        output::json(&list)?;
    }
    let broken = found.iter().any(|(_, violations)| !violations.is_empty());
    Ok(if broken { Exit::Failed } else { Exit::Done })
}

/// One promise, and what breaks it.
pub(super) fn text(invariant: &Invariant, violations: &[Violation]) -> String {
    let mark = if violations.is_empty() { paint(GREEN, "holds ") } else { paint(RED, "BROKEN") };
    let mut text = format!("{mark} {}: {}\n", invariant.name, invariant.promise);
    for violation in violations {
        let campaign =
            violation.campaign_number.map_or_else(String::new, |number| format!(" campaign {number}"));
        let contact = violation.employee_id.map_or_else(String::new, |id| format!(" contact {id}"));
        let _ = writeln!(text, "      {campaign}{contact}: {}", violation.detail);
    }
    text
}
