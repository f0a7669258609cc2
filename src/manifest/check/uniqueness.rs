//! Names and numbers are given once.

use std::collections::BTreeMap;

use super::{Declared, Report};

pub(super) fn check(declared: &Declared, report: &mut Report<'_>) {
    let segments = declared.segments.iter().filter_map(|(at, name, _)| Some((*at, name.clone()?)));
    once(report, segments, "/segment", "duplicate-name", "segment", "choose another name");
    let campaigns = declared.campaigns.iter();
    let names = campaigns.clone().filter_map(|(at, identity, _)| Some((*at, identity.name.clone()?)));
    once(report, names, "/campaign", "duplicate-name", "campaign", "choose another name");
    let numbers = campaigns.filter_map(|(at, identity, _)| Some((*at, identity.number?.to_string())));
    let next = declared.campaigns.iter().filter_map(|(_, identity, _)| identity.number).max();
    let advice = format!(
        "a number is a campaign's identity; the next free one is {}",
        next.unwrap_or(0).saturating_add(1)
    );
    once(report, numbers, "/number", "duplicate-number", "number", &advice);
}

fn once(
    report: &mut Report<'_>,
    values: impl Iterator<Item = (usize, String)>,
    pointer: &str,
    code: &'static str,
    what: &str,
    advice: &str,
) {
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    for (source, value) in values {
        if let Some(known) = first.get(&value) {
            let place = report.place(*known, pointer);
            let message = format!("the {what} `{value}` is already declared in {place}");
            report.error(source, pointer, code, message, Some(advice.to_owned()));
        } else {
            first.insert(value, source);
        }
    }
}
