//! `plan --base REV`: what the change of the files since a commit does to people.
//!
//! Reads the commit's files from git's objects: the working tree is left as it is.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::cli::exit::Coded;
use crate::cli::{Exit, validate};
use crate::manifest::{self, CAMPAIGNS, Manifest, PROJECT_FILE, SEGMENTS};

/// Git answers from its objects, as a rule in milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// As much as the files of a folder may be in all.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// What a commit declares.
pub(super) struct Base {
    /// As git shortens it.
    pub revision: String,
    pub manifest: Manifest,
}

/// Reads the project as it was at a commit.
pub(super) async fn read(root: &Path, revision: &str) -> anyhow::Result<Base> {
    let commit = format!("{revision}^{{commit}}");
    let short = git(root, &["rev-parse", "--short=12", "--verify", "--end-of-options", &commit], b"")
        .await?
        .map_err(|said| {
            let message = format!(
                "git knows no commit {revision} here ({said}); in a shallow clone fetch it first (`git fetch --unshallow`)"
            );
            Coded::error(Exit::Usage, message)
        })?;
    let short = String::from_utf8_lossy(&short).trim().to_owned();
    let listed =
        git(root, &["ls-tree", "-r", "-z", "-l", &short, "--", PROJECT_FILE, SEGMENTS, CAMPAIGNS], b"")
            .await?
            .map_err(|said| anyhow::anyhow!("git could not list the files of {short}: {said}"))?;
    let blobs = blobs(&String::from_utf8_lossy(&listed), &short)?;
    let wanted = blobs.iter().fold(String::new(), |wanted, (_, id)| wanted + id + "\n");
    let contents = git(root, &["cat-file", "--batch"], wanted.as_bytes())
        .await?
        .map_err(|said| anyhow::anyhow!("git could not read the files of {short}: {said}"))?;
    let texts =
        texts(&blobs, &contents).with_context(|| format!("git's answer about {short} is cut short"))?;
    let loaded = manifest::load_sources(texts);
    let Some(manifest) = loaded.manifest else {
        validate::show(&loaded.diagnostics);
        let message = format!("the files of {short} are invalid themselves: nothing to compare with");
        return Err(Coded::error(Exit::InvalidFiles, message));
    };
    Ok(Base { revision: short, manifest })
}

/// Paths below the project folder and object ids.
fn blobs(listed: &str, revision: &str) -> anyhow::Result<Vec<(String, String)>> {
    let mut blobs = Vec::new();
    let mut bytes = 0;
    for entry in listed.split_terminator('\0') {
        let Some((about, path)) = entry.split_once('\t') else { continue };
        let mut about = about.split_whitespace();
        let (Some(mode), Some("blob"), Some(id), Some(size)) =
            (about.next(), about.next(), about.next(), about.next())
        else {
            continue;
        };
        // What a link leads to is not of the commit.
        if mode == "120000" {
            let message = format!("{path} of {revision} is a link; only plain files can be compared");
            return Err(Coded::error(Exit::InvalidFiles, message));
        }
        bytes += size.parse::<u64>().unwrap_or(MOST_BYTES);
        blobs.push((path.to_owned(), id.to_owned()));
    }
    if bytes > MOST_BYTES {
        let message = format!("the files of {revision} are larger than 16 MiB together");
        return Err(Coded::error(Exit::InvalidFiles, message));
    }
    Ok(blobs)
}

/// The answer of `cat-file --batch`: `ID blob SIZE`, the bytes and a line's end, for each.
fn texts(blobs: &[(String, String)], contents: &[u8]) -> Option<BTreeMap<String, String>> {
    let mut rest = contents;
    let mut texts = BTreeMap::new();
    for (path, _) in blobs {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let head = std::str::from_utf8(rest.get(..end)?).ok()?;
        let size: usize = head.rsplit(' ').next()?.parse().ok()?;
        let from = end + 1;
        let text = String::from_utf8_lossy(rest.get(from..from + size)?).into_owned();
        texts.insert(path.clone(), text.strip_prefix('\u{feff}').map_or(text.clone(), ToOwned::to_owned));
        rest = rest.get(from + size + 1..)?;
    }
    Some(texts)
}

/// What git writes; the inner error is why it does not.
async fn git(root: &Path, arguments: &[&str], input: &[u8]) -> anyhow::Result<Result<Vec<u8>, String>> {
    let failed = "could not run git, which holds the files to compare with";
    let mut child = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context(failed)?;
    let mut stdin = child.stdin.take();
    let talk = async {
        let write = async {
            if let Some(stdin) = &mut stdin {
                // A git that has said no reads nothing.
                let _ = stdin.write_all(input).await;
            }
            stdin.take();
        };
        tokio::join!(write, child.wait_with_output()).1
    };
    let output = tokio::time::timeout(PATIENCE, talk)
        .await
        .map_err(|_| Coded::error(Exit::TryAgain, "git did not answer within 30 s"))?
        .context(failed)?;
    if output.status.success() {
        return Ok(Ok(output.stdout));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Ok(Err(said.lines().next().unwrap_or("it does not say why").trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_writes_is_read_byte_by_byte() {
        let listed =
            "100644 blob aa      6\tcampaigns/one.yaml\u{0}100644 blob bb      1\toutreach.yaml\u{0}";
        let found = blobs(listed, "HEAD").unwrap();
        assert_eq!(found[0], ("campaigns/one.yaml".to_owned(), "aa".to_owned()));
        let read = texts(&found, b"aa blob 6\na\nb\n\0c\nbb blob 1\n\n\n").unwrap();
        assert_eq!(read["campaigns/one.yaml"], "a\nb\n\0c");
        assert_eq!(read["outreach.yaml"], "\n");
        assert_eq!(texts(&found, b"aa blob 6\na\nb"), None, "cut short");
        assert!(blobs("120000 blob aa 3\tsegments/a.yaml\0", "HEAD").is_err());
    }
}
