//! From a row of the diff to an action as people read it: who, why, and which fields change. Pure.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::render::{FieldRenderer, RenderError};
use crate::model::{Action, ActionKind, Change, WithdrawReason};
use crate::store::diff::ActionRow;

pub(super) fn action(row: ActionRow, renderer: &FieldRenderer) -> Action {
    let who = [row.full_name.as_str(), row.position.as_str(), row.company_name.as_str()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(", ");
    let mut changes = Vec::new();
    let mut reason = match row.action {
        ActionKind::Enroll => format!("in segment {}", row.reason),
        ActionKind::Update | ActionKind::Send => row.reason.replace('_', " "),
        ActionKind::Withdraw => match WithdrawReason::parse(&row.reason) {
            Some(leaving) => leaving.text().to_owned(),
            None => row.reason.clone(),
        },
    };
    if row.action != ActionKind::Withdraw {
        match rendered(&row, renderer) {
            Ok(fields) if row.action == ActionKind::Update => changes = changed(&row, &fields),
            Ok(_) => {}
            Err(error) => reason = format!("{reason}; will be parked: {error}"),
        }
    }
    Action { action: row.action, employee_id: row.employee_id, email: row.email, reason, changes, who }
}

/// The fields as they would be handed over.
fn rendered(row: &ActionRow, renderer: &FieldRenderer) -> Result<Map<String, Value>, RenderError> {
    let plain = row.fields.clone().unwrap_or_default();
    match &row.inputs {
        Some(inputs) => renderer.render(plain, inputs),
        None => Ok(plain),
    }
}

fn changed(row: &ActionRow, new: &Map<String, Value>) -> Vec<Change> {
    let old = row.held.clone().unwrap_or_default();
    let mut names: BTreeSet<&String> = old.keys().collect();
    names.extend(new.keys());
    let value = |fields: &Map<String, Value>, name: &str| fields.get(name).cloned().unwrap_or(Value::Null);
    let mut changes: Vec<Change> = names
        .into_iter()
        .map(|name| Change { field: name.clone(), old: value(&old, name), new: value(new, name) })
        .filter(|change| change.old != change.new)
        .collect();
    if let Some(held) = row.held_email.as_ref().filter(|held| **held != row.email) {
        changes.insert(
            0,
            Change {
                field: "email".to_owned(),
                old: Value::String(held.clone()),
                new: Value::String(row.email.clone()),
            },
        );
    }
    changes
}
