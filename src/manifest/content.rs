//! What a provider gets: fields and the sequence, with their templates.

use std::collections::BTreeMap;

use serde_json::Value;

use super::diagnostic::{closest, suggestion};
use super::finding::Findings;
use super::raw::{RawField, RawStep};
use super::rule::unknown_field;
use super::yaml::child;
use super::{drafting, shape};
use crate::model::{FieldRef, FieldSource, SequenceStep, Template, TemplateError};

/// Every field that can be read; the others are reported.
pub(super) fn fields(
    findings: &mut Findings<'_>,
    raw: &BTreeMap<String, Value>,
    prompts: &BTreeMap<String, String>,
) -> BTreeMap<String, FieldSource> {
    raw.iter()
        .filter_map(|(name, value)| {
            let pointer = child("/fields", name);
            if !is_field_name(name) {
                findings
                    .error_at_key(&pointer, "bad-name", format!("`{name}` cannot be used in a template"))
                    .advise("use lower-case letters, digits and `_`, a letter first: `first_name`");
                return None;
            }
            let source = match value {
                Value::String(text) => short(findings, &pointer, text),
                Value::Object(_) => {
                    let raw: RawField = shape::FIELD.read(findings, &pointer, value);
                    source(findings, &pointer, raw, prompts)
                }
                _ => {
                    findings.error(&pointer, "wrong-type", format!("`{name}` names no source")).advise(
                        "name a column, such as `employee.first_name`, or write `{ value: \"...\" }`",
                    );
                    None
                }
            };
            Some((name.clone(), source?))
        })
        .collect()
}

fn is_field_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn short(findings: &mut Findings<'_>, pointer: &str, text: &str) -> Option<FieldSource> {
    if text.contains("{{") || text.contains("{%") {
        findings
            .error(pointer, "unknown-field", "a bare text names a column")
            .advise("write a template as `{ template: \"...\" }`");
        return None;
    }
    let Some(from) = FieldRef::parse(text) else {
        let (message, advice) = unknown_field(text);
        let value = format!("write a fixed text as `{{ value: {text:?} }}`");
        let looks_like_field = text.contains('.') && !text.contains(' ');
        findings
            .error(pointer, "unknown-field", message)
            .advise(advice.filter(|_| looks_like_field).unwrap_or(value));
        return None;
    };
    Some(FieldSource::Column { from, default: None })
}

fn source(
    findings: &mut Findings<'_>,
    pointer: &str,
    raw: RawField,
    prompts: &BTreeMap<String, String>,
) -> Option<FieldSource> {
    let given = [raw.column.is_some(), raw.template.is_some(), raw.value.is_some(), raw.draft.is_some()];
    if given.iter().filter(|given| **given).count() != 1 {
        findings
            .error(pointer, "contradiction", "a field has one source")
            .advise("write one of `column`, `template`, `value` and `draft`");
        return None;
    }
    if raw.default.is_some() && raw.column.is_none() {
        findings
            .error_at_key(&child(pointer, "default"), "contradiction", "`default` goes with `column`")
            .advise("in a template write `{{ ... | default('...') }}`");
        return None;
    }
    if let Some(raw) = raw.draft {
        let draft = drafting::field(findings, &child(pointer, "draft"), &raw, prompts)?;
        return Some(FieldSource::Draft(draft));
    }
    if let Some(value) = raw.value {
        return Some(FieldSource::Value(value));
    }
    if let Some(name) = raw.column {
        let Some(from) = FieldRef::parse(&name) else {
            let (message, advice) = unknown_field(&name);
            findings.error(&child(pointer, "column"), "unknown-field", message).advise_some(advice);
            return None;
        };
        return Some(FieldSource::Column { from, default: raw.default });
    }
    let text = raw.template?;
    let pointer = child(pointer, "template");
    let template = template(findings, &pointer, Template::parse(&text))?;
    let mut reads = Vec::new();
    for name in template.reads() {
        if let Some(field) = FieldRef::parse(name) {
            reads.push(field);
            continue;
        }
        let (message, advice) = match name.as_str() {
            "company" | "employee" => {
                (format!("`{name}` as a whole is no text"), Some("name one of its columns".to_owned()))
            }
            name => unknown_field(name),
        };
        report(findings, &pointer, &text, name, message, advice);
    }
    (reads.len() == template.reads().len()).then_some(FieldSource::Template { text, reads })
}

