//! Holds a document against its schema: unknown and missing keys, wrong types, unknown words.
//!
//! What is wrong is reported and cut out, so that the rest can still be read and checked.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{ValidationError, Validator};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::diagnostic::{closest, suggestion};
use super::finding::Findings;
use super::raw::{RawCampaign, RawField, RawFile, RawProject, RawSegment, RawSmartlead, RawSmtp, RawWebhook};
use super::schema;
use super::yaml::child;

/// The shapes of everything that is read. Schemas are compiled once, when first needed.
pub(super) static PROJECT: LazyLock<Shape> =
    LazyLock::new(|| Shape::of::<RawProject>(&["/properties/providers/additionalProperties"]));
pub(super) static SEGMENT: LazyLock<Shape> =
    LazyLock::new(|| Shape::of::<RawSegment>(&["/properties/where"]));
pub(super) static CAMPAIGN: LazyLock<Shape> =
    LazyLock::new(|| Shape::of::<RawCampaign>(&["/properties/fields/additionalProperties"]));
pub(super) static FIELD: LazyLock<Shape> = LazyLock::new(|| Shape::of::<RawField>(&[]));
pub(super) static FILE: LazyLock<Shape> = LazyLock::new(|| Shape::of::<RawFile>(&[]));
pub(super) static WEBHOOK: LazyLock<Shape> = LazyLock::new(|| Shape::of::<RawWebhook>(&[]));
pub(super) static SMTP: LazyLock<Shape> = LazyLock::new(|| Shape::of::<RawSmtp>(&[]));
pub(super) static SMARTLEAD: LazyLock<Shape> = LazyLock::new(|| Shape::of::<RawSmartlead>(&[]));

/// A compiled schema, without the parts of a document that are read by hand, with better words.
pub(super) struct Shape {
    schema: Value,
    validator: Option<Validator>,
}

impl Shape {
    fn of<T: JsonSchema>(by_hand: &[&str]) -> Self {
        let mut schema = schema::of::<T>();
        for part in by_hand {
            if let Some(part) = schema.pointer_mut(part) {
                *part = Value::Bool(true);
            }
        }
        // The generated schemas compile; a test holds them to it.
        let validator = jsonschema::draft202012::new(&schema).ok();
        Self { schema, validator }
    }

    /// Reads the value below `pointer` as far as it has the right shape.
    pub(super) fn read<T: DeserializeOwned + Default>(
        &self,
        findings: &mut Findings<'_>,
        pointer: &str,
        value: &Value,
    ) -> T {
        if !value.is_object() {
            let message =
                if value.is_null() { "nothing stands here" } else { "this is not a map of keys and values" };
            findings.error(pointer, "wrong-type", message).advise("write `key: value` lines");
            return T::default();
        }
        let mut rest = value.clone();
        let mut reported = BTreeSet::new();
        let mut errors: Vec<_> =
            self.validator.iter().flat_map(|validator| validator.iter_errors(value)).collect();
        // Unknown keys first: one that was meant for a missing key explains it.
        errors.sort_by_key(|error| !matches!(error.kind(), Kind::AdditionalProperties { .. }));
        for error in errors {
            let path = error.instance_path().as_str().to_owned();
            let explained = self.explain(findings, &format!("{pointer}{path}"), &error, &mut reported);
            if explained {
                cut(&mut rest, &path, error.kind());
            }
        }
        serde_json::from_value(rest).unwrap_or_else(|error| {
            findings.error(pointer, "wrong-type", format!("this cannot be read: {error}"));
            T::default()
        })
    }

