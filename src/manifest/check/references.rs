//! Whatever is named exists, nothing refers to itself, and nothing is declared for nobody.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::diagnostic::{Severity, suggestion};
use super::super::source::FileKind;
use super::super::yaml::child;
use super::{Declared, Report};

pub(super) fn check(declared: &Declared, report: &mut Report<'_>) {
    let segments: BTreeSet<&str> =
        declared.segments.iter().filter_map(|(_, name, _)| name.as_deref()).collect();
    // A file whose name could not be read may be the one that is looked for.
    let all_named = declared.complete && declared.segments.iter().all(|(_, name, _)| name.is_some());
    let mut used = BTreeSet::new();
    for (source, identity, _) in &declared.campaigns {
        for (pointer, name) in [("/segment", &identity.segment), ("/exit", &identity.exit)] {
            let Some(name) = name else { continue };
            used.insert(name.as_str());
            if all_named && !segments.contains(name.as_str()) {
                unknown(report, *source, pointer, "segment", name, &segments);
            }
        }
        if let Some(name) = &identity.provider
            && declared.complete
            && !declared.providers.contains(name)
        {
            let known = declared.providers.iter().map(String::as_str).collect();
            unknown(report, *source, "/provider", "provider", name, &known);
        }
    }
    enrichment(declared, report, all_named.then_some(&segments), &mut used);
    let mut edges: Vec<(usize, &str, String, String)> = Vec::new();
    for (source, name, _) in &declared.segments {
        let mut found = Vec::new();
        nested(&report.sources[*source].document.value["where"], "/where", &mut found);
        for (pointer, target) in found {
            if all_named && !segments.contains(target.as_str()) {
                unknown(report, *source, &pointer, "segment", &target, &segments);
            }
            edges.push((*source, name.as_deref().unwrap_or_default(), pointer, target));
        }
    }
    cycles(report, &edges);
    used.extend(edges.iter().map(|(_, _, _, target)| target.as_str()));
    for (source, name, _) in &declared.segments {
        if let Some(name) = name
            && declared.complete
            && !used.contains(name.as_str())
        {
            let message = format!("nothing uses the segment `{name}`");
            let advice = Some("name it in a campaign or in another segment, or delete the file".to_owned());
            report.add(Severity::Warning, *source, "/segment", "unused-segment", message, advice);
        }
    }
}

/// Whom the daemon looks up, and whether anybody does where a campaign waits for it.
fn enrichment<'d>(
    declared: &'d Declared,
    report: &mut Report<'_>,
    segments: Option<&BTreeSet<&str>>,
    used: &mut BTreeSet<&'d str>,
) {
    let project = report.sources.iter().position(|source| source.kind == FileKind::Project);
    if let (Some(source), Some(enrichment)) = (project, &declared.project.enrichment)
        && let Some(name) = &enrichment.segment
    {
        used.insert(name);
        if let Some(segments) = segments.filter(|segments| !segments.contains(name.as_str())) {
            unknown(report, source, "/enrichment/segment", "segment", name, segments);
        }
    }
    if !declared.complete || declared.project.enrichment.is_some() {
        return;
    }
    for (source, _, campaign) in &declared.campaigns {
        if campaign.as_ref().is_some_and(|campaign| campaign.verified.is_some()) {
            let message = "nobody is verified: outreach.yaml has no `enrichment`".to_owned();
            let advice = Some("declare it, or remove `verified`".to_owned());
            report.add(Severity::Warning, *source, "/verified", "never-verified", message, advice);
        }
    }
}

fn unknown(
    report: &mut Report<'_>,
    source: usize,
    pointer: &str,
    what: &str,
    name: &str,
    known: &BTreeSet<&str>,
) {
    if report.is_full(source) {
        return;
    }
    let code = if what == "segment" { "unknown-segment" } else { "unknown-provider" };
    let advice = suggestion(name, known.iter().copied()).or_else(|| {
        Some(match what {
            "segment" => format!("declare it in segments/{name}.yaml"),
            _ => "declare it under `providers` in outreach.yaml".to_owned(),
        })
    });
    report.error(source, pointer, code, format!("there is no {what} `{name}`"), advice);
}

/// Every `in_segment` below a clause. The document is asked, not the rule, so that a rule that is
/// broken elsewhere still counts. Its depth was bounded when it was read.
fn nested(clause: &Value, pointer: &str, found: &mut Vec<(String, String)>) {
    match clause {
        Value::Object(entries) => {
            for (key, value) in entries {
                let pointer = child(pointer, key);
                match (key.as_str(), value) {
                    ("in_segment", Value::String(name)) => found.push((pointer, name.clone())),
                    ("all" | "any" | "not", value) => nested(value, &pointer, found),
                    _ => {}
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                nested(item, &format!("{pointer}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Reports each circle once, at the reference that closes it.
fn cycles(report: &mut Report<'_>, edges: &[(usize, &str, String, String)]) {
    // Last edge first, because edges are taken from the end.
    let mut leaving: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, (_, name, _, _)) in edges.iter().enumerate().rev() {
        leaving.entry(name).or_default().push(index);
    }
    let leaving = |name: &str| leaving.get(name).cloned().unwrap_or_default();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for (_, start, _, _) in edges {
        if done.contains(start) {
            continue;
        }
        // Depth first with a stack of its own: names on the path, and the edges still to be tried.
        let mut path: Vec<&str> = vec![start];
        let mut pending: Vec<Vec<usize>> = vec![leaving(start)];
        while let Some(open) = pending.last_mut() {
            let Some(edge) = open.pop() else {
                pending.pop();
                done.extend(path.pop());
                continue;
            };
            let (source, _, pointer, target) = &edges[edge];
            if let Some(from) = path.iter().position(|name| name == target) {
                let circle = [&path[from..], &[target.as_str()]].concat().join(" -> ");
                report.error(
                    *source,
                    pointer,
                    "segment-cycle",
                    format!("this segment refers to itself: {circle}"),
                    Some("move what both need into a segment of its own".to_owned()),
                );
            } else if !done.contains(target.as_str()) {
                path.push(target);
                pending.push(leaving(target));
            }
        }
    }
}
