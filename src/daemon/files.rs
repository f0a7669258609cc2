//! The declared files as the daemon holds them: the last good manifest, and what is wrong since.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tracing::{error, info, warn};

use crate::manifest::{self, CAMPAIGNS, Diagnostic, Manifest, PROJECT_FILE, PROMPTS, SEGMENTS};

/// What one load of the files gave.
#[derive(Debug, Clone)]
pub(super) struct Declared {
    pub manifest: Arc<Manifest>,
    /// The commit that the files are from; `+` when they differ from it.
    pub revision: Option<String>,
    /// What is wrong in the files since; empty when `manifest` is what they say.
    pub diagnostics: Vec<Diagnostic>,
}

impl Declared {
    /// Whether a pass over that campaign is to go by other files than these now.
    pub(super) fn differs_for(&self, number: i32, now: &Self) -> bool {
        let (was, is) = (&self.manifest, &now.manifest);
        let of = |manifest: &'_ Manifest| manifest.campaigns.iter().find(|one| one.number == number).cloned();
        of(was) != of(is) || was.segments != is.segments || was.project != is.project
    }
}

/// The folder and what was last read from it.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    print: Vec<Stamp>,
    pub declared: Declared,
}

impl Files {
    /// Reads the files; every diagnostic when they are no manifest.
    pub(super) async fn open(root: &Path) -> Result<Self, Vec<Diagnostic>> {
        let print = fingerprint(root);
        let loaded = manifest::load(root);
        let manifest = loaded.manifest.ok_or(loaded.diagnostics)?;
        let revision = revision(root).await;
        let declared = Declared { manifest: Arc::new(manifest), revision, diagnostics: Vec::new() };
        Ok(Self { root: root.to_owned(), print, declared })
    }

    /// Whether any file looks different from when it was last read.
    pub(super) fn have_changed(&self) -> bool {
        fingerprint(&self.root) != self.print
    }

    /// Reads them again. True when there is a new manifest; a bad file leaves the last good one.
    pub(super) async fn reload(&mut self) -> bool {
        self.print = fingerprint(&self.root);
        let loaded = manifest::load(&self.root);
        let errors: Vec<Diagnostic> = loaded.diagnostics.into_iter().filter(Diagnostic::is_error).collect();
        let Some(manifest) = loaded.manifest else {
            for one in &errors {
                error!(
                    file = one.file,
                    line = one.line,
                    column = one.column,
                    code = one.code,
                    "{}",
                    one.message
                );
            }
            warn!(errors = errors.len(), "the files cannot be taken; those before stay in force");
            self.declared.diagnostics = errors;
            return false;
        };
        self.declared.diagnostics = Vec::new();
        self.declared.revision = revision(&self.root).await;
        if manifest.digest == self.declared.manifest.digest {
            return false;
        }
        info!(digest = manifest.digest, campaigns = manifest.campaigns.len(), "the files are in force");
        self.declared.manifest = Arc::new(manifest);
        true
    }
}

/// What tells one state of a file from another without reading it. Links are followed, so that a swapped link
/// shows.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    path: PathBuf,
    length: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

fn fingerprint(root: &Path) -> Vec<Stamp> {
    let mut paths = vec![root.join(PROJECT_FILE)];
    for folder in [SEGMENTS, CAMPAIGNS, PROMPTS] {
        let folder = root.join(folder);
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        paths.extend(entries.map(|entry| entry.path()));
        paths.push(folder);
    }
    let mut stamps: Vec<Stamp> = paths.into_iter().filter_map(stamp).collect();
    stamps.sort_by(|a, b| a.path.cmp(&b.path));
    stamps
}

fn stamp(path: PathBuf) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt as _;
    let about = std::fs::metadata(&path).ok()?;
    // A folder's own times follow editors' temporary files.
    let (length, modified) = if about.is_dir() { (0, None) } else { (about.len(), about.modified().ok()) };
    Some(Stamp { path, length, modified, inode: about.ino() })
}

