//! What is asked of an import, and what it did.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::Entity;

/// One file to import.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    pub entity: Entity,
    pub file: PathBuf,
    /// Names the session, on every row that it brings or changes.
    pub session_key: Option<String>,
    /// Names the delivery within the session.
    pub batch_id: Option<String>,
    /// Do everything, write the rejects, and take the database's part back.
    pub dry_run: bool,
    /// Where refused rows go; beside the file when absent.
    pub rejects: Option<PathBuf>,
}

/// How far an import is. Sent after each batch and at each new phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub phase: Phase,
    pub bytes: u64,
    /// Size of the file.
    pub total_bytes: u64,
    /// Records read so far.
    pub records: u64,
}

/// The steps of an import, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Reading,
    Matching,
    Writing,
    Rejects,
}

impl Phase {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Matching => "matching",
            Self::Writing => "writing",
            Self::Rejects => "writing the rejects",
        }
    }
}

/// One refused row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// The first line of its record.
    pub line: u64,
    /// The columns at fault, separated by commas; empty when it is the row as a whole.
    pub column: String,
    pub reason: String,
}

/// What an import did. `read` is the sum of the four that follow it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    pub entity: &'static str,
    pub file: PathBuf,
    /// SHA-256 of the file.
    pub digest: String,
    pub dry_run: bool,
    /// Records with anything in them.
    pub read: u64,
    pub inserted: u64,
    pub updated: u64,
    /// Stored already just so, or said twice in the file.
    pub unchanged: u64,
    pub rejected: u64,
    /// Records with nothing in them, which are passed over.
    pub blank: u64,
    /// Employees among `updated` that were found by name and got another address.
    pub moved: u64,
    /// The file with the refused rows, when there are any.
    pub rejects: Option<PathBuf>,
    /// The first refused rows, at most [`SHOWN`].
    pub shown: Vec<Rejected>,
    /// When the same file was last imported with the same keys.
    pub seen_before: Option<DateTime<Utc>>,
}

/// How many refused rows a report carries.
pub const SHOWN: usize = 20;
