//! Mails of people: leave me alone, a question, anything else.

use super::super::mail::Mail;
use super::super::reading::Kind;
use super::super::words::Words;
use super::{Finding, intent};

const UNSUBSCRIBE: &str = "says-leave-me-alone";
const UNSUBSCRIBE_SUBJECT: &str = "subject-unsubscribe";
const REQUEST: &str = "asks-for-something";
const QUESTION: &str = "asks-a-question";
const SOURCE: &str = "asks-for-our-source";
const DECLINE: &str = "says-no";
const REPLY: &str = "says-something";
const SILENT: &str = "says-nothing";
pub(super) const RULES: &[&str] =
    &[UNSUBSCRIBE, UNSUBSCRIBE_SUBJECT, REQUEST, QUESTION, SOURCE, DECLINE, REPLY, SILENT];

/// Subjects that mail programs write for the List-Unsubscribe header, and people by hand.
const SUBJECTS: &[&str] = &[
    "unsubscribe",
    "unsub",
    "remove",
    "remove me",
    "stop",
    "opt out",
    "opt-out",
    "optout",
    "отписаться",
    "отписка",
    "отпишите",
    "отписать",
    "удалить из рассылки",
];
/// A text under such a subject, longer than this, is about something else.
const FEW: usize = 12;

pub(super) fn look(mail: &Mail<'_>) -> Option<Finding> {
    let said = mail.said();
    let words = Words::of(said);
    let found = |kind, rule, evidence: String| Some(Finding::new(kind, rule, evidence));
    if let Some(told) = intent::leave_me_alone(&words) {
        return found(Kind::Unsubscribe, UNSUBSCRIBE, told);
    }
    if words.count() <= FEW && is_unsubscribe(&mail.subject_lower) {
        return found(Kind::Unsubscribe, UNSUBSCRIBE_SUBJECT, format!("subject “{}”", mail.subject));
    }
    if words.count() == 0 {
        let answers = mail.header("in-reply-to").is_some()
            || mail.subject_lower.starts_with("re:")
            || mail.has_calendar;
        let kind = if answers { Kind::Reply } else { Kind::Other };
        return Some(Finding::new(kind, SILENT, "no text of its own").unsure());
    }
    if let Some(told) = intent::asks_for_source(&words) {
        return Some(Finding::new(Kind::Reply, SOURCE, told).unsure());
    }
    let declines = intent::decline(&words);
    if let Some(told) = intent::request(&words) {
        // "No thanks. Could you ..." wants something; a person should see which.
        let finding = Finding::new(Kind::InfoRequest, REQUEST, told);
        return Some(if declines.is_some() { finding.unsure() } else { finding });
    }
    if let Some(told) = declines {
        return found(Kind::Reply, DECLINE, told);
    }
    let question =
        words.sentences().find(|(sentence, is_question)| *is_question && !intent::is_polite(sentence));
    if let Some((sentence, _)) = question {
        return found(Kind::InfoRequest, QUESTION, format!("{}?", sentence.join(" ")));
    }
    found(Kind::Reply, REPLY, said.to_owned())
}

fn is_unsubscribe(subject: &str) -> bool {
    let mut rest = subject.trim();
    while let Some(inner) = ["re:", "fw:", "fwd:", "ответ:"].iter().find_map(|mark| rest.strip_prefix(mark))
    {
        rest = inner.trim_start();
    }
    let rest = rest.trim_end_matches(['.', '!', ' ']);
    // Programs add a token of ours after the word.
    SUBJECTS.contains(&rest)
        || rest
            .strip_prefix("unsubscribe")
            .is_some_and(|token| token.starts_with([' ', ':']) && !token.trim().contains(' '))
}
