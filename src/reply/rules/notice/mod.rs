//! Bounces in plain words: nearly half of all bounces follow no standard.
//!
//! Nothing here knows a single mail server. What they share is known: who writes them, how they begin, how they name
//! addresses. Each sign has a weight, and it takes signs of different kinds to call a mail a bounce.

mod lines;
mod phrases;
mod places;

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::super::mail::Mail;
use super::super::reading::{Action, Delivery, Kind};
use super::super::{addresses, status, words};
use super::Finding;

const FAILED: &str = "notice-failed";
const FAILED_HEADER: &str = "notice-failed-recipients-header";
const UNNAMED: &str = "notice-unnamed";
const DELAYED: &str = "notice-delayed";
const REACHED: &str = "notice-reached";
pub(super) const RULES: &[&str] = &[FAILED, FAILED_HEADER, UNNAMED, DELAYED, REACHED];

/// Headers that only mail servers set, on bounces.
const MARKS: &[&str] = &[
    "x-failed-recipients",
    "x-ms-exchange-message-is-ndr",
    "x-ms-embedded-report",
    "x-ahmailid",
    "x-mlserver",
];

/// This much evidence makes a bounce.
const ENOUGH: u32 = 5;
/// And this much where only the subject is that of a machine, or the mail is an answer: parcels are not delivered either.
const ENOUGH_OF_A_PERSON: u32 = 7;
/// Notices are short; what is longer says nothing new.
const MOST_NOTICE: usize = 32 * 1024;

static SUBJECTS: LazyLock<AhoCorasick> = LazyLock::new(|| words::automaton(phrases::SUBJECTS));
static SENDERS: LazyLock<AhoCorasick> = LazyLock::new(|| words::automaton(places::SENDERS));
static FAILURES: LazyLock<AhoCorasick> = LazyLock::new(|| words::automaton(phrases::FAILURES));
static DELAYS: LazyLock<AhoCorasick> = LazyLock::new(|| words::automaton(phrases::DELAYS));
static SUCCESSES: LazyLock<AhoCorasick> = LazyLock::new(|| words::automaton(phrases::SUCCESSES));
static FINAL: LazyLock<AhoCorasick> = LazyLock::new(|| words::automaton(phrases::FINAL));

pub(super) fn look(mail: &Mail<'_>) -> Option<Finding> {
    let notice = limited(mail.notice());
    let lower = notice.to_lowercase();
    let evidence = evidence(mail, &lower)?;
    if SUCCESSES.is_match(&lower) && status::reply_code(&lower).is_none() && status::codes(&lower).is_empty()
    {
        return Some(Finding::new(Kind::Other, REACHED, evidence));
    }
    let is_delayed = DELAYS.is_match(&lower) && !FINAL.is_match(&lower);
    let named = recipients(mail);
    let by_header = !failed_recipients_header(mail).is_empty();
    let only_one = named.len() == 1;
    let deliveries: Vec<Delivery> = named
        .into_iter()
        .map(|address| {
            let said = words_about(mail, &address, only_one);
            let verdict = status::verdict("", &said);
            let (action, hard) =
                if is_delayed { (Action::Delayed, false) } else { (Action::Failed, verdict.hard) };
            let hard = Some(hard);
            Delivery {
                address,
                forwarded_to: None,
                action,
                status: verdict.status,
                hard,
                diagnostic: shown(&said),
            }
        })
        .collect();
    Some(match (is_delayed, deliveries.is_empty()) {
        (true, _) => Finding::new(Kind::Other, DELAYED, evidence).about(deliveries),
        (false, true) => Finding::new(Kind::Bounce, UNNAMED, evidence).unsure(),
        (false, false) => {
            Finding::new(Kind::Bounce, if by_header { FAILED_HEADER } else { FAILED }, evidence)
                .about(deliveries)
        }
    })
}

/// Whether From or the headers are those of a mail server.
pub(super) fn is_from_machine(mail: &Mail<'_>) -> bool {
    SENDERS.is_match(&mail.from_lower) || has_mark(mail).is_some()
}

/// Addresses that the notice says were not reached, in its order; else whom the returned mail was for.
pub(super) fn recipients(mail: &Mail<'_>) -> Vec<String> {
    let declared = failed_recipients_header(mail);
    if !declared.is_empty() {
        return declared;
    }
    lines::recipients(mail, limited(mail.notice()), limited(mail.below_notice()))
}

