//! Who runs the private server: ourselves, or an unprivileged account when we are root.
//!
//! Never gives a server root's rights.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::{EmbeddedError, IoContext};

/// The account that the server and its tools run as.
#[derive(Debug, Clone)]
pub(super) struct Account {
    name: String,
    uid: u32,
    /// Primary group, set only when root hands over to another account.
    drop_to: Option<u32>,
}

impl Account {
    /// Ourselves; for root `postgres`, else `nobody` (which others may share, so it comes second).
    pub(super) fn choose() -> Result<Self, EmbeddedError> {
        let uid = rustix::process::geteuid().as_raw();
        if uid != 0 {
            return Ok(Self { name: "this account".to_owned(), uid, drop_to: None });
        }
        let path = Path::new("/etc/passwd");
        let passwd = std::fs::read_to_string(path).doing("read", path)?;
        ["postgres", "nobody"].iter().find_map(|name| find_in(&passwd, name)).ok_or(EmbeddedError::NoAccount)
    }

    /// A tool to be run as this account, with nothing of our environment and nothing of our terminal.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(gid) = self.drop_to {
            // The standard library drops the supplementary groups as well.
            command.uid(self.uid).gid(gid);
        }
        command
    }

    /// Makes a folder that only this account (and root) may enter.
    pub(super) fn make_private_folder(&self, path: &Path) -> Result<(), EmbeddedError> {
        use std::os::unix::fs::DirBuilderExt;
        match std::fs::DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => self.own(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                // Where anybody may make folders, somebody else's must not receive our socket.
                let found = std::fs::symlink_metadata(path).doing("look at", path)?;
                if found.is_dir() && found.uid() == self.uid {
                    Ok(())
                } else {
                    Err(EmbeddedError::NotOurs { path: path.to_owned() })
                }
            }
            Err(source) => Err(EmbeddedError::Io { action: "create", path: path.to_owned(), source }),
        }
    }

    pub(super) fn own(&self, path: &Path) -> Result<(), EmbeddedError> {
        match self.drop_to {
            Some(gid) => chown(path, Some(self.uid), Some(gid)).doing("change the owner of", path),
            None => Ok(()),
        }
    }

    /// Fails with the first folder on the way that the account may not pass.
    pub(super) fn check_reaches(&self, path: &Path) -> Result<(), EmbeddedError> {
        let Some(gid) = self.drop_to else { return Ok(()) };
        match self.barrier(path, gid) {
            Some(barrier) => {
                Err(EmbeddedError::Unreachable { account: self.name.clone(), barrier, path: path.to_owned() })
            }
            None => Ok(()),
        }
    }

    fn barrier(&self, path: &Path, gid: u32) -> Option<PathBuf> {
        let real = path.ancestors().find_map(|existing| existing.canonicalize().ok())?;
        real.ancestors()
            .find(|folder| {
                std::fs::metadata(folder).is_ok_and(|found| {
                    let shift = match () {
                        () if found.uid() == self.uid => 6,
                        () if found.gid() == gid => 3,
                        () => 0,
                    };
                    (found.mode() >> shift) & 1 == 0
                })
            })
            .map(Path::to_owned)
    }
}

fn find_in(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        (uid != 0).then(|| Account { name: name.to_owned(), uid, drop_to: Some(gid) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_from_passwd() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\npostgresql:x:7:7::/:\nbroken\npostgres:x:101:104:PG,,,:/var:/bin/sh\n";
        let account = find_in(passwd, "postgres").unwrap();
        assert_eq!((account.uid, account.drop_to), (101, Some(104)));
        assert!(find_in(passwd, "nobody").is_none() && find_in(passwd, "root").is_none());
    }

    #[test]
    fn a_closed_folder_is_named() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("closed");
        std::fs::create_dir(&closed).unwrap();
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
        let stranger = Account { name: "stranger".into(), uid: 4_000_000, drop_to: Some(4_000_000) };
        let error = stranger.check_reaches(&closed.join("not/yet/there")).unwrap_err();
        assert!(error.to_string().contains("may not pass"), "{error}");
        assert!(stranger.check_reaches(Path::new("/usr/bin")).is_ok());
    }
}
