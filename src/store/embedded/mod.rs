//! A private PostgreSQL, for whoever has not got one: found on the machine, run on a unix socket of our
//! own, shared by all processes of a project, gone with the last of them.
//!
//! Never opens a port, never touches a server or a data directory that it did not make.
//!
//! Two locks in the cluster's folder do the sharing, and the kernel frees both when a process dies:
//! `users.lock` is held shared while the server is used, `setup.lock` exclusively while it is made,
//! started or stopped. A server without users is an orphan, which the next run adopts.

mod account;
mod cluster;
mod error;
#[cfg(feature = "fetch-postgres")]
mod fetch;
mod programs;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;

use account::Account;
use cluster::Cluster;
use error::IoContext;
use programs::Programs;

pub use error::EmbeddedError;
pub use programs::PROGRAMS_VARIABLE;

/// What the server promises about a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Survives a crash of the machine.
    Durable,
    /// Fast, and worthless after a crash of the machine.
    Test,
}

/// Where and how the private server runs.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// The cluster's own folder: data, socket, log and locks.
    pub dir: PathBuf,
    pub profile: Profile,
    /// How long the server outlives its last user; without it the last one out stops it.
    pub linger: Option<Duration>,
}

impl EmbeddedOptions {
    /// A durable server for the project in `root`: under its `.outreachd/`, or, where root works in a folder
    /// that the server's account may not enter, in a place of its own under `/var/lib` (and says so).
    pub fn for_project(root: &Path) -> Result<Self, EmbeddedError> {
        let root = root.canonicalize().doing("find", root)?;
        let near = root.join(".outreachd/pg");
        let dir = match Account::choose()?.check_reaches(&near) {
            Ok(()) => near,
            Err(reason) => {
                let far = PathBuf::from("/var/lib/outreachd").join(digest(&root));
                tracing::warn!(%reason, instead = %far.display(), "the private database lives elsewhere");
                far
            }
        };
        Ok(Self { dir, profile: Profile::Durable, linger: None })
    }

    /// A lingering server for tests, in `target`, else in a place of its own under `/tmp`.
    pub fn for_tests(target: &Path) -> Result<Self, EmbeddedError> {
        std::fs::create_dir_all(target).doing("create", target)?;
        let near = target.canonicalize().doing("find", target)?.join("testpg");
        let dir = match Account::choose()?.check_reaches(&near) {
            Ok(()) => near,
            Err(_) => PathBuf::from("/tmp").join(format!("outreachd-test-{}", digest(&near))),
        };
        Ok(Self { dir, profile: Profile::Test, linger: Some(Duration::from_secs(20)) })
    }
}

/// A running private server, held in use until this is dropped.
#[derive(Debug)]
pub struct Embedded {
    options: EmbeddedOptions,
    account: Account,
    programs: Programs,
    sockets: PathBuf,
    /// `None` once released.
    in_use: Option<File>,
}

impl Embedded {
    /// Makes and starts the server, or joins the one that runs. Blocks: about two seconds for the
    /// first start in a place, a fifth of a second for a later one.
    pub fn start(options: &EmbeddedOptions) -> Result<Self, EmbeddedError> {
        let dir = &options.dir;
        let account = Account::choose()?;
        account.check_reaches(dir)?;
        std::fs::create_dir_all(dir).doing("create", dir)?;
        let setup = lock_file(dir, "setup.lock")?;
        setup.lock().doing("lock", dir.join("setup.lock"))?;
        let in_use = lock_file(dir, "users.lock")?;
        in_use.lock_shared().doing("lock", dir.join("users.lock"))?;

        let cluster = Cluster { dir, account: &account, profile: options.profile };
        let programs = cluster.programs()?;
        if !(cluster.is_running() && cluster.wait_until_ready()) {
            cluster.make(&programs)?;
            cluster.start(&programs)?;
        }
        if let Some(linger) = options.linger {
            lock_file(dir, "reaper.lock")?;
            cluster.leave_reaper(&programs, linger)?;
        }
        let sockets = cluster.socket_dir();
        Ok(Self { options: options.clone(), account, programs, sockets, in_use: Some(in_use) })
    }

    /// How to connect to one of its databases.
    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.sockets)
            .port(cluster::PORT)
            .username(cluster::USER)
            .database(database)
    }

    /// The same as a URL, as `--database-url` takes it.
    pub fn url(&self, database: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("host", &self.sockets.to_string_lossy());
        format!("postgres://{}@localhost:{}/{database}?{}", cluster::USER, cluster::PORT, query.finish())
    }

    /// The folder that holds the data, the log and the locks.
    pub fn dir(&self) -> &Path {
        &self.options.dir
    }

    /// Starts the server again if it has gone, as after a crash. Blocks, as [`Embedded::start`] does.
    pub fn revive(&self) -> Result<(), EmbeddedError> {
        let dir = &self.options.dir;
        let setup = lock_file(dir, "setup.lock")?;
        setup.lock().doing("lock", dir.join("setup.lock"))?;
        let cluster = Cluster { dir, account: &self.account, profile: self.options.profile };
        if cluster.is_running() && cluster.wait_until_ready() {
            return Ok(());
        }
        cluster.start(&self.programs)
    }

    /// Leaves the server; the last one out stops it, unless it lingers.
    pub fn stop(mut self) -> Result<(), EmbeddedError> {
        self.release()
    }

    fn release(&mut self) -> Result<(), EmbeddedError> {
        let Some(in_use) = self.in_use.take() else { return Ok(()) };
        if self.options.linger.is_some() {
            return Ok(());
        }
        let dir = &self.options.dir;
        let setup = lock_file(dir, "setup.lock")?;
        setup.lock().doing("lock", dir.join("setup.lock"))?;
        in_use.unlock().doing("unlock", dir.join("users.lock"))?;
        let cluster = Cluster { dir, account: &self.account, profile: self.options.profile };
        if in_use.try_lock().is_ok() && cluster.is_running() {
            cluster.stop(&self.programs)?;
        }
        Ok(())
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Err(error) = self.release() {
            tracing::warn!(%error, "the private PostgreSQL was left running; the next run adopts it");
        }
    }
}

fn lock_file(dir: &Path, name: &str) -> Result<File, EmbeddedError> {
    let path = dir.join(name);
    OpenOptions::new().create(true).truncate(false).write(true).open(&path).doing("open", path)
}

fn digest(path: &Path) -> String {
    hex::encode(Sha256::digest(path.as_os_str().as_encoded_bytes()))[..16].to_owned()
}
