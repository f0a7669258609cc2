//! What is wrong in a file: where, why, and what to do.
//!
//! Never decides about colour: a caller asks for it. Never shows a line that may hold a secret.

use std::fmt::{self, Write as _};

use schemars::JsonSchema;
use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The manifest cannot be used.
    Error,
    /// It works, and is probably not what was meant.
    Warning,
}

/// One finding in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    pub severity: Severity,
    /// Stable name of the rule, for scripts: `unknown-key`.
    pub code: &'static str,
    pub message: String,
    /// Path below the project folder, with `/` between its parts.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// In characters; at least 1.
    pub length: usize,
    pub advice: Option<String>,
    /// The line, when it may be shown.
    #[serde(skip)]
    pub(super) snippet: Option<Snippet>,
}

const SNIPPET_WIDTH: usize = 120;

impl Diagnostic {
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The finding as text for people, with the line it is about; `colour` uses ANSI escapes.
    pub fn render(&self, colour: bool) -> String {
        let paint = |style: &'static str, text: &str| {
            if colour { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
        };
        let (word, tone) = match self.severity {
            Severity::Error => ("error", "1;31"),
            Severity::Warning => ("warning", "1;33"),
        };
        let mut out =
            format!("{}: {}\n", paint(tone, &format!("{word}[{}]", self.code)), paint("1", &self.message));
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        let bar = paint("1;34", "|");
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{gutter}{} {}:{}:{}", paint("1;34", "-->"), self.file, self.line, self.column);
        if let Some(Snippet { text, offset }) = &self.snippet {
            let marks = "^".repeat(self.length.min(text.chars().count().saturating_sub(*offset)).max(1));
            let _ = writeln!(out, "{gutter} {bar}");
            let _ = writeln!(out, "{} {bar} {text}", paint("1;34", &number));
            let _ = writeln!(out, "{gutter} {bar} {}{}", " ".repeat(*offset), paint(tone, &marks));
        }
        if let Some(advice) = &self.advice {
            let _ = writeln!(out, "{gutter} {} {advice}", paint("1;36", "= help:"));
        }
        out
    }
}

/// The part of a line that is shown, and where the finding begins in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snippet {
    text: String,
    offset: usize,
}

impl Snippet {
    /// Cuts the line around the column, so that a diagnostic stays readable and small.
    pub(super) fn of(line: &str, column: usize) -> Self {
        let column = column.saturating_sub(1);
        let start = if line.chars().nth(SNIPPET_WIDTH).is_none() {
            0
        } else {
            column.saturating_sub(SNIPPET_WIDTH / 3)
        };
        let mut rest = line.chars().skip(start).map(shown);
        let mut text: String = rest.by_ref().take(SNIPPET_WIDTH).collect();
        if rest.next().is_some() {
            text.push_str("...");
        }
        let mut offset = column.min(start + text.chars().count()) - start;
        if start > 0 {
            text.insert_str(0, "...");
            offset += 3;
        }
        Self { text, offset }
    }
}

/// Tabs and control characters would move the marks, or the terminal's cursor.
fn shown(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// The known name that was most likely meant: a slip of the finger away, or its beginning.
pub(super) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length > MAX_WORD {
        return None;
    }
    // A name of one or two letters is near everything; a third of its length is a slip.
    let reach = (length / 3).clamp(1, 4);
    let word = word.to_lowercase();
    known
        .into_iter()
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = strsim::damerau_levenshtein(&word, &lower);
            let begun = length >= 3 && (lower.starts_with(&word) || word.starts_with(&lower));
            let near = distance <= reach && distance < name.chars().count();
            (near || begun).then_some((!near, distance, name))
        })
        .min()
        .map(|(_, _, name)| name)
}

/// Longer words are no slip of a name, and comparing them would cost.
const MAX_WORD: usize = 100;

/// "did you mean" where something is near, else the choices where they are few.
pub(super) fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(name) = closest(word, known.clone()) {
        return Some(format!("did you mean `{name}`?"));
    }
    let names: Vec<&str> = known.into_iter().take(MAX_CHOICES + 1).collect();
    (!names.is_empty() && names.len() <= MAX_CHOICES).then(|| format!("use one of: {}", names.join(", ")))
}

/// A longer list is not read.
const MAX_CHOICES: usize = 30;
