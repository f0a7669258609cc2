//! Which address of a notice is the one that was not reached.
//!
//! Each mention of an address is weighed by what stands around it; the address with the best mention wins, and others as
//! good as it.

use std::collections::HashSet;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::super::super::addresses::{self, Span};
use super::super::super::mail::Mail;
use super::super::super::{status, words};
use super::{phrases, places};
use crate::model::{domain_of, normalize_address};

static FAILURES: LazyLock<AhoCorasick> = LazyLock::new(|| words::automaton(phrases::FAILURES));
static INTRODUCTIONS: LazyLock<AhoCorasick> = LazyLock::new(|| words::automaton(places::INTRODUCTIONS));
static LABELS: LazyLock<AhoCorasick> = LazyLock::new(|| words::automaton(places::LABELS));
static OTHERS: LazyLock<AhoCorasick> = LazyLock::new(|| words::automaton(places::OTHERS));

/// Lines after an introduction that may still belong to its list.
const LIST: usize = 40;
/// Below this an address was only mentioned.
const GOOD: i32 = 15;
/// A mail to more than this does not name them one by one.
const MOST: usize = 100;

/// And what mentions more is no notice.
const MOST_CANDIDATES: usize = 200;
/// Text without line breaks is looked at no further than this.
const LONGEST_LINE: usize = 1000;

/// Local parts of nobody we wrote to.
const ROLES: &[&str] = &[
    "postmaster",
    "mailer-daemon",
    "mailerdaemon",
    "abuse",
    "support",
    "helpdesk",
    "hostmaster",
    "root",
    "mdaemon",
];

struct Candidate {
    address: String,
    weight: i32,
}

pub(super) fn recipients(mail: &Mail<'_>, notice: &str, below: &str) -> Vec<String> {
    let sent_to: HashSet<&str> = mail.original_recipients().iter().map(String::as_str).collect();
    let mut best = weigh(mail, notice, &sent_to);
    if heaviest(&best) < GOOD {
        if let Some(bare) = bare_names(mail, notice) {
            return bare;
        }
        if !sent_to.is_empty() && sent_to.len() <= 3 {
            return mail.original_recipients().iter().filter(|to| !mail.is_ours(to)).cloned().collect();
        }
        // Some put the reason below what they return.
        let later = weigh(mail, below, &sent_to);
        if heaviest(&later) >= 20 {
            best = later;
        }
    }
    best.sort_by_key(|candidate| std::cmp::Reverse(candidate.weight));
    best.truncate(MOST);
    best.into_iter().map(|candidate| candidate.address).collect()
}

fn heaviest(candidates: &[Candidate]) -> i32 {
    candidates.iter().map(|candidate| candidate.weight).max().unwrap_or(0)
}

/// The addresses with the best mentions, in order of appearance.
fn weigh(mail: &Mail<'_>, text: &str, sent_to: &HashSet<&str>) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut in_list = 0_usize;
    let mut previous = String::new();
    for line in text.lines() {
        if candidates.len() > MOST_CANDIDATES {
            break;
        }
        let lower = line[..line.floor_char_boundary(LONGEST_LINE.min(line.len()))].to_lowercase();
        // Lower-casing may move letters; spans are looked for where they are used.
        let spans = addresses::find(&lower);
        let introduces = INTRODUCTIONS.is_match(&lower) || (FAILURES.is_match(&lower) && spans.is_empty());
        for span in &spans {
            let address = normalize_address(&lower[span.start..span.end]);
            let mut weight = mention(&lower, *span, in_list > 0, &previous);
            if sent_to.contains(address.as_str()) {
                weight += 15;
            } else if mail.is_ours(&address) || mail.from.as_deref() == Some(address.as_str()) {
                weight -= 30;
            }
            if is_role(&address) && !sent_to.contains(address.as_str()) {
                weight -= 25;
            }
            match candidates.iter_mut().find(|known| known.address == address) {
                Some(known) => known.weight = known.weight.max(weight) + i32::from(weight > 0),
                None => candidates.push(Candidate { address, weight }),
            }
        }
        in_list = if introduces { LIST } else { in_list.saturating_sub(1) };
        if !lower.trim().is_empty() {
            previous = lower;
        }
    }
    let top = heaviest(&candidates);
    candidates.retain(|candidate| candidate.weight * 10 >= top * 6 && candidate.weight > 0);
    candidates
}