/// The mails, whose templates see the campaign's fields and nothing else.
pub(super) fn sequence(
    findings: &mut Findings<'_>,
    raw: Vec<RawStep>,
    fields: &BTreeMap<String, Value>,
) -> Vec<SequenceStep> {
    let mut steps = Vec::new();
    for (index, step) in raw.into_iter().enumerate() {
        let pointer = format!("/sequence/{index}");
        if index == 0 && step.subject.is_none() && step.body.is_some() {
            findings
                .error(&pointer, "missing-key", "the first mail has no `subject`")
                .advise("only a follow-up goes without: it continues the thread");
        }
        if index > 0 && step.wait.is_none() {
            findings
                .error(&pointer, "missing-key", "this follow-up has no `wait`")
                .advise("say how long after the mail before it leaves, such as `wait: 3d`");
        }
        let wait = findings.optional_span(&child(&pointer, "wait"), step.wait.as_ref());
        if index == 0 && wait.is_some_and(|wait| wait.count > 0) {
            findings
                .warning(&child(&pointer, "wait"), "no-effect", "the first mail waits for nothing")
                .advise("it leaves when the contact is enrolled; remove `wait`");
        }
        for (key, text) in [("subject", &step.subject), ("body", &step.body)] {
            if let Some(text) = text {
                mail_text(findings, &child(&pointer, key), text, Template::parse(text), fields);
            }
        }
        if let Some(html) = &step.html {
            mail_text(findings, &child(&pointer, "html"), html, Template::parse_html(html), fields);
        }
        if let Some(subject) = &step.subject
            && subject.trim().contains(['\n', '\r'])
        {
            findings
                .error(&child(&pointer, "subject"), "bad-value", "a subject is one line")
                .advise_some(None);
        }
        if let Some(body) = step.body {
            steps.push(SequenceStep { wait, subject: step.subject, body, html: step.html });
        }
    }
    steps
}

fn mail_text(
    findings: &mut Findings<'_>,
    pointer: &str,
    text: &str,
    parsed: Result<Template, TemplateError>,
    fields: &BTreeMap<String, Value>,
) {
    if text.trim().is_empty() {
        findings.error(pointer, "empty", "this text is empty");
        return;
    }
    let Some(template) = template(findings, pointer, parsed) else { return };
    for name in template.reads() {
        let root = name.split('.').next().unwrap_or_default();
        if fields.contains_key(root) {
            continue;
        }
        let advice = if root == "company" && FieldRef::parse(name).is_some() || root == "employee" {
            Some(format!("mails see the campaign's fields: add `name: {name}` under `fields` and use that"))
        } else {
            closest(root, fields.keys().map(String::as_str))
                .map(|near| format!("did you mean `{near}`?"))
                .or_else(|| suggestion(root, fields.keys().map(String::as_str)))
                .or_else(|| Some("add it under `fields`".to_owned()))
        };
        let message = format!("the campaign has no field `{name}`");
        report(findings, pointer, text, name, message, advice);
    }
}

fn template(
    findings: &mut Findings<'_>,
    pointer: &str,
    parsed: Result<Template, TemplateError>,
) -> Option<Template> {
    match parsed {
        Ok(template) => Some(template),
        Err(error) => {
            let place = findings.source().line_in(pointer, error.line);
            findings
                .error_at(place, "bad-template", format!("this template does not work: {}", error.message))
                .advise_some(None);
            None
        }
    }
}

/// Reports a name at the line of the text that uses it.
fn report(
    findings: &mut Findings<'_>,
    pointer: &str,
    text: &str,
    name: &str,
    message: String,
    advice: Option<String>,
) {
    let line = text.find(name).map_or(1, |offset| text[..offset].matches('\n').count() + 1);
    let place = findings.source().line_in(pointer, line);
    findings.error_at(place, "unknown-template-field", message).advise_some(advice);
}
