//! Provider `file`: append-only JSON Lines, one file a campaign.
//!
//! An item is accepted when its line is on disk. A line that a crash tore apart was never accepted
//! and is cut off before the next append; whole lines are never changed.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use chrono::SecondsFormat;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::last_look::{HELD_BACK, LastLook};
use super::{Answer, Destination, Item, Presence, Provider, ProviderError};
use crate::model::{ActionKind, Clock, Verdict};

/// A line of an outbox file.
#[derive(Serialize)]
struct Line<'a> {
    key: String,
    action: ActionKind,
    campaign: &'a str,
    number: i32,
    employee_id: Uuid,
    email: &'a str,
    fields: &'a Value,
    at: &'a str,
}

pub(super) struct FileProvider<'c> {
    dir: PathBuf,
    clock: &'c dyn Clock,
    look: LastLook,
}

impl<'c> FileProvider<'c> {
    pub(super) fn new(dir: PathBuf, clock: &'c dyn Clock, look: LastLook) -> Self {
        Self { dir, clock, look }
    }

    /// Named by number, which is the campaign's identity: a renamed campaign goes on in its file.
    fn path(&self, to: &Destination) -> PathBuf {
        self.dir.join(format!("campaign-{}.jsonl", to.number))
    }

    /// The campaign's file, ours alone until it is dropped, and its length up to the last whole line.
    fn open(&self, to: &Destination) -> io::Result<(File, u64)> {
        fs::create_dir_all(&self.dir)?;
        let path = self.path(to);
        let fresh = !path.exists();
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        file.lock()?;
        if fresh {
            File::open(&self.dir)?.sync_all()?;
        }
        let end = cut_torn_line(&mut file)?;
        Ok((file, end))
    }

    fn append(&self, mut file: File, end: u64, to: &Destination, items: &[Item]) -> io::Result<()> {
        let at = self.clock.now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut lines = Vec::with_capacity(items.len() * 256);
        for item in items {
            serde_json::to_writer(
                &mut lines,
                &Line {
                    key: item.key.to_string(),
                    action: item.action,
                    campaign: &to.campaign,
                    number: to.number,
                    employee_id: item.employee_id(),
                    email: &item.email,
                    fields: &item.fields,
                    at: &at,
                },
            )?;
            lines.push(b'\n');
        }
        if let Err(error) = file.write_all(&lines).and_then(|()| file.sync_data()) {
            // A full disk may have taken half of it: take all of it back, or the next look-up
            // would find items that were never accepted.
            file.set_len(end)?;
            file.sync_data()?;
            return Err(error);
        }
        Ok(())
    }

    fn find(&self, to: &Destination, items: &[Item]) -> io::Result<Vec<Presence>> {
        let file = match File::open(self.path(to)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(vec![Presence::NotHere; items.len()]);
            }
            Err(error) => return Err(error),
        };
        // A line that was written by a process that died may be in memory only.
        file.sync_data()?;
        let wanted: HashSet<String> = items.iter().map(|item| item.key.to_string()).collect();
        let mut found = HashSet::new();
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            if line.ends_with(b"\n")
                && let Ok(Keyed { key }) = serde_json::from_slice(&line)
                && wanted.contains(key)
            {
                found.insert(key.to_owned());
            }
            line.clear();
        }
        let presence = |item: &Item| {
            if found.contains(&item.key.to_string()) { Presence::Here } else { Presence::NotHere }
        };
        Ok(items.iter().map(presence).collect())
    }
}

#[derive(serde::Deserialize)]
struct Keyed<'a> {
    key: &'a str,
}

/// Ends the file at its last whole line and returns that length.
fn cut_torn_line(file: &mut File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let mut end = length;
    let mut buffer = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(buffer.len() as u64);
        let chunk = &mut buffer[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(chunk)?;
        if let Some(last) = chunk.iter().rposition(|byte| *byte == b'\n') {
            end = start + last as u64 + 1;
            break;
        }
        end = start;
    }
    if end < length {
        file.set_len(end)?;
    }
    Ok(end)
}

impl Provider for FileProvider<'_> {
    fn perform<'a>(&'a self, to: &'a Destination, items: &'a [Item]) -> BoxFuture<'a, Answer> {
        let answer = match self.open(to) {
            // The file's lock may have been waited for.
            Ok(_) if self.look.is_too_late() => {
                Answer::Whole(Verdict::Retry { after: None, reason: HELD_BACK.to_owned() })
            }
            Ok((file, end)) => match self.append(file, end, to, items) {
                Ok(()) => Answer::Items(vec![Verdict::Accepted; items.len()]),
                // Whether the lines reached the disk is for the look-up to say.
                Err(error) => {
                    let reason = format!("could not append to the outbox file: {error}");
                    Answer::Items(vec![Verdict::InDoubt(reason); items.len()])
                }
            },
            Err(error) => {
                let path = self.path(to);
                let reason = format!("could not open the outbox file {}: {error}", path.display());
                Answer::Whole(Verdict::Misconfigured(reason))
            }
        };
        Box::pin(async move { answer })
    }

    fn look_up<'a>(
        &'a self,
        to: &'a Destination,
        items: &'a [Item],
    ) -> BoxFuture<'a, Result<Vec<Presence>, ProviderError>> {
        let found = self
            .find(to, items)
            .map_err(|source| ProviderError::File { path: self.path(to).display().to_string(), source });
        Box::pin(async move { found })
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(10)
    }
}
