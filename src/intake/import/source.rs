//! A file as records: CSV or JSON Lines, told by its content.
//!
//! Streams: holds one record at a time. Never judges a value; it only says when a record cannot be one.

use std::fs::File;
use std::io;
use std::path::Path;

use super::csv::{Scan, cells, delimiter};
use super::error::ImportError;
use super::lines::{Line, Lines, without_end};

/// Longer quoted text is a quote that was never closed.
pub(super) const LONGEST_RECORD: usize = 1024 * 1024;
const BOM: &[u8] = b"\xef\xbb\xbf";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Format {
    Csv { delimiter: u8, header: Vec<u8> },
    JsonLines,
}

/// One record as it stands in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Its first line.
    pub line: u64,
    /// Without the last line end.
    pub raw: Vec<u8>,
    /// Why it cannot be read at all.
    pub fault: Option<&'static str>,
}

pub(super) struct Source {
    pub format: Format,
    pub has_bom: bool,
    /// The line end of the file's first line.
    pub line_end: &'static str,
    lines: Lines,
}

impl Source {
    /// Opens a file and reads its header.
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        let read = |source| ImportError::Read { file: path.to_owned(), source };
        let invalid = |problem: String| ImportError::Invalid { file: path.to_owned(), problem };
        let mut lines = Lines::new(File::open(path).map_err(read)?);
        let start = lines.peek().map_err(read)?;
        if start.is_empty() {
            return Err(invalid("it is empty".to_owned()));
        }
        check_encoding(start).map_err(invalid)?;
        let has_bom = start.starts_with(BOM);
        let is_json = start.strip_prefix(BOM).unwrap_or(start).trim_ascii_start().starts_with(b"{");
        if has_bom {
            lines.skip(BOM.len());
        }
        let Some((_, first)) = lines.next().map_err(read)? else {
            return Err(invalid("it is empty".to_owned()));
        };
        let Line { text: first, is_cut } = first;
        if is_cut {
            return Err(invalid("its first line is longer than 8 MiB".to_owned()));
        }
        let line_end = if first.ends_with(b"\r\n") { "\r\n" } else { "\n" };
        let format = if is_json {
            lines.give_back(vec![Line { text: first, is_cut }]);
            Format::JsonLines
        } else {
            let header = without_end(&first).to_vec();
            if header.contains(&b'\r') {
                return Err(invalid(
                    "its lines end with a bare carriage return: save it with LF or CRLF line ends".to_owned(),
                ));
            }
            Format::Csv { delimiter: delimiter(&header), header }
        };
        Ok(Self { format, has_bom, line_end, lines })
    }

    /// The header's cells; none for JSON Lines.
    pub(super) fn header(&self) -> Vec<String> {
        match &self.format {
            Format::Csv { delimiter, header } => cells(&String::from_utf8_lossy(header), *delimiter)
                .into_iter()
                .map(|cell| cell.text.into_owned())
                .collect(),
            Format::JsonLines => Vec::new(),
        }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        let Some((line, Line { text: first, is_cut })) = self.lines.next()? else {
            return Ok(None);
        };
        if is_cut {
            // Nothing of it is kept: half a row that is imported again would be taken for a whole one.
            let fault = "is longer than 8 MiB and is not copied here: mend it in the imported file";
            return Ok(Some(Record { line, raw: Vec::new(), fault: Some(fault) }));
        }
        let record = |raw: &[u8], fault| Some(Record { line, raw: without_end(raw).to_vec(), fault });
        let Format::Csv { delimiter, .. } = self.format else {
            return Ok(record(&first, None));
        };
        let mut scan = Scan::new(delimiter);
        scan.line(without_end(&first));
        if !scan.is_open() {
            let fault = scan.is_broken().then_some("has text after a closing quote");
            return Ok(record(&first, fault));
        }
        let mut more = Vec::new();
        let mut length = first.len();
        let fault = loop {
            if length > LONGEST_RECORD {
                break "opens a quote that is not closed";
            }
            let Some((_, next)) = self.lines.next()? else {
                break "opens a quote that is not closed";
            };
            scan.line(without_end(&next.text));
            length += next.text.len();
            more.push(next);
            if scan.is_broken() {
                break "opens a quote that is closed in the middle of a later line";
            }
            if !scan.is_open() {
                if more.iter().any(|line: &Line| line.is_cut) {
                    break "opens a quote that is not closed";
                }
                let rest = more.into_iter().map(|line| line.text);
                return Ok(record(&std::iter::once(first).chain(rest).collect::<Vec<_>>().concat(), None));
            }
        };
        // Only its first line is lost to the quote: what follows is read again as records of their own.
        self.lines.give_back(more);
        Ok(record(&first, Some(fault)))
    }

    /// Bytes taken so far.
    pub(super) const fn bytes(&self) -> u64 {
        self.lines.bytes()
    }

    /// SHA-256 of the file, at its end.
    pub(super) fn digest(self) -> String {
        self.lines.digest()
    }
}

/// Refuses a file that is not UTF-8 as a whole. A few broken rows in one that is are rejects, not a reason to stop.
fn check_encoding(start: &[u8]) -> Result<(), String> {
    const ADVICE: &str = "convert it first, for example with `iconv -f WINDOWS-1251 -t UTF-8`, or save it as \
                          \"CSV UTF-8\"";
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Err(format!("it is UTF-16, not UTF-8: {}", ADVICE.replace("WINDOWS-1251", "UTF-16")));
    }
    if start.starts_with(b"PK\x03\x04") {
        return Err("it is a spreadsheet or an archive, not CSV: save it as \"CSV UTF-8\"".to_owned());
    }
    // The last line may be cut off by the end of the buffer.
    let whole = start.iter().rposition(|&byte| byte == b'\n').map_or(start, |end| &start[..end]);
    let (mut lines, mut good, mut bad) = (0, 0, 0);
    for line in whole.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        lines += 1;
        match std::str::from_utf8(line) {
            Ok(_) if line.is_ascii() => {}
            Ok(_) => good += 1,
            Err(_) => bad += 1,
        }
    }
    if bad > 0 && good == 0 && bad * 2 > lines {
        return Err(format!("it is not UTF-8 (Russian files are often windows-1251): {ADVICE}"));
    }
    Ok(())
}
