//! Finds the PostgreSQL server programs of this machine.
//!
//! Never starts a server and never takes a version that the data was not made with.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::EmbeddedError;

/// Names the folder of the server programs; then no other place is looked at.
pub const PROGRAMS_VARIABLE: &str = "OUTREACHD_PG_BIN";

/// Older servers lack what the statements use (and are out of support).
pub(super) const OLDEST: u32 = 14;

/// A folder with `initdb`, `pg_ctl` and `postgres`.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    pub(super) folder: PathBuf,
    pub(super) major: u32,
}

impl Programs {
    /// The newest programs, or those of exactly `pinned` when data of that version exists in `dir`.
    pub(super) fn find(dir: &Path, pinned: Option<u32>) -> Result<Self, EmbeddedError> {
        if let Some(named) = std::env::var_os(PROGRAMS_VARIABLE).filter(|named| !named.is_empty()) {
            let path = PathBuf::from(named);
            let found = Self::inspect(&path).ok_or(EmbeddedError::NamedProgramsUnfit { path })?;
            return Self::choose(dir, pinned, vec![found], &[]);
        }
        let mut places = places();
        places.extend(children(&fetched(dir)).map(|version| version.join("bin")));
        let found = places.iter().filter_map(|place| Self::inspect(place)).collect();
        Self::choose(dir, pinned, found, &places)
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn choose(
        dir: &Path,
        pinned: Option<u32>,
        found: Vec<Self>,
        looked: &[PathBuf],
    ) -> Result<Self, EmbeddedError> {
        let versions = list(found.iter().map(|programs| programs.major));
        // The first of equals wins: what `pg_config` and PATH name comes before what merely lies there.
        let best = found
            .into_iter()
            .rev()
            .filter(|programs| pinned.is_none_or(|major| major == programs.major))
            .max_by_key(|programs| programs.major);
        match (best, pinned) {
            (Some(programs), _) => Ok(programs),
            (None, Some(needed)) if !versions.is_empty() => {
                Err(EmbeddedError::OtherVersion { dir: dir.to_owned(), needed, found: versions })
            }
            (None, _) => {
                Err(EmbeddedError::NoPrograms { looked: list(looked.iter().map(|place| place.display())) })
            }
        }
    }

    pub(super) fn inspect(folder: &Path) -> Option<Self> {
        let complete = ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).is_file());
        if !complete {
            return None;
        }
        let answer = Command::new(folder.join("postgres"))
            .arg("--version")
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let major = major_of(&String::from_utf8_lossy(&answer.stdout))?;
        (major >= OLDEST).then(|| Self { folder: folder.to_owned(), major })
    }
}

/// Where programs go that were downloaded for the cluster in `dir`, a folder a version.
pub(super) fn fetched(dir: &Path) -> PathBuf {
    dir.join("programs")
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, or in `17beta1`.
fn major_of(answer: &str) -> Option<u32> {
    let version = answer.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Folders worth a look, the most deliberate first, each once.
fn places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = configured().into_iter().collect();
    places.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    for (parent, tail) in [
        ("/usr/lib/postgresql", "bin"),
        ("/usr/lib64/pgsql", "bin"),
        ("/opt/homebrew/opt", "bin"),
        ("/usr/local/opt", "bin"),
        ("/Library/PostgreSQL", "bin"),
    ] {
        places.extend(children(Path::new(parent)).map(|child| child.join(tail)));
    }
    places.extend(
        children(Path::new("/usr"))
            .filter(|child| {
                child.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pgsql-"))
            })
            .map(|child| child.join("bin")),
    );
    let mut seen = std::collections::HashSet::new();
    places.retain(|place| place.join("initdb").is_file() && seen.insert(place.canonicalize().ok()));
    if places.is_empty() {
        vec![PathBuf::from("PATH"), PathBuf::from("/usr/lib/postgresql/*/bin")]
    } else {
        places
    }
}

fn configured() -> Option<PathBuf> {
    let answer = Command::new("pg_config").arg("--bindir").stdin(Stdio::null()).output().ok()?;
    let folder = String::from_utf8(answer.stdout).ok()?;
    (!folder.trim().is_empty()).then(|| PathBuf::from(folder.trim()))
}

fn children(folder: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn list(items: impl Iterator<Item = impl ToString>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(major: u32, folder: &str) -> Programs {
        Programs { folder: folder.into(), major }
    }

    #[test]
    fn versions_are_read_from_what_servers_say() {
        for (answer, major) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some(15)),
            ("postgres (PostgreSQL) 18beta1", Some(18)),
            ("postgres: command not found", None),
        ] {
            assert_eq!(major_of(answer), major, "{answer}");
        }
    }

    #[test]
    fn data_pins_the_version_and_otherwise_the_newest_wins() {
        let dir = Path::new("/d");
        let here = || vec![programs(15, "/first"), programs(17, "/b"), programs(15, "/c")];
        assert_eq!(Programs::choose(dir, None, here(), &[]).unwrap().major, 17);
        assert_eq!(Programs::choose(dir, Some(15), here(), &[]).unwrap().folder, Path::new("/first"));
        let refused = Programs::choose(dir, Some(16), here(), &[]).unwrap_err().to_string();
        assert!(refused.contains("PostgreSQL 16, and only 15, 17, 15 is here"), "{refused}");
        let nothing = Programs::choose(dir, None, vec![], &[PathBuf::from("/x")]).unwrap_err().to_string();
        assert!(nothing.contains("/x") && nothing.contains("apt-get install postgresql"), "{nothing}");
    }
}
