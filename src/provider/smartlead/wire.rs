//! Smartlead's JSON, read with patience: numbers as texts, several envelopes, several shapes of one reply. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::model::normalize_address;

/// A number, also where it comes as text.
pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// An id as text, also where it comes as a number.
pub(super) fn id(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

pub(super) fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str().filter(|text| !text.is_empty())
}

pub(super) fn instant(value: &Value) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(value.as_str()?).ok().map(|at| at.with_timezone(&Utc))
}

/// What an error says, in whichever envelope.
pub(super) fn message(body: &Value) -> Option<String> {
    let plain = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let nested = body.get("error").and_then(|error| error.get("message")).and_then(plain);
    let said = nested.or_else(|| {
        ["message", "error", "errorCode"].iter().find_map(|name| body.get(*name).and_then(plain))
    });
    // Long enough for every sentence known; a page of HTML is none.
    said.map(|said| said.chars().take(300).collect())
}

/// `retry_after` in the body of a 429.
pub(super) fn retry_after(body: &str) -> Option<i64> {
    let body: Value = serde_json::from_str(body).ok()?;
    number(body.get("error")?.get("retry_after")?)
}

/// Whether a 500 is a refusal in the course of business and not an accident.
pub(super) fn is_business(said: &str) -> bool {
    let said = said.to_lowercase();
    [
        "last sequence",
        "invalid",
        "not exist",
        "does not",
        "already",
        "cannot",
        "can not",
        "needs at least",
        "limit",
    ]
    .iter()
    .any(|words| said.contains(words))
}

/// What became of added leads, as far as the reply tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Added {
    /// Addresses in the campaign now, with the lead's id.
    pub(super) here: BTreeMap<String, String>,
    /// Addresses that other campaigns hold; whether they were taken as well is not said.
    pub(super) elsewhere: BTreeMap<String, String>,
    /// The two above were given at all. Counters are never taken for an answer.
    pub(super) has_ids: bool,
    pub(super) invalid: BTreeSet<String>,
    pub(super) unsubscribed: BTreeSet<String>,
    pub(super) blocked: bool,
    pub(super) bounced: bool,
    /// The plan admits no more leads.
    pub(super) exhausted: Option<String>,
}

impl Added {
    pub(super) fn read(reply: &Value) -> Self {
        let mut added = Self::default();
        if let Some(map) = reply.get("emailToLeadIdMap").filter(|map| map.is_object()) {
            added.has_ids = true;
            added.here = ids(map.get("newlyAddedLeads"));
            added.here.extend(ids(map.get("existingLeads")));
            added.elsewhere = ids(map.get("existingLeadsInOtherCampaigns"));
        }
        added.invalid = addresses(reply.get("invalid_emails"));
        added.unsubscribed = addresses(reply.get("unsubscribed_leads"));
        let some = |name: &str| {
            reply.get(name).is_some_and(|value| match value {
                Value::Array(items) => !items.is_empty(),
                value => number(value).unwrap_or(0) > 0,
            })
        };
        added.blocked = some("block_count") || some("blocked_count");
        added.bounced = some("bounce_count");
        if reply.get("is_lead_limit_exhausted").and_then(Value::as_bool) == Some(true) {
            let said = message(reply).unwrap_or_else(|| "the plan admits no more leads".to_owned());
            added.exhausted = Some(said);
        }
        added
    }
}

fn ids(map: Option<&Value>) -> BTreeMap<String, String> {
    map.and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(email, value)| (normalize_address(email), id(value).unwrap_or_default()))
        .collect()
}

fn addresses(list: Option<&Value>) -> BTreeSet<String> {
    list.and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.as_str().or_else(|| text(entry, "email")))
        .map(normalize_address)
        .collect()
}

/// A page of a list: its rows, whatever the envelope.
pub(super) fn rows(reply: &Value) -> Vec<Value> {
    let list = reply
        .as_array()
        .or_else(|| ["data", "leads"].iter().find_map(|name| reply.get(*name).and_then(Value::as_array)));
    list.cloned().unwrap_or_default()
}

/// A lead as a look-up by address shows it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) id: Option<String>,
    pub(super) unsubscribed: bool,
    /// Campaigns that it is in.
    pub(super) campaigns: BTreeSet<String>,
}

impl Found {
    /// An unknown address is an empty object.
    pub(super) fn read(reply: &Value) -> Self {
        let campaigns = reply.get("lead_campaign_data").and_then(Value::as_array);
        Self {
            id: reply.get("id").and_then(id),
            unsubscribed: reply.get("is_unsubscribed").and_then(Value::as_bool).unwrap_or(false),
            campaigns: campaigns
                .into_iter()
                .flatten()
                .filter_map(|entry| id(entry.get("campaign_id")?))
                .collect(),
        }
    }
}

/// The records of a CSV text, quoted or not; the first one names the columns.
pub(super) fn csv(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut records: Vec<Vec<String>> = Vec::new();
    let (mut record, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            letter => cell.push(letter),
        }
    }
    if !cell.is_empty() || !record.is_empty() {
        record.push(cell);
        records.push(record);
    }
    let mut records = records.into_iter().filter(|record| record.iter().any(|cell| !cell.is_empty()));
    let Some(head) = records.next() else { return Vec::new() };
    records.map(|record| head.iter().cloned().zip(record).collect()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counters_say_nothing_and_ids_do() {
        let reply = json!({
            "ok": true, "upload_count": "3", "total_leads": 1, "block_count": "1", "unsubscribed_leads": ["U@x.example"],
            "emailToLeadIdMap": {
                "newlyAddedLeads": { "A@x.example": "7" },
                "existingLeads": { "b@x.example": 8 },
                "existingLeadsInOtherCampaigns": { "c@x.example": "9" },
            },
        });
        let added = Added::read(&reply);
        assert_eq!(
            added.here.into_iter().collect::<Vec<_>>(),
            [("a@x.example".into(), "7".into()), ("b@x.example".into(), "8".into())]
        );
        assert!(
            added.has_ids && added.blocked && !added.bounced && added.unsubscribed.contains("u@x.example")
        );
        for other in
            [json!({ "ok": true, "inserted_count": 3 }), json!({ "added_count": 3, "skipped_leads": [] })]
        {
            assert!(!Added::read(&other).has_ids);
        }
        let full = json!({ "ok": false, "is_lead_limit_exhausted": true, "error": "The lead credit limit has been reached" });
        assert_eq!(Added::read(&full).exhausted.as_deref(), Some("The lead credit limit has been reached"));
    }

    #[test]
    fn every_envelope_is_read() {
        for body in [
            json!({ "error": { "code": "X", "message": "no" } }),
            json!({ "message": "no", "validation": {} }),
            json!({ "error": "no" }),
            json!({ "ok": false, "errorCode": "no" }),
        ] {
            assert_eq!(message(&body).as_deref(), Some("no"), "{body}");
        }
        assert_eq!(rows(&json!({ "total": 1, "leads": [1] })), [json!(1)]);
        assert_eq!(number(&json!(" 42 ")), Some(42));
        assert_eq!(Found::read(&json!({})), Found::default());
    }

    #[test]
    fn an_export_is_read_cell_by_cell() {
        let rows = csv("id,email,note\n\"1\",\"a@b.co\",\"say \"\"hi\"\",\nyes\"\r\n2,c@d.co,\n");
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0]["note"], "say \"hi\",\nyes");
        assert_eq!((rows[1]["id"].as_str(), rows[1]["note"].as_str()), ("2", ""));
        assert!(csv("").is_empty());
    }
}
