//! No rule is larger than people can read or a database can plan: `in_segment` is written out where it stands.

use std::collections::BTreeMap;

use super::{Declared, Report};
use crate::model::Rule;

/// Clauses of one file; a list of contacts belongs into the database.
const MAX_CLAUSES: usize = 2_000;
/// Clauses with those of the segments that are named, each as often as it is named.
const MAX_EXPANDED: usize = 10_000;
/// Segments that name each other in a row.
const MAX_CHAIN: usize = 32;

/// One segment's own clauses, and whom it names.
struct Part<'a> {
    source: usize,
    clauses: usize,
    named: Vec<&'a str>,
}

/// With everything that it names.
#[derive(Debug, Clone, Copy)]
struct Whole {
    clauses: usize,
    chain: usize,
}

impl Whole {
    const fn is_too_large(self) -> bool {
        self.clauses > MAX_EXPANDED || self.chain > MAX_CHAIN
    }
}

pub(super) fn check(declared: &Declared, report: &mut Report<'_>) {
    let mut parts: BTreeMap<&str, Part<'_>> = BTreeMap::new();
    for (source, name, segment) in &declared.segments {
        let (Some(name), Some(segment)) = (name, segment) else { continue };
        let part = part(*source, &segment.rule);
        if part.clauses > MAX_CLAUSES {
            let message = format!("the rule has {} clauses; at most {MAX_CLAUSES} are read", part.clauses);
            let advice = "values of one column go into one clause, `in: [...]`; lists of contacts belong into the database";
            report.error(*source, "/where", "too-many-clauses", message, Some(advice.to_owned()));
        }
        parts.insert(name, part);
    }
    let wholes = wholes(&parts);
    for (name, part) in &parts {
        let Some(whole) = wholes.get(name).filter(|whole| whole.is_too_large()) else { continue };
        // Said where it comes about, not of everything that builds on it.
        if part.named.is_empty()
            || part.named.iter().any(|named| wholes.get(named).is_some_and(|whole| whole.is_too_large()))
        {
            continue;
        }
        let (message, advice) = if whole.clauses > MAX_EXPANDED {
            (
                format!(
                    "with the segments that it names the rule has {} clauses; at most {MAX_EXPANDED} are run",
                    whole.clauses
                ),
                "a segment that is named twice is written out twice: name it once, where the rules meet",
            )
        } else {
            (
                format!("{} segments name each other in a row; at most {MAX_CHAIN} do", whole.chain),
                "put the clauses of some of them into one file",
            )
        };
        report.error(part.source, "/where", "too-large", message, Some(advice.to_owned()));
    }
}

fn part(source: usize, rule: &Rule) -> Part<'_> {
    let (mut clauses, mut named) = (0, Vec::new());
    rule.walk(&mut |part| {
        clauses += 1;
        if let Rule::InSegment(name) = part {
            named.push(name.as_str());
        }
    });
    Part { source, clauses, named }
}

/// Each segment is worked out once, after those that it names. What is part of a circle stays out.
fn wholes<'a>(parts: &BTreeMap<&'a str, Part<'a>>) -> BTreeMap<&'a str, Whole> {
    let mut done: BTreeMap<&str, Whole> = BTreeMap::new();
    let mut begun: std::collections::BTreeSet<&str> = std::collections::BTreeSet::new();
    for start in parts.keys() {
        let mut open = vec![*start];
        while let Some(name) = open.last().copied() {
            let Some(part) = parts.get(name).filter(|_| !done.contains_key(name)) else {
                open.pop();
                continue;
            };
            if begun.insert(name) {
                open.extend(part.named.iter().filter(|named| !begun.contains(**named)));
                continue;
            }
            open.pop();
            let mut whole = Whole { clauses: part.clauses, chain: 1 };
            for named in part.named.iter().filter_map(|named| done.get(named)) {
                whole.clauses = whole.clauses.saturating_add(named.clauses);
                whole.chain = whole.chain.max(named.chain.saturating_add(1));
            }
            done.insert(name, whole);
        }
    }
    done
}
