//! What ties an incoming mail to one that went out.

use serde::Serialize;

use super::mail::Mail;

/// Headers of ours carry this prefix, and come back in what is returned.
const OWN_PREFIX: &str = "x-outreachd-";

/// Everything in a mail that can name the one it answers. Match in this order, the first hit wins: `delivered_to` (VERP),
/// `envelope_id`, `in_reply_to`, `references`, `returned_ids` and `marks`, then addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ids {
    /// Its own Message-ID, to see the same mail in two folders once. Ids have no angle brackets.
    pub message_id: Option<String>,
    /// Addresses it was sent to, as the envelope tells first: Delivered-To, X-Original-To, Envelope-To, To.
    pub delivered_to: Vec<String>,
    /// Original-Envelope-Id of a delivery status: the ENVID that was given at MAIL FROM.
    pub envelope_id: Option<String>,
    pub in_reply_to: Vec<String>,
    /// The nearest one first.
    pub references: Vec<String>,
    /// Message-IDs of the returned mail and of the mail that a receipt speaks of.
    pub returned_ids: Vec<String>,
    /// `X-Outreachd-*` headers of the returned mail, names lower-cased.
    pub marks: Vec<(String, String)>,
    /// Recipients of the returned mail.
    pub returned_to: Vec<String>,
}

impl Ids {
    pub(super) fn of(mail: &Mail<'_>) -> Self {
        let mut references = message_ids(&mail.header_text("references"));
        references.reverse();
        let original = mail.original();
        let mut returned_ids: Vec<String> = original.all("message-id").flat_map(message_ids).collect();
        returned_ids.extend(mail.receipt().get("original-message-id").map(message_ids).unwrap_or_default());
        let envelope_id = mail.status_blocks().iter().find_map(|block| {
            block.get("original-envelope-id").or_else(|| block.get("x-original-envelope-id"))
        });
        let mut unique = Vec::new();
        for id in returned_ids {
            if !unique.contains(&id) {
                unique.push(id);
            }
        }
        Self {
            message_id: message_ids(&mail.header_text("message-id")).into_iter().next(),
            delivered_to: mail.delivered_to().to_vec(),
            envelope_id: envelope_id.map(ToOwned::to_owned),
            in_reply_to: message_ids(&mail.header_text("in-reply-to")),
            references,
            returned_ids: unique,
            marks: original
                .iter()
                .filter(|(name, _)| name.starts_with(OWN_PREFIX))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            returned_to: mail.original_recipients().to_vec(),
        }
    }

    /// What stands after the first `+` of the addresses it was delivered to: candidates for a VERP token, letter case kept.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.delivered_to.iter().filter_map(|address| Some(address.split_once('@')?.0.split_once('+')?.1))
    }
}

/// Ids in angle brackets; without any, the words that look like ids.
pub(super) fn message_ids(text: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut rest = text;
    while let Some((_, tail)) = rest.split_once('<') {
        let Some((id, tail)) = tail.split_once('>') else { break };
        let id: String = id.split_whitespace().collect();
        if !id.is_empty() {
            ids.push(id);
        }
        rest = tail;
    }
    if ids.is_empty() {
        ids = text.split_whitespace().filter(|word| word.contains('@')).map(ToOwned::to_owned).collect();
    }
    ids
}
