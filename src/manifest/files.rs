//! Finds and reads the files of a project, within a budget.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::diagnostic::{Diagnostic, Severity};
use super::source::FileKind;
use super::yaml::{MAX_BYTES, too_large};
use super::{CAMPAIGNS, PROJECT_FILE, PROMPTS, SEGMENTS, nowhere};

/// Files of one folder; more of them are not written by people.
const MAX_FILES: usize = 2000;
/// All files together: a thousand campaigns of a page each are a quarter of this.
const MAX_TOTAL: usize = 16 * 1024 * 1024;

/// What a path declares; `None` when it is no file of ours.
pub(super) fn kind(path: &str) -> Option<FileKind> {
    if path == PROJECT_FILE {
        return Some(FileKind::Project);
    }
    let (folder, name) = path.split_once('/')?;
    if !is_manifest(name) {
        return None;
    }
    match folder {
        SEGMENTS => Some(FileKind::Segment),
        CAMPAIGNS => Some(FileKind::Campaign),
        _ => None,
    }
}

/// Whether a path is that of a prompt.
pub(super) fn is_prompt(path: &str) -> bool {
    path.strip_prefix(PROMPTS).and_then(|rest| rest.strip_prefix('/')).is_some_and(is_text)
}

fn is_text(name: &str) -> bool {
    let ending = Path::new(name).extension();
    !name.starts_with('.')
        && !name.contains('/')
        && ending.is_some_and(|ending| ending == "md" || ending == "txt")
}

/// Hidden files are an editor's; the other ending is a common slip and is read as well.
fn is_manifest(name: &str) -> bool {
    let path = Path::new(name);
    !name.starts_with('.')
        && !name.contains('/')
        && path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml")
}

/// The texts by path below the folder, and what could not be read.
pub(super) fn read(root: &Path) -> (BTreeMap<String, String>, Vec<Diagnostic>) {
    let mut texts = BTreeMap::new();
    let mut problems = Vec::new();
    // A folder that is not there, such as a volume that is not mounted, must not read as "nothing declared".
    if let Err(error) = std::fs::read_dir(root) {
        let message = format!("the project folder cannot be read: {error}");
        let advice = Some("run outreachd in the project folder, or name it with -C".to_owned());
        return (texts, vec![Diagnostic { advice, ..nowhere(".", "unreadable", message) }]);
    }
    let mut total = 0;
    let mut take = |path: String| match read_file(&root.join(&path), &path) {
        Ok(Some(text)) if total + text.len() > MAX_TOTAL => {
            total = MAX_TOTAL;
            problems.push(nowhere(
                &path,
                "too-large",
                "all files together are larger than 16 MiB".to_owned(),
            ));
        }
        Ok(Some(text)) => {
            total += text.len();
            texts.insert(path, text);
        }
        Ok(None) => {}
        Err(problem) => problems.push(*problem),
    };
    take(PROJECT_FILE.to_owned());
    let mut folders = Vec::new();
    for folder in [SEGMENTS, CAMPAIGNS, PROMPTS] {
        match list(&root.join(folder), if folder == PROMPTS { is_text } else { is_manifest }) {
            Ok((names, _)) if names.len() > MAX_FILES => folders.push(nowhere(
                folder,
                "too-many-files",
                format!("the folder `{folder}` has more than {MAX_FILES} files"),
            )),
            Ok((names, passed_over)) => {
                for name in &names {
                    take(format!("{folder}/{name}"));
                }
                folders.extend(passed_over.iter().map(|name| not_read(&format!("{folder}/{name}"))));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                folders.push(nowhere(folder, "unreadable", format!("the folder cannot be listed: {error}")));
            }
        }
    }
    problems.append(&mut folders);
    (texts, problems)
}

/// Names of the files to read, and of what looks as if it was meant to be read.
fn list(folder: &Path, is_ours: fn(&str) -> bool) -> std::io::Result<(Vec<String>, Vec<String>)> {
    let (mut names, mut passed_over) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder)?.take(2 * MAX_FILES) {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_ours(&name) {
            names.push(name);
        } else if !name.starts_with('.') && (is_folder || is_ours(&name.to_lowercase())) {
            passed_over.push(name);
        }
    }
    names.sort();
    passed_over.sort();
    Ok((names, passed_over))
}

fn not_read(path: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Warning,
        advice: Some("files stand in the folder itself and end with .yaml".to_owned()),
        ..nowhere(path, "not-read", "this is not read".to_owned())
    }
}

/// Reads at most the budget, also when a file grows meanwhile; `None` when there is no such file.
fn read_file(path: &Path, name: &str) -> Result<Option<String>, Box<Diagnostic>> {
    let unreadable =
        |why: String| Box::new(nowhere(name, "unreadable", format!("the file cannot be read: {why}")));
    // Asked before opening: opening a pipe would wait for its writer.
    let about = match std::fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && name == PROJECT_FILE => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(error.to_string())),
    };
    if !about.is_file() {
        return Err(unreadable("it is not a plain file".to_owned()));
    }
    let oversized = || {
        let refusal = too_large();
        Box::new(Diagnostic { advice: refusal.advice, ..nowhere(name, refusal.code, refusal.message) })
    };
    if about.len() > MAX_BYTES as u64 {
        return Err(oversized());
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() > MAX_BYTES {
        return Err(oversized());
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text.strip_prefix('\u{feff}').map_or(text.clone(), ToOwned::to_owned))),
        Err(_) => Err(unreadable("it is not UTF-8 text".to_owned())),
    }
}
