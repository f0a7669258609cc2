//! What a pass says of its campaign, as conditions. Pure.

use super::{Applied, ReconcileError};
use crate::model::{Campaign, Condition, ConditionKind, Guard, State};
use crate::store::pauses::Pause;

/// The conditions after a pass, or after one that could not be made.
pub fn conditions(
    campaign: &Campaign,
    pause: Option<&Pause>,
    result: &Result<Applied, ReconcileError>,
) -> Vec<Condition> {
    let blocked = match result {
        Ok(applied) => applied.plan.blocked.as_ref().filter(|blocked| blocked.guard != Guard::QueryFailed),
        Err(_) => None,
    };
    let blocked = match (blocked, result) {
        (Some(blocked), _) => Some((format!("{:?}", blocked.guard), blocked.message.clone())),
        (None, Err(error @ ReconcileError::ProviderChanged { .. })) => {
            Some(("ProviderChanged".to_owned(), error.to_string()))
        }
        _ => None,
    };
    let degraded = degraded(result);
    let paused = match pause {
        Some(pause) => Some(("ByHand".to_owned(), format!("{} ({})", pause.reason, pause.paused_by))),
        None if campaign.state == State::Paused => {
            Some(("Declared".to_owned(), "its file says so".to_owned()))
        }
        None => None,
    };
    let ready = match (&blocked, &degraded) {
        (Some((reason, message)), _) | (None, Some((reason, message))) => {
            condition(ConditionKind::Ready, false, reason, message)
        }
        (None, None) if campaign.state == State::Archived => {
            condition(ConditionKind::Ready, true, "Archived", "whoever was in it has left")
        }
        (None, None) => condition(ConditionKind::Ready, true, "InStep", ""),
    };
    let or_not = |kind, found: Option<(String, String)>, otherwise: &str| match found {
        Some((reason, message)) => condition(kind, true, &reason, &message),
        None => condition(kind, false, otherwise, ""),
    };
    vec![
        ready,
        or_not(ConditionKind::Blocked, blocked, "WithinLimits"),
        or_not(ConditionKind::Degraded, degraded, "AllWell"),
        or_not(ConditionKind::Paused, paused, "Active"),
    ]
}

fn condition(kind: ConditionKind, holds: bool, reason: &str, message: &str) -> Condition {
    Condition { kind, holds, reason: reason.to_owned(), message: message.to_owned() }
}

fn degraded(result: &Result<Applied, ReconcileError>) -> Option<(String, String)> {
    let say = |reason: &str, message: String| Some((reason.to_owned(), message));
    let applied = match result {
        Ok(applied) => applied,
        Err(ReconcileError::ProviderChanged { .. }) => return None,
        Err(error) => return say(error.code(), error.chain()),
    };
    if let Some(blocked) = &applied.plan.blocked
        && blocked.guard == Guard::QueryFailed
    {
        return say("QueryFailed", blocked.message.clone());
    }
    let in_doubt = applied.settled.in_doubt + applied.recovered.in_doubt;
    if in_doubt > 0 {
        return say("InDoubt", format!("{in_doubt} pushes are in doubt: see `outreachd status`"));
    }
    if !applied.unread.is_empty() {
        let message = format!(
            "answers to {} were not read for too long, and nothing leaves from there: see `outreachd status`",
            applied.unread.join(", ")
        );
        return say("MailboxUnread", message);
    }
    let retry = applied.settled.retry;
    if retry > 0 {
        return say("PutOff", format!("the provider has put {retry} pushes off"));
    }
    None
}
