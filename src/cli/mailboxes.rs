//! What `outreachd status` says of mailboxes.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::output;
use super::output::{RED, YELLOW, paint};
use super::status::ago;
use crate::model::Project;
use crate::reconcile::inbox;
use crate::store::replies::feed::Row;

pub(super) fn as_json(project: &Project, rows: &[Row], now: DateTime<Utc>) -> Vec<Value> {
    let mailboxes = project.mailboxes.values();
    mailboxes
        .map(|mailbox| {
            let row = rows.iter().find(|row| row.name == mailbox.name);
            json!({
                "mailbox": mailbox.name,
                "is_read": mailbox.imap.is_some(),
                "is_stale": inbox::is_stale(mailbox, row, now),
                "read_at": row.and_then(|row| row.read_at),
                "read_fault": row.and_then(|row| row.read_fault.as_ref()),
                "paused_until": row.and_then(|row| row.paused_until),
                "paused_reason": row.and_then(|row| row.paused_reason.as_ref()),
            })
        })
        .collect()
}

pub(super) fn as_text(project: &Project, rows: &[Row], undecided: i64, now: DateTime<Utc>) -> String {
    let mut text = String::new();
    for mailbox in project.mailboxes.values() {
        let row = rows.iter().find(|row| row.name == mailbox.name);
        let mut words = Vec::new();
        if mailbox.imap.is_some() {
            words.push(match row.and_then(|row| row.read_at) {
                Some(at) => format!("read {}", ago(now, at)),
                None => "never read".to_owned(),
            });
        }
        if let Some(fault) = row.and_then(|row| row.read_fault.as_ref()) {
            words.push(fault.clone());
        }
        if inbox::is_stale(mailbox, row, now) {
            words.push(paint(RED, "nothing is sent from it until it is read"));
        }
        if let Some(row) = row
            && let Some(until) = row.paused_until.filter(|until| *until > now)
        {
            let reason = row.paused_reason.as_deref().unwrap_or_default();
            words.push(format!(
                "{} until {}: {reason} (sooner: `outreachd resume --mailbox {}`)",
                paint(YELLOW, "paused"),
                until.format("%H:%M UTC"),
                mailbox.name
            ));
        }
        if !words.is_empty() {
            let _ = writeln!(text, "mailbox {}: {}", mailbox.name, words.join("; "));
        }
    }
    if undecided > 0 {
        let waiting = output::count(undecided, "answer");
        let waiting = paint(YELLOW, format!("{waiting} to decide"));
        let _ = writeln!(text, "{waiting} for a person: `outreachd replies`");
    }
    text
}
