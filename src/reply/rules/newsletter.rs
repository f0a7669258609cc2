//! Mail to many: lists, newsletters, notices of services. Nobody answers us with one.

use super::super::mail::Mail;
use super::super::reading::Kind;
use super::Finding;

const LIST: &str = "list-mail";
pub(super) const RULES: &[&str] = &[LIST];

const HEADERS: &[&str] =
    &["list-id", "list-unsubscribe", "list-post", "feedback-id", "x-campaignid", "x-mailgun-sid"];

pub(super) fn look(mail: &Mail<'_>) -> Option<Finding> {
    // Somebody who answers a mail of ours through a list still answers it.
    if mail.header("in-reply-to").is_some() || mail.subject_lower.starts_with("re:") {
        return None;
    }
    let by_header = HEADERS.iter().find(|name| mail.header(name).is_some()).copied();
    let precedence = mail.header_text("precedence").trim().to_ascii_lowercase();
    let evidence = by_header
        .or_else(|| ["list", "bulk", "junk"].contains(&precedence.as_str()).then_some("Precedence"))?;
    Some(Finding::new(Kind::Other, LIST, evidence))
}
