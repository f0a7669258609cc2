//! The physical lines of a file, with their numbers; lines can be given back.
//!
//! Holds one line at a time and never looks inside it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use sha2::{Digest, Sha256};

use super::source::LONGEST_RECORD;

/// Also how much of a file is looked at to tell its encoding.
const BUFFER: usize = 256 * 1024;
/// A longer line is no line of a table; the limit keeps memory flat.
const LONGEST_LINE: usize = 8 * 1024 * 1024;
/// How much is kept of a longer one: as long as no record may be, so that no quote is followed into it.
const CUT: usize = LONGEST_RECORD + 1;

/// Reads a file and hashes what it reads.
struct Hashing {
    file: File,
    digest: Sha256,
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.digest.update(&buffer[..count]);
        Ok(count)
    }
}

/// One line, with its line end.
pub(super) struct Line {
    pub text: Vec<u8>,
    /// It was too long to be held, so that `text` is only its start.
    pub is_cut: bool,
}

pub(super) struct Lines {
    input: BufReader<Hashing>,
    given_back: VecDeque<Line>,
    /// Of the line that comes next.
    number: u64,
    bytes: u64,
}

impl Lines {
    pub(super) fn new(file: File) -> Self {
        let input = BufReader::with_capacity(BUFFER, Hashing { file, digest: Sha256::new() });
        Self { input, given_back: VecDeque::new(), number: 1, bytes: 0 }
    }

    /// The start of the file, before anything was taken.
    pub(super) fn peek(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    pub(super) fn skip(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.bytes += bytes as u64;
    }

    /// The next line, and its number from 1.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Line)>> {
        let line = if let Some(line) = self.given_back.pop_front() {
            line
        } else {
            let mut text = Vec::new();
            let longest = LONGEST_LINE as u64 + 1;
            let count = self.input.by_ref().take(longest).read_until(b'\n', &mut text)?;
            if count == 0 {
                return Ok(None);
            }
            self.bytes += count as u64;
            let is_cut = count > LONGEST_LINE;
            if is_cut {
                text.truncate(CUT);
                self.skip_line()?;
            }
            Line { text, is_cut }
        };
        let number = self.number;
        self.number += 1;
        Ok(Some((number, line)))
    }

    /// Passes over the rest of a line.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            let end = buffer.iter().position(|&byte| byte == b'\n');
            let count = end.map_or(buffer.len(), |end| end + 1);
            self.input.consume(count);
            self.bytes += count as u64;
            if end.is_some() || count == 0 {
                return Ok(());
            }
        }
    }

    /// Gives back the lines that were taken last, in their order.
    pub(super) fn give_back(&mut self, lines: Vec<Line>) {
        self.number -= lines.len() as u64;
        for line in lines.into_iter().rev() {
            self.given_back.push_front(line);
        }
    }

    /// Bytes of the file that were taken so far.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of what was read: of the whole file, once it is at its end.
    pub(super) fn digest(self) -> String {
        hex::encode(self.input.into_inner().digest.finalize())
    }
}

/// A line without its line end.
pub(super) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