/// What the notice says about one address, for status and words of the server.
pub(super) fn words_about(mail: &Mail<'_>, address: &str, only_one: bool) -> String {
    let notice = limited(mail.notice());
    if only_one {
        return notice.to_owned();
    }
    let mut about = String::new();
    let mut is_about = false;
    for line in notice.lines() {
        let named = addresses::all(line);
        if !named.is_empty() {
            is_about = named.iter().any(|name| name == address);
        }
        if is_about {
            about.push_str(line);
            about.push('\n');
        }
    }
    about
}

fn failed_recipients_header(mail: &Mail<'_>) -> Vec<String> {
    mail.headers("x-failed-recipients").iter().flat_map(|value| addresses::all(value)).collect()
}

fn has_mark(mail: &Mail<'_>) -> Option<&'static str> {
    if let Some(mark) = MARKS.iter().find(|mark| mail.header(mark).is_some()) {
        return Some(mark);
    }
    if mail.headers("received").iter().any(|received| received.contains("invoked for bounce")) {
        return Some("Received: for bounce");
    }
    mail.header("x-mailer").is_some_and(|mailer| mailer.contains("<SMTP32")).then_some("X-Mailer")
}

/// Why this is a bounce; `None` where it is not.
fn evidence(mail: &Mail<'_>, notice: &str) -> Option<String> {
    let mut signs: Vec<(u32, String)> = Vec::new();
    let answers = ["re:", "aw:", "fw:", "fwd:", "ответ:", "ha:", "отв:", "sv:"]
        .iter()
        .any(|mark| mail.subject_lower.starts_with(mark));
    if let Some(hit) = SENDERS.find(&mail.from_lower) {
        signs.push((3, format!("from {}", &mail.from_lower[hit.range()])));
    }
    if let Some(hit) = SUBJECTS.find(&mail.subject_lower) {
        signs.push((if answers { 1 } else { 3 }, format!("subject “{}”", &mail.subject_lower[hit.range()])));
    }
    if let Some(mark) = has_mark(mail) {
        signs.push((4, format!("header {mark}")));
    }
    if mail.report_type.as_deref() == Some("delivery-status") || (mail.has_status_part() && !answers) {
        signs.push((4, "a delivery report".to_owned()));
    }
    let by_subject = signs.len() == 1 && SUBJECTS.is_match(&mail.subject_lower);
    // Words alone are no evidence: people tell each other about lost mails.
    let machine: u32 = signs.iter().map(|(weight, _)| *weight).sum();
    if machine < 3 {
        return None;
    }
    if let Some(hit) = FAILURES.find(notice) {
        signs.push((2, format!("“{}”", &notice[hit.range()])));
    } else if DELAYS.is_match(notice) {
        signs.push((2, "a delay".to_owned()));
    }
    if status::reply_code(notice).is_some() || !status::codes(notice).is_empty() {
        signs.push((2, "a status code".to_owned()));
    }
    if mail.from_lower.contains("no-reply@") || mail.from_lower.contains("noreply@") {
        signs.push((1, "from no-reply".to_owned()));
    }
    if mail.has_null_sender() {
        signs.push((1, "empty sender".to_owned()));
    }
    if mail.returns_something || !mail.below_notice().is_empty() {
        signs.push((1, "a returned mail".to_owned()));
    }
    let sum: u32 = signs.iter().map(|(weight, _)| *weight).sum();
    // System administrators answer mails, too.
    let enough =
        if by_subject || (answers && has_mark(mail).is_none()) { ENOUGH_OF_A_PERSON } else { ENOUGH };
    (sum >= enough).then(|| signs.into_iter().map(|(_, sign)| sign).collect::<Vec<_>>().join(", "))
}

fn limited(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_NOTICE.min(text.len()))]
}

/// The line that holds a code, else the first with words of a server.
fn shown(said: &str) -> String {
    let told =
        said.lines().find(|line| status::reply_code(line).is_some() || !status::codes(line).is_empty());
    told.or_else(|| said.lines().find(|line| status::speaks(line))).unwrap_or_default().trim().to_owned()
}
