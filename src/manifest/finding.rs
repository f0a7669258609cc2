//! Collects what is wrong in one file, by the place of a value in it.

use serde_json::Value;

use super::diagnostic::{Diagnostic, Severity};
use super::source::Source;
use super::yaml::Place;
use crate::model::Span;

/// The diagnostics of one file.
pub(super) struct Findings<'a> {
    source: &'a Source,
    list: Vec<Diagnostic>,
}

/// The diagnostic just added, to be given its advice.
pub(super) struct Added<'a>(&'a mut Diagnostic);

impl Added<'_> {
    pub(super) fn advise(self, advice: impl Into<String>) {
        self.0.advice = Some(advice.into());
    }

    pub(super) fn advise_some(self, advice: Option<String>) {
        self.0.advice = advice;
    }
}

impl<'a> Findings<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self { source, list: Vec::new() }
    }

    pub(super) fn source(&self) -> &'a Source {
        self.source
    }

    pub(super) fn into_list(self) -> Vec<Diagnostic> {
        self.list
    }

    /// An error about the value at the pointer.
    pub(super) fn error(
        &mut self,
        pointer: &str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Added<'_> {
        self.add(Severity::Error, code, message.into(), self.source.document.value_at(pointer))
    }

    /// An error about the key at the pointer.
    pub(super) fn error_at_key(
        &mut self,
        pointer: &str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Added<'_> {
        self.add(Severity::Error, code, message.into(), self.source.document.key_at(pointer))
    }

    pub(super) fn error_at(
        &mut self,
        place: Place,
        code: &'static str,
        message: impl Into<String>,
    ) -> Added<'_> {
        self.add(Severity::Error, code, message.into(), place)
    }

    pub(super) fn warning(
        &mut self,
        pointer: &str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Added<'_> {
        self.add(Severity::Warning, code, message.into(), self.source.document.value_at(pointer))
    }

    fn add(&mut self, severity: Severity, code: &'static str, message: String, place: Place) -> Added<'_> {
        let diagnostic = self.source.diagnostic(severity, code, message, place);
        // A vector that was just pushed to has a last element; `push_mut` is not stable everywhere.
        self.list.push(diagnostic);
        let last = self.list.len() - 1;
        Added(&mut self.list[last])
    }

    /// Reads a length of time, and reports what is none.
    pub(super) fn span(&mut self, pointer: &str, value: &Value) -> Option<Span> {
        let Some(text) = value.as_str() else {
            self.error(pointer, "wrong-type", "a length of time is text").advise("such as 30d, 6mo or 2y");
            return None;
        };
        match text.parse() {
            Ok(span) => Some(span),
            Err(message) => {
                let message: String = message;
                self.error(pointer, "bad-value", message);
                None
            }
        }
    }

    /// The same for a key that may be absent.
    pub(super) fn optional_span(&mut self, pointer: &str, text: Option<&String>) -> Option<Span> {
        self.span(pointer, &Value::String(text?.clone()))
    }
}
