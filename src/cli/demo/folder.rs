//! The demo's project folder: the files of this repository and the sample data, written out.
//!
//! Never writes into a folder that holds anything and was not made here. A file that was edited since
//! is set aside, not lost.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::Exit;
use crate::cli::exit::Coded;
use crate::manifest::{self, PROJECT_FILE};

/// Marks a folder as the demo's, and is locked while a demo runs in it.
const MARK: &str = ".outreachd/made-by-demo";
const SECRET: &str = ".outreachd/webhook-secret";
const SMARTLEAD_KEY: &str = ".outreachd/smartlead-key";
const OUTBOX: &str = ".outreachd/outbox";
const SET_ASIDE: &str = ".outreachd/set-aside";

macro_rules! embed {
    ($($folder:literal: $($name:literal)+;)+) => {
        &[$($((
            concat!($folder, "/", $name),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", $name)),
        )),+),+]
    };
}

const PROJECT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/outreach.yaml"));

const DECLARED: &[(&str, &str)] = embed! {
    "segments": "asked-to-talk.yaml" "existing-clients.yaml" "fintech-tech-leads.yaml" "funded-buyers.yaml"
        "silent-since-spring.yaml" "trade-operations.yaml" "young-companies.yaml";
    "campaigns": "fintech-cto.yaml" "funded-buyers-crm.yaml" "second-attempt.yaml" "trade-news.yaml"
        "young-companies-welcome.yaml";
};

const SAMPLES: &[(&str, &str)] = embed! {
    "tests/data": "companies.csv" "employees.csv" "companies-messy.csv" "employees-messy.csv";
};

/// A folder that is the demo's for as long as this lives.
pub(super) struct Folder {
    pub path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder, or takes over the one of an earlier demo.
    pub(super) fn claim(path: &Path) -> anyhow::Result<Self> {
        let mark = path.join(MARK);
        let occupied = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        if occupied && !mark.is_file() {
            let message = format!(
                "{} is not empty and was not made by the demo: name another folder with --dir",
                path.display()
            );
            return Err(Coded::error(Exit::Usage, message));
        }
        fs::create_dir_all(path.join(".outreachd")).with_context(|| failed("create", path))?;
        let path = path.canonicalize().with_context(|| failed("find", path))?;
        let lock =
            File::options().create(true).append(true).open(&mark).with_context(|| failed("write", &mark))?;
        if lock.try_lock().is_err() {
            let message =
                format!("another demo runs in {}: wait for it, or name another folder", path.display());
            return Err(Coded::error(Exit::TryAgain, message));
        }
        Ok(Self { path, _lock: lock })
    }

    /// Writes every file anew; gives the number of edited ones that were set aside.
    pub(super) fn fill(&self, url: &str, secret: &str) -> anyhow::Result<usize> {
        let outbox = self.path.join(OUTBOX);
        if outbox.exists() {
            fs::remove_dir_all(&outbox).with_context(|| failed("clear", &outbox))?;
        }
        let project = PROJECT
            .replace("${OUTREACHD_DEMO_WEBHOOK_URL}", url)
            .replace("${OUTREACHD_DEMO_WEBHOOK_SECRET}", &format!("file:{SECRET}"));
        let mut set_aside = usize::from(self.put(PROJECT_FILE, &project)?);
        for (name, text) in DECLARED {
            set_aside += usize::from(self.put(name, text)?);
        }
        for (name, text) in SAMPLES {
            set_aside += usize::from(self.put(&name.replace("tests/", ""), text)?);
        }
        for (name, text) in manifest::schemas() {
            self.put(&format!("schemas/{name}"), &text)?;
        }
        self.put(SECRET, secret)?;
        close_to_others(&self.path.join(SECRET))?;
        Ok(set_aside)
    }

    /// The files of the Smartlead demo, with the address of its stand-in.
    pub(super) fn fill_smartlead(&self, url: &str, key: &str) -> anyhow::Result<()> {
        let project = include_str!("smartlead/outreach.yaml").replace("${OUTREACHD_DEMO_SMARTLEAD_URL}", url);
        self.put(PROJECT_FILE, &project)?;
        for name in ["segments/existing-clients.yaml", "segments/fintech-tech-leads.yaml"] {
            if let Some((name, text)) = DECLARED.iter().find(|(known, _)| *known == name) {
                self.put(name, text)?;
            }
        }
        self.put("campaigns/fintech-cto.yaml", include_str!("smartlead/campaign.yaml"))?;
        self.put_samples()?;
        self.put(SMARTLEAD_KEY, key)?;
        close_to_others(&self.path.join(SMARTLEAD_KEY))
    }

    fn put_samples(&self) -> anyhow::Result<()> {
        for (name, text) in SAMPLES {
            self.put(&name.replace("tests/", ""), text)?;
        }
        for (name, text) in manifest::schemas() {
            self.put(&format!("schemas/{name}"), &text)?;
        }
        Ok(())
    }

    fn put(&self, name: &str, text: &str) -> anyhow::Result<bool> {
        let path = self.path.join(name);
        let edited = ![SECRET, SMARTLEAD_KEY].contains(&name)
            && fs::read_to_string(&path).is_ok_and(|found| is_edited(&found, text));
        if edited {
            let aside = self.path.join(SET_ASIDE).join(name);
            make_parent(&aside)?;
            fs::rename(&path, &aside).with_context(|| failed("set aside", &path))?;
        }
        make_parent(&path)?;
        fs::write(&path, text).with_context(|| failed("write", &path))?;
        Ok(edited)
    }
}

/// The receiver's address is another one in each run and no edit.
fn is_edited(found: &str, text: &str) -> bool {
    let lines = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.contains("url: http://127.0.0.1:")).map(ToOwned::to_owned).collect()
    };
    lines(found) != lines(text)
}

fn make_parent(path: &Path) -> anyhow::Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    fs::create_dir_all(parent).with_context(|| failed("create", parent))
}

fn close_to_others(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).with_context(|| failed("close", path))
}

fn failed(verb: &str, path: &Path) -> String {
    format!("could not {verb} {}", path.display())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_declared_file_of_the_repository_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = BTreeSet::new();
        for folder in [manifest::SEGMENTS, manifest::CAMPAIGNS] {
            for entry in fs::read_dir(root.join(folder)).unwrap() {
                found.insert(format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy()));
            }
        }
        let embedded: BTreeSet<String> = DECLARED.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(embedded, found);
    }

    #[test]
    fn an_edit_is_kept_and_a_strange_folder_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("demo");
        let folder = Folder::claim(&dir).unwrap();
        assert_eq!(folder.fill("http://127.0.0.1:1/", "whsec_x").unwrap(), 0);
        assert!(Folder::claim(&dir).is_err(), "two demos in one folder");
        drop(folder);
        fs::write(dir.join("segments/asked-to-talk.yaml"), "mine").unwrap();
        let folder = Folder::claim(&dir).unwrap();
        assert_eq!(folder.fill("http://127.0.0.1:2/", "whsec_y").unwrap(), 1);
        assert_eq!(
            fs::read_to_string(dir.join(SET_ASIDE).join("segments/asked-to-talk.yaml")).unwrap(),
            "mine"
        );
        assert!(Folder::claim(place.path()).is_err(), "a folder that the demo did not make");
    }
}
