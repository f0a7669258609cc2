//! One file of the project as it was read: path, text, document.

use super::diagnostic::{Diagnostic, Severity, Snippet};
use super::yaml::{Document, Place};

/// What a file declares, which its folder decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    Project,
    Segment,
    Campaign,
}

/// A file that was read.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Below the project folder, with `/` between its parts.
    pub path: String,
    pub kind: FileKind,
    pub text: String,
    pub document: Document,
}

impl Source {
    pub(super) fn diagnostic(
        &self,
        severity: Severity,
        code: &'static str,
        message: String,
        place: Place,
    ) -> Diagnostic {
        let line = self.text.lines().nth(place.line.saturating_sub(1)).unwrap_or_default();
        Diagnostic {
            severity,
            code,
            message: shortened(message),
            file: self.path.clone(),
            line: place.line,
            column: place.column,
            length: place.length,
            advice: None,
            snippet: (line.len() <= MAX_LINE && code != "literal-secret" && !may_hold_a_secret(line))
                .then(|| Snippet::of(line, place.column)),
        }
    }

    /// The place of one line of a text value: inside a block scalar its own line, else the value.
    pub(super) fn line_in(&self, pointer: &str, line: usize) -> Place {
        let value = self.document.value_at(pointer);
        let Some(first) = self.document.text_line(pointer) else { return value };
        let number = first + line - 1;
        let Some(text) = self.text.lines().nth(number - 1) else { return value };
        let indent = text.chars().take_while(|c| c.is_whitespace()).count();
        let length = text.trim().chars().count().max(1);
        Place { line: number, column: indent + 1, length }
    }
}

/// A message quotes what was written, which may be a page.
fn shortened(message: String) -> String {
    match message.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}...", &message[..end]),
        None => message,
    }
}

const MAX_MESSAGE: usize = 300;
/// A longer line was not written for eyes, and looking through it for each finding would cost.
const MAX_LINE: usize = 4096;

/// A diagnostic goes to terminals and CI logs, so a line like `secret: whsec_...` is not shown.
/// A line whose value is a reference is safe.
fn may_hold_a_secret(line: &str) -> bool {
    let lower = line.to_lowercase();
    let named = ["secret", "password", "passwd", "token", "api_key", "apikey", "slack"]
        .iter()
        .any(|word| lower.contains(word));
    let shaped = lower.contains("whsec_") || lower.contains("postgres") && lower.contains("://") || {
        lower.split_once("://").is_some_and(|(_, rest)| rest.contains('@'))
    };
    (named && !line.contains("${") && !line.contains("file:")) || shaped
}