const GIT_PATIENCE: Duration = Duration::from_secs(2);

/// The commit that the folder stands at; `None` outside of git, or where there is no git.
pub(super) async fn revision(root: &Path) -> Option<String> {
    let head = git(root, &["rev-parse", "--short=12", "HEAD"]).await?;
    let changed =
        git(root, &["status", "--porcelain", "--", PROJECT_FILE, SEGMENTS, CAMPAIGNS, PROMPTS]).await?;
    Some(if changed.is_empty() { head } else { format!("{head}+") })
}

async fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = tokio::process::Command::new("git")
        .arg("-C")
        .arg(root)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(GIT_PATIENCE, output).await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMPAIGN: &str = "campaign: one\nnumber: 1\ntype: sales\nsegment: all\nprovider: out\n";

    fn project() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        std::fs::create_dir(folder.path().join(SEGMENTS)).unwrap();
        std::fs::create_dir(folder.path().join(CAMPAIGNS)).unwrap();
        write("outreach.yaml", "providers: { out: { kind: file } }\n");
        write("segments/all.yaml", "segment: all\nwhere: { company.segment: Fintech }\n");
        write("campaigns/one.yaml", CAMPAIGN);
        folder
    }

    #[tokio::test]
    async fn a_bad_file_leaves_the_last_good_manifest() {
        let folder = project();
        let mut files = Files::open(folder.path()).await.unwrap();
        let digest = files.declared.manifest.digest.clone();
        assert!(!files.have_changed());
        let path = folder.path().join("campaigns/one.yaml");
        std::fs::write(&path, format!("{CAMPAIGN}priorty: 3\n")).unwrap();
        assert!(files.have_changed());
        assert!(!files.reload().await);
        assert_eq!(files.declared.manifest.digest, digest);
        assert_eq!(files.declared.diagnostics.len(), 1);
        assert!(!files.have_changed(), "looked at once");
        std::fs::write(&path, format!("{CAMPAIGN}priority: 3\n")).unwrap();
        assert!(files.reload().await);
        assert!(files.declared.diagnostics.is_empty());
        assert_eq!(files.declared.manifest.campaigns[0].priority, 3);
    }

    #[tokio::test]
    async fn swaps_of_links_files_and_folders_are_seen() {
        let folder = project();
        let root = folder.path();
        let mut files = Files::open(root).await.unwrap();
        let mut is_seen = async |what: &str| {
            assert!(files.have_changed(), "{what}");
            files.reload().await;
            assert!(!files.have_changed(), "{what}");
        };
        // As editors write: another file under the same name.
        std::fs::write(root.join("campaigns/.one.swp"), CAMPAIGN).unwrap();
        std::fs::rename(root.join("campaigns/.one.swp"), root.join("campaigns/one.yaml")).unwrap();
        is_seen("rename and replace").await;
        // As Kubernetes mounts: links to a link that is swapped.
        for version in ["..1", "..2"] {
            std::fs::create_dir(root.join(version)).unwrap();
            std::fs::write(
                root.join(version).join("all.yaml"),
                "segment: all\nwhere: { company.segment: Fintech }\n",
            )
            .unwrap();
        }
        std::os::unix::fs::symlink("..1", root.join("..data")).unwrap();
        std::fs::remove_file(root.join("segments/all.yaml")).unwrap();
        std::os::unix::fs::symlink("../..data/all.yaml", root.join("segments/all.yaml")).unwrap();
        is_seen("a link instead of a file").await;
        std::os::unix::fs::symlink("..2", root.join("..new")).unwrap();
        std::fs::rename(root.join("..new"), root.join("..data")).unwrap();
        is_seen("a swapped link").await;
        // As some tools deploy.
        std::fs::remove_dir_all(root.join("campaigns")).unwrap();
        is_seen("a folder that is gone").await;
        std::fs::create_dir(root.join("campaigns")).unwrap();
        std::fs::write(root.join("campaigns/one.yaml"), CAMPAIGN).unwrap();
        is_seen("a folder that is back").await;
    }
}
