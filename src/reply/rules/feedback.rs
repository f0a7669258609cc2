//! Feedback reports: somebody pressed "this is spam" (RFC 5965, 6430, 6591).

use std::borrow::Cow;

use super::super::addresses;
use super::super::fields::Fields;
use super::super::mail::Mail;
use super::super::reading::Kind;
use super::Finding;

const COMPLAINT: &str = "arf-complaint";
const OPT_OUT: &str = "arf-opt-out";
const HARMLESS: &str = "arf-harmless";
const JUNK_BUTTON: &str = "junk-report";
pub(super) const RULES: &[&str] = &[COMPLAINT, OPT_OUT, HARMLESS, JUNK_BUTTON];

pub(super) fn look(mail: &Mail<'_>) -> Option<Finding> {
    let report = match &mail.feedback {
        Some(report) => Cow::Borrowed(report),
        // The MIME is broken, the fields are somewhere in the text.
        None if mail.report_type.as_deref() == Some("feedback-report") => {
            let start = mail.body().to_ascii_lowercase().find("feedback-type:")?;
            Cow::Owned(Fields::parse(mail.body().get(start..).unwrap_or_default()))
        }
        None => return junk_button(mail),
    };
    let kind = report.get("feedback-type").unwrap_or("abuse").to_ascii_lowercase();
    let (meaning, rule) = match kind.trim() {
        "not-spam" | "auth-failure" | "dmarc" => (Kind::Other, HARMLESS),
        kind if kind.starts_with("opt-out") => (Kind::Unsubscribe, OPT_OUT),
        _ => (Kind::Complaint, COMPLAINT),
    };
    let mut found = Finding::new(meaning, rule, format!("Feedback-Type: {kind}"));
    found.complainant = complainant(mail, &report);
    Some(found)
}

/// The address that complained; reports often hide it, and then the returned mail tells.
fn complainant(mail: &Mail<'_>, report: &Fields) -> Option<String> {
    ["original-rcpt-to", "removal-recipient", "redacted-address"]
        .iter()
        .find_map(|name| report.all(name).find_map(addresses::first))
        .or_else(|| only_one(mail.original_recipients()))
}

fn only_one(recipients: &[String]) -> Option<String> {
    recipients.first().filter(|_| recipients.len() == 1).cloned()
}

/// Reports of a form older than the standard.
fn junk_button(mail: &Mail<'_>) -> Option<Finding> {
    if !mail.subject_lower.contains("complaint about message from") || !mail.returns_something {
        return None;
    }
    let mut found = Finding::new(Kind::Complaint, JUNK_BUTTON, mail.subject.as_str());
    found.complainant = mail.original_recipients().first().cloned();
    Some(found)
}