fn mention(line: &str, span: Span, in_list: bool, previous: &str) -> i32 {
    let before = line[..span.start].trim_end_matches(['<', '"', '\'', '(', '[', ' ', '\t', '«', '“']);
    let before = before.trim_end_matches("mailto:").trim_end_matches(['<', ' ']);
    let after = line[span.end..].trim_start_matches(['>', '"', '\'', ')', ']', ' ', '»', '”']);
    let words_before = before.trim_matches(|c: char| c.is_whitespace() || "*->•·:=.|#".contains(c));
    let has_code = status::reply_code(line).is_some() || !status::codes(line).is_empty();
    if words_before.is_empty() {
        return alone(line, after, has_code, in_list, previous);
    }
    // The words next to the address weigh, not the whole line.
    let near = &words_before[words_before.floor_char_boundary(words_before.len().saturating_sub(40))..];
    let other = OTHERS.find_iter(near).last().map(|hit| hit.end());
    let label = LABELS.find_overlapping_iter(near).map(|hit| hit.end()).max();
    let fails = FAILURES.is_match(line);
    if near.ends_with("original address") || near.ends_with("original recipient") {
        return 55;
    }
    if near.starts_with("to") && near.len() <= 3 {
        // `To: x` of a copied header, or `To:<x>:` as the title of what follows.
        return if after.starts_with(':') { 30 } else { 4 };
    }
    match (label, other) {
        (Some(label), Some(other)) if label < other => -10,
        (None, Some(_)) => -10,
        (Some(_), _) if before.ends_with([':', '=']) || fails || near.len() < 30 => 30,
        _ if has_code => 18,
        _ if fails => 28,
        (Some(_), _) => 16,
        _ if in_list => 12,
        _ => 6,
    }
}

/// An address at the beginning of its line.
fn alone(line: &str, after: &str, has_code: bool, in_list: bool, previous: &str) -> i32 {
    let previous = previous.trim_end();
    if ["sent by", "from", "from:", "sender", "sender:", "contact", "sender is", "contact:"]
        .iter()
        .any(|word| previous.ends_with(word))
    {
        return -10;
    }
    let ends = after.trim_matches(|c: char| c.is_whitespace() || ":,;.".contains(c)).is_empty();
    let speaks = has_code || status::speaks(line) || FAILURES.is_match(line);
    match (after.starts_with(':'), in_list, ends || speaks) {
        (true, true, _) => 38,
        (true, false, _) => 32,
        (false, true, _) => 35,
        (false, false, true) => 24,
        (false, false, false) => 14,
    }
}

fn is_role(address: &str) -> bool {
    let local = address.split('@').next().unwrap_or_default();
    ROLES.contains(&local)
        || local.ends_with("-bounces")
        || local.ends_with("-admin")
        || local.ends_with("-owner")
        || local.starts_with("owner-")
}

/// Names without a domain after an introduction: the server speaks of its own users.
fn bare_names(mail: &Mail<'_>, notice: &str) -> Option<Vec<String>> {
    let domain = mail.from.as_deref().and_then(domain_of)?;
    let mut names = Vec::new();
    let mut introduced = false;
    for line in notice.lines() {
        let lower = line.trim().to_lowercase();
        if introduced {
            let name = lower.trim_matches(['<', '>', '"', ',', ':', ';', '.']);
            let first = name.split_whitespace().next().unwrap_or_default();
            let is_indented = line.starts_with([' ', '\t']);
            let is_name = first.len() >= 2
                && first.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte))
                && (first == name || (is_indented && status::speaks(name)));
            if is_name {
                names.push(format!("{first}@{domain}"));
            } else if !name.is_empty() && !INTRODUCTIONS.is_match(&lower) && !lower.contains("not accepting")
            {
                introduced = false;
            }
        } else if INTRODUCTIONS.is_match(&lower) {
            introduced = true;
        }
    }
    (!names.is_empty()).then_some(names)
}
