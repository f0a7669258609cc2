//! `outreachd classify`: one JSON line a mail. Needs no database and no project.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::{Exit, Globals, output};
use crate::reply::{self, Confidence, Delivery, Kind, Reading};

/// No mail that a provider would have taken is larger.
const LARGEST_MAIL: u64 = 25 * 1024 * 1024;
/// Links can make folders endless.
const DEEPEST: usize = 64;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Files with one mail each, or folders of them, whatever they are called.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// A line of the answer.
#[derive(Debug, Serialize)]
struct Line<'a> {
    file: String,
    kind: Kind,
    /// The first recipient that was not reached, or who complained.
    recipient: Option<&'a str>,
    hard: Option<bool>,
    status: Option<&'a str>,
    rule: &'static str,
    evidence: &'a str,
    confidence: Confidence,
    /// Every recipient that the mail reports on.
    recipients: &'a [Delivery],
    away_until: Option<chrono::NaiveDate>,
    left_company: bool,
}

pub(super) fn run(_globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    let mut files = BTreeSet::new();
    for path in &arguments.paths {
        if let Err(error) = collect(path, 0, &mut files) {
            output::error(&error);
            exit = Exit::Failed;
        }
    }
    for file in files {
        match read(&file) {
            Ok(bytes) => output::write(&line(&file, &reply::read(&bytes))?)?,
            Err(error) => {
                output::error(&error);
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}

/// The files below a path, sorted by their set.
fn collect(path: &Path, depth: usize, files: &mut BTreeSet<PathBuf>) -> anyhow::Result<()> {
    let shown = path.display();
    let metadata = fs::metadata(path).with_context(|| format!("could not look at {shown}"))?;
    if !metadata.is_dir() {
        files.insert(path.to_owned());
        return Ok(());
    }
    anyhow::ensure!(depth < DEEPEST, "{shown} is too deep: a link to a folder above it?");
    for entry in fs::read_dir(path).with_context(|| format!("could not list {shown}"))? {
        let entry = entry.with_context(|| format!("could not list {shown}"))?;
        if let Err(error) = collect(&entry.path(), depth + 1, files) {
            // What cannot be looked at is told when it is read, beside the others.
            tracing::debug!(error = %error, "left for later");
            files.insert(entry.path());
        }
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("could not open {shown}"))?;
    anyhow::ensure!(file.metadata().is_ok_and(|file| file.is_file()), "{shown} is not a file");
    let mut bytes = Vec::new();
    // One byte more tells a larger file from one of that very size.
    file.take(LARGEST_MAIL + 1).read_to_end(&mut bytes).with_context(|| format!("could not read {shown}"))?;
    anyhow::ensure!(
        bytes.len() as u64 <= LARGEST_MAIL,
        "{shown} is larger than any mail: {} MiB is the limit",
        LARGEST_MAIL / 1024 / 1024
    );
    Ok(bytes)
}

fn line(file: &Path, reading: &Reading) -> anyhow::Result<String> {
    let first = reading.recipient();
    let line = Line {
        file: file.display().to_string(),
        kind: reading.kind,
        recipient: first.map(|delivery| delivery.address.as_str()).or(reading.complainant.as_deref()),
        hard: first.and_then(|delivery| delivery.hard),
        status: first.and_then(|delivery| delivery.status.as_deref()),
        rule: reading.rule,
        evidence: &reading.evidence,
        confidence: reading.confidence,
        recipients: &reading.deliveries,
        away_until: reading.away_until,
        left_company: reading.left_company,
    };
    Ok(serde_json::to_string(&line)? + "\n")
}
