//! The grammar of a CSV record: where its quoted text ends, and its cells.
//!
//! Our own and not a library's because of what a stray quote does: a lenient reader takes the good rows after it into
//! one cell without a word. This one says where a record is broken, so that reading goes on at the next line.

use std::borrow::Cow;

/// Follows a record through its lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan {
    delimiter: u8,
    state: State,
    broken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    CellStart,
    Plain,
    Quoted,
    /// After a quote inside quoted text: its end, or the first half of a doubled one.
    AfterQuote,
}

impl Scan {
    pub(super) const fn new(delimiter: u8) -> Self {
        Self { delimiter, state: State::CellStart, broken: false }
    }

    /// Goes through one line, without its line end.
    pub(super) fn line(&mut self, line: &[u8]) {
        if self.state == State::CellStart && !line.contains(&b'"') {
            self.state = State::Plain;
            return;
        }
        for &byte in line {
            self.state = match (self.state, byte) {
                (State::Quoted, b'"') => State::AfterQuote,
                (State::CellStart | State::AfterQuote, b'"') | (State::Quoted, _) => State::Quoted,
                (_, byte) if byte == self.delimiter => State::CellStart,
                (State::AfterQuote, _) => {
                    self.broken = true;
                    State::Plain
                }
                (State::CellStart | State::Plain, _) => State::Plain,
            };
        }
    }

    /// Whether quoted text goes on in the next line.
    pub(super) fn is_open(self) -> bool {
        self.state == State::Quoted
    }

    /// Whether there was text after a closing quote.
    pub(super) const fn is_broken(self) -> bool {
        self.broken
    }
}

/// One cell of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cell<'a> {
    /// Where it starts in the record, with its quote.
    pub start: usize,
    pub text: Cow<'a, str>,
}

/// The cells of a whole record without its line end.
pub(super) fn cells(record: &str, delimiter: u8) -> Vec<Cell<'_>> {
    let bytes = record.as_bytes();
    let find = |from: usize, wanted: u8| {
        bytes[from..].iter().position(|&byte| byte == wanted).map_or(bytes.len(), |place| from + place)
    };
    let mut cells = Vec::new();
    let mut start = 0;
    loop {
        let (text, end) = if bytes.get(start) == Some(&b'"') {
            let mut close = find(start + 1, b'"');
            while bytes.get(close + 1) == Some(&b'"') {
                close = find(close + 2, b'"');
            }
            let inner = &record[start + 1..close];
            let text = if inner.contains('"') {
                Cow::Owned(inner.replace("\"\"", "\""))
            } else {
                Cow::Borrowed(inner)
            };
            (text, find(close.min(bytes.len()), delimiter))
        } else {
            let end = find(start, delimiter);
            (Cow::Borrowed(&record[start..end]), end)
        };
        cells.push(Cell { start, text });
        if end >= bytes.len() {
            return cells;
        }
        start = end + 1;
    }
}

/// Quotes a cell where it needs it.
pub(super) fn quote(text: &str, delimiter: u8) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte == delimiter || matches!(byte, b'"' | b'\r' | b'\n')) {
        Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(text)
    }
}

/// Comma, semicolon or tab: whichever a header has most of outside quotes.
pub(super) fn delimiter(header: &[u8]) -> u8 {
    let count = |delimiter: u8| {
        let mut quoted = false;
        header
            .iter()
            .filter(|&&byte| {
                quoted ^= byte == b'"';
                !quoted && byte == delimiter
            })
            .count()
    };
    [b';', b'\t'].into_iter().fold(b',', |best, other| if count(other) > count(best) { other } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(record: &str) -> Vec<String> {
        cells(record, b';').into_iter().map(|cell| cell.text.into_owned()).collect()
    }

    #[test]
    fn splits_quoted_cells() {
        assert_eq!(texts("a;b"), ["a", "b"]);
        assert_eq!(texts(""), [""]);
        assert_eq!(texts(";"), ["", ""]);
        assert_eq!(texts("\"a;b\";\"c\nd\";"), ["a;b", "c\nd", ""]);
        assert_eq!(texts(r#""say ""hi""";ООО "Ромашка""#), [r#"say "hi""#, r#"ООО "Ромашка""#]);
        assert_eq!(texts("\"\"\";x\""), ["\";x"]);
        assert_eq!(cells("ab;\"c\";d", b';').iter().map(|c| c.start).collect::<Vec<_>>(), [0, 3, 7]);
    }

    #[test]
    fn tells_open_and_broken_records() {
        let scan = |lines: &[&str]| {
            let mut scan = Scan::new(b',');
            for line in lines {
                scan.line(line.as_bytes());
            }
            (scan.is_open(), scan.is_broken())
        };
        assert_eq!(scan(&["a,b"]), (false, false));
        assert_eq!(scan(&["a,\"b"]), (true, false));
        assert_eq!(scan(&["a,\"b", "c\",d"]), (false, false));
        assert_eq!(scan(&["\"Ромашка\" ООО,b"]), (false, true));
        assert_eq!(scan(&["a \"b\" c,\"\"\"\""]), (false, false));
    }

    #[test]
    fn quoting_comes_back() {
        for text in ["a", "a;b", "say \"hi\"", "two\nlines", ""] {
            assert_eq!(texts(&format!("x;{}", quote(text, b';'))), ["x", text]);
        }
    }

    #[test]
    fn sniffs_the_delimiter() {
        assert_eq!(delimiter(b"tin,company_name"), b',');
        assert_eq!(delimiter(b"\"a,b,c\";tin;x"), b';');
        assert_eq!(delimiter(b"tin\tx"), b'\t');
        assert_eq!(delimiter(b"tin"), b',');
    }
}
