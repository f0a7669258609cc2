//! The rejects file: refused rows as they were, with line, column and reason, ready to fix and import again.
//!
//! Reads the imported file a second time instead of keeping refused rows in memory. Appears whole or not at all.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::columns::REJECT_COLUMNS;
use super::csv::{cells, quote};
use super::error::ImportError;
use super::source::{Format, Record, Source};
use crate::store::import::Refusal;

/// Key under which a line that is no JSON object is kept.
pub(super) const RAW: &str = "_raw";

/// Where refused rows go: `companies.csv` has `companies.rejects.csv`.
pub(super) fn path_for(file: &Path, given: Option<&Path>) -> PathBuf {
    if let Some(given) = given {
        return given.to_owned();
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file.extension().map_or(Cow::Borrowed("csv"), |extension| extension.to_string_lossy());
    file.with_file_name(format!("{stem}.rejects.{extension}"))
}

/// Refuses to write over anything that is not a rejects file.
pub(super) fn check_place(file: &Path, rejects: &Path) -> Result<(), ImportError> {
    let failed = |source| ImportError::Rejects { file: rejects.to_owned(), source };
    let same = fs::canonicalize(file).ok().zip(fs::canonicalize(rejects).ok()).is_some_and(|(a, b)| a == b);
    match is_rejects_file(rejects) {
        Ok(true) if !same => Ok(()),
        Ok(_) => Err(failed(io::Error::new(
            io::ErrorKind::AlreadyExists,
            if same {
                "that is the imported file"
            } else {
                "that file is there, and it is not a rejects file"
            },
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// Removes the rejects of an earlier import.
pub(super) fn remove(rejects: &Path) -> Result<(), ImportError> {
    match fs::remove_file(rejects) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ImportError::Rejects { file: rejects.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

fn is_rejects_file(path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    io::Read::take(BufReader::new(File::open(path)?), 64).read_until(b'\n', &mut start)?;
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start);
    Ok(start.is_empty() || start.starts_with(b"_line") || start.starts_with(b"{\"_column\""))
}

/// Writes the rows that the pages name, which come in the order of their lines. Gives the file's digest.
pub(super) fn write(
    file: &Path,
    rejects: &Path,
    mut pages: mpsc::Receiver<Vec<Refusal>>,
) -> Result<String, ImportError> {
    let failed = |source| ImportError::Rejects { file: rejects.to_owned(), source };
    let read = |source| ImportError::Read { file: file.to_owned(), source };
    let mut source = Source::open(file)?;
    let mut name = rejects.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = rejects.with_file_name(name);
    let mut out = BufWriter::new(File::create(&partial).map_err(failed)?);
    let mut row = Vec::new();
    write_header(&source, &mut row);
    out.write_all(&row).map_err(failed)?;

    let mut refusals = Vec::new().into_iter().peekable();
    let mut is_over = false;
    while let Some(record) = source.next().map_err(read)? {
        while refusals.peek().is_none() && !is_over {
            match pages.blocking_recv() {
                Some(page) => refusals = page.into_iter().peekable(),
                None => is_over = true,
            }
        }
        if let Some(refusal) =
            refusals.next_if(|refusal: &Refusal| refusal.line.cast_unsigned() == record.line)
        {
            row.clear();
            write_row(&source, &record, &refusal, &mut row);
            out.write_all(&row).map_err(failed)?;
        }
    }
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)
        .and_then(|out| out.sync_all())
        .map_err(failed)?;
    fs::rename(&partial, rejects).map_err(failed)?;
    Ok(source.digest())
}

fn write_header(source: &Source, out: &mut Vec<u8>) {
    if source.has_bom {
        out.extend_from_slice("\u{feff}".as_bytes());
    }
    if let Format::Csv { delimiter, header } = &source.format {
        for name in REJECT_COLUMNS {
            out.extend_from_slice(name.as_bytes());
            out.push(*delimiter);
        }
        out.extend_from_slice(own_cells(source, header, *delimiter));
        out.extend_from_slice(source.line_end.as_bytes());
    }
}

fn write_row(source: &Source, record: &Record, refusal: &Refusal, out: &mut Vec<u8>) {
    match &source.format {
        Format::Csv { delimiter, .. } => {
            for text in [&record.line.to_string(), &refusal.columns, &refusal.reason] {
                out.extend_from_slice(quote(text, *delimiter).as_bytes());
                out.push(*delimiter);
            }
            out.extend_from_slice(own_cells(source, &record.raw, *delimiter));
        }
        Format::JsonLines => {
            let mut object = Map::new();
            object.insert("_line".to_owned(), Value::from(record.line));
            object.insert("_column".to_owned(), Value::from(refusal.columns.clone()));
            object.insert("_reason".to_owned(), Value::from(refusal.reason.clone()));
            if let Ok(row) = serde_json::from_slice::<Map<String, Value>>(&record.raw) {
                object.extend(row.into_iter().filter(|(key, _)| !REJECT_COLUMNS.contains(&key.as_str())));
            } else {
                let raw = String::from_utf8_lossy(&record.raw).into_owned();
                object.insert(RAW.to_owned(), Value::from(raw));
            }
            out.extend_from_slice(Value::Object(object).to_string().as_bytes());
        }
    }
    out.extend_from_slice(source.line_end.as_bytes());
}

/// A record as it was, without the three columns that an earlier rejects file put before it.
fn own_cells<'a>(source: &Source, raw: &'a [u8], delimiter: u8) -> &'a [u8] {
    let header = source.header();
    let is_again = header.len() > REJECT_COLUMNS.len()
        && header.iter().zip(REJECT_COLUMNS).all(|(cell, name)| cell.trim() == name);
    let start = std::str::from_utf8(raw)
        .ok()
        .filter(|_| is_again)
        .and_then(|text| cells(text, delimiter).get(REJECT_COLUMNS.len()).map(|cell| cell.start));
    start.map_or(raw, |start| &raw[start..])
}
