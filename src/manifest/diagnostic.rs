//! What is wrong in a file: where, why, and what to do.
//!
//! Never decides about colour: a caller asks for it. Never shows a line that may hold a secret.

use std::fmt::{self, Write as _};

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
    /// The text of the line, when it may be shown.
    #[serde(skip)]
    pub snippet: Option<String>,
}

/// Wider lines are cut around the finding, so that a diagnostic stays readable.
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
        if let Some((text, column)) = self.window() {
            let marks = "^".repeat(self.length.min(text.chars().count().saturating_sub(column)).max(1));
            let _ = writeln!(out, "{gutter} {bar}");
            let _ = writeln!(out, "{} {bar} {text}", paint("1;34", &number));
            let _ = writeln!(out, "{gutter} {bar} {}{}", " ".repeat(column), paint(tone, &marks));
        }
        if let Some(advice) = &self.advice {
            let _ = writeln!(out, "{gutter} {} {advice}", paint("1;36", "= help:"));
        }
        out
    }

    /// The part of the line that is shown, and the finding's offset in it.
    fn window(&self) -> Option<(String, usize)> {
        let line: Vec<char> = self.snippet.as_ref()?.chars().map(shown).collect();
        let column = (self.column - 1).min(line.len());
        if line.len() <= SNIPPET_WIDTH {
            return Some((line.into_iter().collect(), column));
        }
        let start = column.saturating_sub(SNIPPET_WIDTH / 3).min(line.len() - SNIPPET_WIDTH);
        let part: String = line.iter().skip(start).take(SNIPPET_WIDTH).collect();
        Some((format!("...{part}..."), column - start + 3))
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

/// The known name that was most likely meant.
pub(super) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A name of one or two letters is near everything; a third of its length is a slip of the finger.
    let reach = (word.chars().count() / 3).clamp(1, 4);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&word.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= reach && *distance < name.chars().count())
        .min()
        .map(|(_, name)| name)
}

/// "did you mean" where something is near, else the choices where they are few.
pub(super) fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(name) = closest(word, known.clone()) {
        return Some(format!("did you mean `{name}`?"));
    }
    let names: Vec<&str> = known.into_iter().collect();
    (!names.is_empty() && names.len() <= 30).then(|| format!("use one of: {}", names.join(", ")))
}