    /// Reports the error in plain words; false when another check has better ones.
    fn explain(
        &self,
        findings: &mut Findings<'_>,
        pointer: &str,
        error: &ValidationError<'_>,
        reported: &mut BTreeSet<String>,
    ) -> bool {
        let key = label(pointer);
        match error.kind() {
            // Patterns are for editors; the values are read again, with better words.
            Kind::Pattern { .. } | Kind::Format { .. } | Kind::PropertyNames { .. } => return false,
            Kind::AdditionalProperties { unexpected } => {
                let known = self.keys_beside(error);
                for name in unexpected {
                    if findings.is_full() {
                        break;
                    }
                    if let Some(near) = closest(name, known.iter().map(String::as_str)) {
                        reported.insert(child(pointer, near));
                    }
                    let advice = suggestion(name, known.iter().map(String::as_str));
                    findings
                        .error_at_key(
                            &child(pointer, name),
                            "unknown-key",
                            format!("there is no key `{name}`"),
                        )
                        .advise_some(advice);
                }
                return true;
            }
            Kind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                if reported.contains(&child(pointer, name)) {
                    return true;
                }
                findings
                    .error_at_key(pointer, "missing-key", format!("the key `{name}` is missing"))
                    .advise_some(self.description_of(error, name));
                return true;
            }
            _ => {}
        }
        // A value has one thing wrong with it: the first one found, which is its type.
        if !reported.insert(pointer.to_owned()) {
            return true;
        }
        let instance = error.instance().as_ref();
        if instance.is_null() {
            findings
                .error_at_key(pointer, "missing-value", format!("`{key}` has no value"))
                .advise("write one, or remove the key");
            return true;
        }
        let options = self.options(error);
        if !options.is_empty() {
            let word = instance.as_str().map_or_else(|| instance.to_string(), ToOwned::to_owned);
            findings
                .error(pointer, "unknown-value", format!("`{key}` cannot be `{word}`"))
                .advise_some(suggestion(&word, options.iter().map(String::as_str)));
            return true;
        }
        let (code, message) = match error.kind() {
            Kind::Type { .. } => {
                ("wrong-type", format!("`{key}` takes {}, not {}", self.wanted(error), named(instance)))
            }
            Kind::Minimum { limit } => ("too-small", format!("`{key}` is {instance}; the least is {limit}")),
            Kind::Maximum { limit } => ("too-large", format!("`{key}` is {instance}; the most is {limit}")),
            Kind::MaxItems { limit } => ("too-long", format!("`{key}` has more than {limit} entries")),
            Kind::MinLength { .. } | Kind::MinItems { .. } => ("empty", format!("`{key}` is empty")),
            Kind::MaxProperties { limit } if *limit > 1 => {
                ("too-long", format!("`{key}` has more than {limit} entries"))
            }
            Kind::MinProperties { .. } | Kind::MaxProperties { .. } => {
                ("wrong-type", format!("an entry of `{key}` is one key and its value"))
            }
            Kind::UniqueItems => ("duplicate", format!("`{key}` names one thing twice")),
            _ => ("wrong-type", format!("`{key}` does not fit: {}", error.masked())),
        };
        let advice = match self.example(error) {
            Some(example) => Some(format!("such as `{example}`")),
            None if code == "wrong-type" && instance.is_number() && self.wanted(error) == "text" => {
                Some(format!("put it into quotes: \"{instance}\""))
            }
            None => None,
        };
        findings.error(pointer, code, message).advise_some(advice);
        true
    }

    /// The schema object that holds the keyword which failed.
    fn around(&self, error: &ValidationError<'_>) -> Option<&Value> {
        let path = error.schema_path().as_str();
        self.schema.pointer(&path[..path.rfind('/')?])
    }

    fn keys_beside(&self, error: &ValidationError<'_>) -> Vec<String> {
        self.around(error)
            .and_then(|schema| schema.get("properties")?.as_object())
            .map(|properties| properties.keys().cloned().collect())
            .unwrap_or_default()
    }

    fn description_of(&self, error: &ValidationError<'_>, name: &str) -> Option<String> {
        // A required error's own path may end in `required` or in `required/0`.
        let path = error.schema_path().as_str();
        let path = &path[..path.rfind("/required")?];
        let text = self.schema.pointer(path)?.get("properties")?.get(name)?.get("description")?.as_str()?;
        Some(text.replace('\n', " "))
    }

    /// The words that would have been right, when the schema lists them.
    fn options(&self, error: &ValidationError<'_>) -> Vec<String> {
        let Some(schema) = self.around(error) else { return Vec::new() };
        let words = |value: &Value| value.as_str().map(ToOwned::to_owned);
        if let Some(listed) = schema.get("enum").and_then(Value::as_array) {
            return listed.iter().filter_map(words).collect();
        }
        let branches = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array);
        branches
            .into_iter()
            .flatten()
            .flat_map(|branch| {
                let listed = branch.get("enum").and_then(Value::as_array).into_iter().flatten();
                branch.get("const").into_iter().chain(listed)
            })
            .filter_map(words)
            .collect()
    }

    fn example(&self, error: &ValidationError<'_>) -> Option<&str> {
        self.around(error)?.get("examples")?.get(0)?.as_str()
    }

    fn wanted(&self, error: &ValidationError<'_>) -> &'static str {
        match self.around(error).and_then(|schema| schema.get("type")).and_then(Value::as_str) {
            Some("string") => "text",
            Some("integer") => "a whole number",
            Some("number") => "a number",
            Some("boolean") => "true or false",
            Some("array") => "a list",
            Some("object") => "a map of keys",
            _ => "another kind of value",
        }
    }
}

/// The kind only: the value may be a secret that lost its quotes.
fn named(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map of keys",
    }
}

/// The last key of a pointer, for a sentence; list positions are named with their list.
fn label(pointer: &str) -> String {
    let key = pointer.split('/').skip(1).filter(|part| part.parse::<usize>().is_err()).last();
    key.map_or_else(|| "the file".to_owned(), |key| key.replace("~1", "/").replace("~0", "~"))
}

/// Removes what an error is about; a list is removed whole, so that positions stay true.
fn cut(rest: &mut Value, path: &str, kind: &Kind) {
    match kind {
        Kind::AdditionalProperties { unexpected } => {
            if let Some(Value::Object(entries)) = rest.pointer_mut(path) {
                for name in unexpected {
                    entries.remove(name);
                }
            }
        }
        Kind::Required { .. } => {}
        _ => {
            let mut path = path;
            while let Some((parent, last)) = path.rsplit_once('/') {
                if let Some(Value::Object(entries)) = rest.pointer_mut(parent) {
                    entries.remove(&last.replace("~1", "/").replace("~0", "~"));
                    return;
                }
                path = parent;
            }
        }
    }
}
