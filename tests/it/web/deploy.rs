//! Dashboard and alerts name metrics that there are.

use std::path::Path;

use outreachd::web::METRICS;
use serde_json::Value;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Names in an expression that look like ours.
fn named(expression: &str) -> Vec<&str> {
    expression
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("outreachd_"))
        .collect()
}

fn expressions<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(entries) => {
            found.extend(entries.get("expr").and_then(Value::as_str));
            entries.values().for_each(|value| expressions(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn every_metric_that_is_named_exists() {
    let dashboard: Value = serde_json::from_str(&read(".deploy/grafana.json")).unwrap();
    let alerts: Value = serde_yaml::from_str(&read(".deploy/alerts.yml")).unwrap();
    let known: Vec<&str> = METRICS.iter().map(|(name, ..)| *name).collect();
    let mut used = std::collections::BTreeSet::new();
    for (file, value, least) in [("grafana", &dashboard, 10), ("alerts", &alerts, 8)] {
        let mut found = Vec::new();
        expressions(value, &mut found);
        assert!(found.len() >= least, "{file} has {}", found.len());
        for expression in found {
            let names = named(expression);
            assert!(!names.is_empty(), "{file}: {expression}");
            for name in names {
                assert!(known.contains(&name), "{file}: there is no {name}");
                used.insert(name);
            }
        }
    }
    let unused: Vec<&&str> = known.iter().filter(|name| !used.contains(**name)).collect();
    assert!(unused.is_empty(), "nobody looks at {unused:?}");
    // Every alert says what to do.
    for rule in alerts["groups"][0]["rules"].as_array().unwrap() {
        assert!(rule["annotations"]["action"].as_str().is_some_and(|text| text.len() > 20), "{rule}");
    }
}
