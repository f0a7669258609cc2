//! `notify` -> [`NoticeTarget`], one for each place.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::Findings;
use super::mail::{address, sender};
use super::project::{bounded, secret};
use super::raw::{RawMailbox, RawNoticeMail, RawNotify};
use super::yaml::child;
use crate::model::{Mailbox, NoticePlace, NoticeTarget, Span};

/// Who is told of conditions.
pub(super) fn check(
    findings: &mut Findings<'_>,
    raw: &[RawNotify],
    mailboxes: &BTreeMap<String, Mailbox>,
    declared: &BTreeMap<String, RawMailbox>,
) -> Vec<NoticeTarget> {
    let mut targets = Vec::new();
    for (index, RawNotify { slack, mail, after }) in raw.iter().enumerate() {
        let pointer = format!("/notify/{index}");
        let after = bounded(findings, &child(&pointer, "after"), after.as_ref(), 0, 86_400);
        let after = after.map_or(Duration::from_mins(1), Span::approximate);
        if slack.is_some() == mail.is_some() {
            let (code, message) = match slack {
                Some(_) => ("contradiction", "these are two ways to tell somebody"),
                None => ("missing-key", "nothing says how somebody is told"),
            };
            findings.error(&pointer, code, message).advise(
                "an entry is either `slack: \"${NAME}\"` or `mail: { to: [ops@example.com], from: NAME }`",
            );
        }
        let slack = slack.as_deref().and_then(|text| secret(findings, &child(&pointer, "slack"), text));
        let mut places: Vec<NoticePlace> = slack.map(NoticePlace::Slack).into_iter().collect();
        if let Some(raw) = mail {
            places.extend(by_mail(findings, &child(&pointer, "mail"), raw, mailboxes, declared));
        }
        targets.extend(places.into_iter().map(|place| NoticeTarget { place, after }));
    }
    targets
}

fn by_mail(
    findings: &mut Findings<'_>,
    pointer: &str,
    raw: &RawNoticeMail,
    mailboxes: &BTreeMap<String, Mailbox>,
    declared: &BTreeMap<String, RawMailbox>,
) -> Vec<NoticePlace> {
    let name = raw.from.as_deref();
    let from = name.and_then(|name| sender(findings, &child(pointer, "from"), name, mailboxes, declared));
    let mut places = Vec::new();
    for (index, text) in raw.to.iter().flatten().enumerate() {
        let to = address(findings, &format!("{}/{index}", child(pointer, "to")), text);
        if let (Some(to), Some(from)) = (to, from) {
            places.push(NoticePlace::Mail { to, from: Box::new(from.clone()) });
        }
    }
    places
}
