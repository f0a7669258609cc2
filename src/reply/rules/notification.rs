//! Notifications in JSON, as sending services mail them.

use serde_json::Value;

use super::super::mail::Mail;
use super::super::reading::{Action, Delivery, Kind};
use super::super::status;
use super::Finding;
use crate::model::normalize_address;

const BOUNCED: &str = "notification-bounce";
const COMPLAINED: &str = "notification-complaint";
const OTHER: &str = "notification-other";
pub(super) const RULES: &[&str] = &[BOUNCED, COMPLAINED, OTHER];

pub(super) fn look(mail: &Mail<'_>) -> Option<Finding> {
    let text = mail.body().trim_start();
    if !text.starts_with('{') || !(text.contains("notificationType") || text.contains("eventType")) {
        return None;
    }
    let outer = parse(text)?;
    let inner = outer.get("Message").and_then(Value::as_str).and_then(parse).unwrap_or(outer);
    let event = inner.get("notificationType").or_else(|| inner.get("eventType"))?.as_str()?;
    Some(match event {
        "Bounce" => {
            let bounce = &inner["bounce"];
            let deliveries = recipients(&bounce["bouncedRecipients"])
                .map(|(address, recipient)| bounced(bounce, address, recipient))
                .collect();
            Finding::new(Kind::Bounce, BOUNCED, format!("{} bounce", bounce["bounceType"])).about(deliveries)
        }
        "Complaint" => {
            let complaint = &inner["complaint"];
            let mut found = Finding::new(Kind::Complaint, COMPLAINED, "a complaint");
            found.complainant =
                recipients(&complaint["complainedRecipients"]).next().map(|(address, _)| address);
            found
        }
        other => Finding::new(Kind::Other, OTHER, other),
    })
}

/// Long lines were folded for transport with `!`, line break and blank.
fn parse(text: &str) -> Option<Value> {
    let first = |text: &str| serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok();
    first(text).or_else(|| first(&text.replace("\r\n", "\n").replace("!\n ", "").replace("!\n", "")))
}

fn recipients(list: &Value) -> impl Iterator<Item = (String, &Value)> {
    list.as_array().into_iter().flatten().filter_map(|recipient| {
        Some((normalize_address(recipient.get("emailAddress")?.as_str()?), recipient))
    })
}

fn bounced(bounce: &Value, address: String, recipient: &Value) -> Delivery {
    let text = |name: &str| recipient.get(name).and_then(Value::as_str).unwrap_or_default();
    let diagnostic = text("diagnosticCode");
    let verdict = status::verdict(text("status"), diagnostic);
    let hard = match (bounce["bounceType"].as_str(), bounce["bounceSubType"].as_str()) {
        (Some("Permanent"), Some("NoEmail" | "Suppressed" | "OnAccountSuppressionList")) => true,
        (Some("Transient"), _) => false,
        _ => verdict.hard,
    };
    Delivery {
        address,
        forwarded_to: None,
        action: Action::Failed,
        status: verdict.status,
        hard: Some(hard),
        diagnostic: diagnostic.to_owned(),
    }
}
