//! Collects what is wrong in one file, by the place of a value in it.

use serde_json::{Map, Value};

use super::diagnostic::{Diagnostic, Severity};
use super::source::Source;
use super::yaml::{MAX_FINDINGS, Place, child};
use crate::model::Span;

/// The diagnostics of one file.
pub(super) struct Findings<'a> {
    source: &'a Source,
    list: Vec<Diagnostic>,
}

/// The diagnostic just added, to be given its advice; nothing when there are too many already.
pub(super) struct Added<'a>(Option<&'a mut Diagnostic>);

impl Added<'_> {
    pub(super) fn advise(self, advice: impl Into<String>) {
        self.advise_some(Some(advice.into()));
    }

    pub(super) fn advise_some(self, advice: Option<String>) {
        if let Some(diagnostic) = self.0 {
            diagnostic.advice = advice;
        }
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
        if self.is_full() {
            return Added(None);
        }
        self.list.push(self.source.diagnostic(severity, code, message, place));
        Added(self.list.last_mut())
    }

    /// Enough has been said about this file; advice need not be thought of.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= MAX_FINDINGS
    }

    /// The entries of a map as they stand in the file: a JSON map has lost their order.
    pub(super) fn in_order<'v>(
        &self,
        pointer: &str,
        entries: &'v Map<String, Value>,
    ) -> Vec<(&'v String, &'v Value)> {
        let mut ordered: Vec<_> = entries.iter().collect();
        ordered.sort_by_cached_key(|(key, _)| {
            let place = self.source.document.key_at(&child(pointer, key));
            (place.line, place.column)
        });
        ordered
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
