//! The digest of what is declared.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::{Campaign, Project, Segment};

#[derive(Serialize)]
struct Content<'a> {
    project: &'a Project,
    segments: &'a BTreeMap<String, Segment>,
    campaigns: &'a [Campaign],
}

/// SHA-256 in hex over the canonical JSON of the checked content.
pub(super) fn of(project: &Project, segments: &BTreeMap<String, Segment>, campaigns: &[Campaign]) -> String {
    let content = serde_json::to_value(Content { project, segments, campaigns }).unwrap_or_default();
    hex::encode(Sha256::digest(canonical(&content)))
}

fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// Keys in order, whatever map `serde_json` was built with.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(entries) => {
            let sorted: BTreeMap<&String, &Value> = entries.iter().collect();
            out.push('{');
            for (key, value) in sorted {
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                match value {
                    // `all` and `any` hold whatever the order of their parts.
                    Value::Array(parts) if key == "all" || key == "any" => {
                        let mut parts: Vec<String> = parts.iter().map(canonical).collect();
                        parts.sort();
                        out.push_str(&parts.join(","));
                    }
                    value => out.push_str(&canonical(value)),
                }
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write(item, out);
                out.push(',');
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}
