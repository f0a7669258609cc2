//! Records to rows in COPY's text form, and to the reasons why some are none.
//!
//! All faults of a record are found, not only the first.

use std::hash::{DefaultHasher, Hasher};

use serde_json::{Map, Value};
use uuid::Uuid;

use super::columns::{Columns, no_such_columns, required};
use super::csv::cells;
use super::source::{Format, Record};

/// Rows on their way to the staging table.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// For [`crate::store::import::copy_rows`].
    pub rows: Vec<u8>,
    /// For [`crate::store::import::COPY_REJECTS`].
    pub rejects: Vec<u8>,
    pub read: u64,
    pub blank: u64,
    /// Bytes of the file up to here.
    pub bytes: u64,
}

/// A record's values in the order of the columns; the reasons against it beside them.
struct Row {
    values: Vec<Option<String>>,
    /// Columns to erase, a bit each.
    cleared: i64,
    /// Column and reason.
    faults: Vec<(String, String)>,
}

impl Batch {
    pub(super) fn add(&mut self, columns: &Columns, format: &Format, record: &Record) {
        let mut row = Row { values: vec![None; columns.taken.len()], cleared: 0, faults: Vec::new() };
        if record.fault.is_none() && record.raw.trim_ascii().is_empty() {
            self.blank += 1;
            return;
        }
        let is_blank = if let Some(fault) = record.fault {
            row.fault("", fault.to_owned());
            false
        } else {
            match (std::str::from_utf8(&record.raw), format) {
                (Err(_), _) => {
                    row.fault("", "is not UTF-8".to_owned());
                    false
                }
                (Ok(text), Format::Csv { delimiter, .. }) => row.fill_from_csv(columns, text, *delimiter),
                (Ok(text), Format::JsonLines) => row.fill_from_json(columns, text),
            }
        };
        if is_blank {
            self.blank += 1;
            return;
        }
        self.read += 1;
        row.check_lengths(columns);
        row.check_required(columns);
        if row.faults.is_empty() {
            row.write(columns, record.line, &mut self.rows);
        } else {
            for (column, reason) in &row.faults {
                self.rejects.extend_from_slice(record.line.to_string().as_bytes());
                for text in [column, reason] {
                    self.rejects.push(b'\t');
                    escape(text, &mut self.rejects);
                }
                self.rejects.push(b'\n');
            }
        }
    }
}

impl Row {
    fn fault(&mut self, column: &str, reason: String) {
        self.faults.push((column.to_owned(), reason));
    }

    /// Whether all cells are empty.
    fn fill_from_csv(&mut self, columns: &Columns, text: &str, delimiter: u8) -> bool {
        let cells = cells(text, delimiter);
        if cells.iter().all(|cell| cell.text.trim().is_empty()) {
            return true;
        }
        if cells.len() != columns.cells.len() {
            self.fault("", format!("has {} cells, and the header {}", cells.len(), columns.cells.len()));
            return false;
        }
        for (cell, place) in cells.iter().zip(&columns.cells) {
            let (Some(place), text) = (*place, cell.text.trim()) else {
                continue;
            };
            if text.is_empty() {
                continue;
            }
            let column = &columns.taken[place];
            match column.shape.read(text) {
                Ok(value) => self.values[place] = Some(value),
                Err(reason) => self.fault(column.name, reason),
            }
        }
        false
    }

    /// Whether the object says nothing.
    fn fill_from_json(&mut self, columns: &Columns, text: &str) -> bool {
        let object = match parse_object(text) {
            Ok(object) => object,
            Err(reason) => {
                self.fault("", reason);
                return false;
            }
        };
        let mut is_blank = true;
        for (key, value) in &object {
            // What a rejects file adds to a row.
            if key.starts_with('_') {
                continue;
            }
            is_blank = false;
            let Some(place) = columns.place(key) else {
                self.fault(key, no_such_columns(columns.entity, &[key]));
                continue;
            };
            let column = &columns.taken[place];
            if value.is_null() {
                if column.clearable {
                    self.cleared |= 1 << place;
                }
                continue;
            }
            match column.shape.read_json(value) {
                Ok(value) => self.values[place] = value,
                Err(reason) => self.fault(column.name, reason),
            }
        }
        is_blank
    }

    fn check_lengths(&mut self, columns: &Columns) {
        for (place, column) in columns.taken.iter().enumerate() {
            let length = self.values[place].as_ref().map_or(0, |value| value.chars().count());
            if let Some(max) = column.max_chars.filter(|max| length > *max) {
                self.fault(column.name, format!("has {length} characters, and the database holds {max}"));
            }
        }
    }

    /// Only of a row whose cells could be read: a refused key is not a missing one.
    fn check_required(&mut self, columns: &Columns) {
        for group in required(columns.entity) {
            let stands = |name: &&str| {
                let given = columns.taken.iter().position(|column| column.name == *name);
                given.is_some_and(|place| self.values[place].is_some())
                    || self.faults.iter().any(|(column, _)| column == name || column.is_empty())
            };
            if !group.iter().any(stands) {
                let shown: Vec<&str> =
                    group.iter().copied().filter(|name| columns.is_json() || columns.has(name)).collect();
                self.fault(&shown.join(", "), "is empty, and a row needs one of these".to_owned());
            }
        }
    }

    fn write(&self, columns: &Columns, line: u64, out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(256);
        if columns.is_json() {
            body.extend_from_slice(self.cleared.to_string().as_bytes());
            body.push(b'\t');
        }
        for (place, value) in self.values.iter().enumerate() {
            if place > 0 {
                body.push(b'\t');
            }
            match value {
                Some(value) => escape(value, &mut body),
                None => body.extend_from_slice(b"\\N"),
            }
        }
        out.extend_from_slice(line.to_string().as_bytes());
        out.push(b'\t');
        out.extend_from_slice(fingerprint(&body).to_string().as_bytes());
        out.push(b'\t');
        out.extend_from_slice(&body);
        out.push(b'\n');
    }
}

/// An object; of a rejected line that was none, the text that was kept.
fn parse_object(text: &str) -> Result<Map<String, Value>, String> {
    let object: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("is not a JSON object ({error})"))?;
    match object.get(super::rejects::RAW) {
        Some(Value::String(raw)) => {
            serde_json::from_str(raw).map_err(|error| format!("is not a JSON object ({error})"))
        }
        _ => Ok(object),
    }
}

/// Tells rows of one file apart; 128 bits, so that no two different rows are ever taken for one.
fn fingerprint(row: &[u8]) -> Uuid {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(salt);
        hasher.write(row);
        hasher.finish()
    };
    Uuid::from_u64_pair(half(0), half(1))
}

/// COPY's text form of a value.
fn escape(text: &str, out: &mut Vec<u8>) {
    for &byte in text.as_bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            // Only in reasons that quote what was refused.
            0 => out.push(b'?'),
            _ => out.push(byte),
        }
    }
}
