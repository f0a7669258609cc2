//! `drafting:` -> [`DraftingSettings`], and `draft:` of a field with its prompt -> [`Draft`].

use std::collections::BTreeMap;
use std::time::Duration;

use super::diagnostic::suggestion;
use super::finding::Findings;
use super::project::{bounded, endpoint, secret};
use super::raw::{RawDraft, RawDrafting};
use super::rule::unknown_field;
use super::yaml::child;
use crate::model::{Draft, DraftingSettings, FieldRef, Span, Template};

/// `None` when a part that is needed is wrong.
pub(super) fn check(findings: &mut Findings<'_>, raw: &RawDrafting) -> Option<DraftingSettings> {
    let mut time = |name: &str, text: &Option<String>, most| {
        bounded(findings, &format!("/drafting/{name}"), text.as_ref(), 1, most).map(Span::approximate)
    };
    let every = time("every", &raw.every, 30 * 86_400);
    let timeout = time("timeout", &raw.timeout, 600);
    let url = raw.url.as_deref().and_then(|text| endpoint(findings, "/drafting/url", text));
    let key = raw.key.as_deref().map(|text| secret(findings, "/drafting/key", text));
    Some(DraftingSettings {
        url: url?,
        key: match key {
            Some(key) => Some(key?),
            None => None,
        },
        model: raw.model.clone()?,
        max_calls_per_day: raw.max_calls_per_day.unwrap_or(200),
        max_calls_per_run: raw.max_calls_per_run.unwrap_or(50),
        per_minute: raw.per_minute.unwrap_or(60),
        timeout: timeout.unwrap_or(Duration::from_mins(1)),
        every,
        retry_lost: raw.retry_lost.unwrap_or(0),
        logprobs: raw.logprobs.unwrap_or(false),
    })
}

/// A field's draft; its prompt is one of the files that were read.
pub(super) fn field(
    findings: &mut Findings<'_>,
    pointer: &str,
    raw: &RawDraft,
    prompts: &BTreeMap<String, String>,
) -> Option<Draft> {
    let path = raw.prompt.as_ref()?;
    let pointer = child(pointer, "prompt");
    let Some(text) = prompts.get(path) else {
        let known = prompts.keys().map(String::as_str);
        let advice = suggestion(path, known)
            .unwrap_or_else(|| "prompts stand in prompts/ and end with .md or .txt".to_owned());
        findings.error(&pointer, "unknown-prompt", format!("there is no prompt `{path}`")).advise(advice);
        return None;
    };
    let template = match Template::parse_prompt(text) {
        Ok(template) => template,
        Err(error) => {
            let message =
                format!("{path}, line {}: this template does not work: {}", error.line, error.message);
            findings.error(&pointer, "bad-template", message);
            return None;
        }
    };
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
        findings.error(&pointer, "unknown-template-field", format!("{path}: {message}")).advise_some(advice);
    }
    if reads.len() < template.reads().len() {
        return None;
    }
    if reads.is_empty() {
        findings
            .warning(&pointer, "same-for-all", format!("{path} says nothing about the contact"))
            .advise("everybody gets the same text: write it as `{ value: ... }`");
    }
    let draft = Draft {
        prompt: path.clone(),
        text: text.clone(),
        reads,
        model: raw.model.clone(),
        max_words: raw.max_words.unwrap_or(60),
        language: raw.language,
        links: raw.links.unwrap_or(false),
        review: raw.review.unwrap_or_default(),
        spec: String::new(),
    };
    Some(draft.with_spec())
}
