//! Writing for people: colours, tables, errors. Colour and width follow the terminal.

use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};

use crate::store::causes;

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const GREEN: Style = AnsiColor::Green.on_default();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(super) const RED: Style = AnsiColor::Red.on_default();
pub(super) const CYAN: Style = AnsiColor::Cyan.on_default();

/// Text in a style; `anstream` takes the style away where nobody sees it.
pub(super) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Writes to stdout. A reader that went away (`| head`) ends the process quietly, as it would `cat`.
pub(super) fn write(text: &str) -> anyhow::Result<()> {
    match anstream::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other?),
    }
}

/// Writes a value as pretty JSON.
pub(super) fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    write(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// A line on stderr, for what is no part of the answer.
pub(super) fn remark(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// The whole chain of an error, once.
pub(super) fn error(error: &anyhow::Error) {
    let causes = causes(error.as_ref());
    remark(&format!("{}{}", paint(RED, "error: "), causes.join("\n  because ")));
}

/// Rows under headings, columns as wide as they must be. The last column is not padded.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(headings.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = String::new();
    for (index, line) in table.lines().enumerate() {
        let line = line.trim_end();
        if index == 0 {
            text.push_str(&paint(DIM, line));
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}

/// `1 contact`, `2 contacts`, `2 pushes`.
pub(super) fn count(n: i64, one: &str) -> String {
    let end = match one {
        _ if n == 1 => "",
        one if one.ends_with("sh") => "es",
        _ => "s",
    };
    format!("{n} {one}{end}")
}
