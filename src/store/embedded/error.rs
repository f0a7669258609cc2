//! What can stand in the way of a private server.

use std::path::PathBuf;

/// Why the private PostgreSQL could not be made, started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error(
        "no PostgreSQL server programs (initdb, pg_ctl, postgres; version 14 or later) on this machine; looked in \
         {looked}. Install them (Debian, Ubuntu: `apt-get install postgresql`; Fedora: `dnf install \
         postgresql-server`; macOS: `brew install postgresql`), or name their folder in OUTREACHD_PG_BIN, or use a \
         database of your own: --database-url or DATABASE_URL, or build with feature \
         `fetch-postgres`, which downloads them once"
    )]
    NoPrograms { looked: String },

    #[error("OUTREACHD_PG_BIN names {path}, which lacks initdb, pg_ctl and postgres of version 14 or later")]
    NamedProgramsUnfit { path: PathBuf },

    #[error(
        "the private database in {dir} was made by PostgreSQL {needed}, and only {found} is here. Install PostgreSQL \
         {needed} again, or dump the data with it and remove {dir} to start afresh"
    )]
    OtherVersion { dir: PathBuf, needed: u32, found: String },

    #[error(
        "PostgreSQL does not run as root, and there is neither an account `postgres` nor `nobody` to run it as: run \
         outreachd as an ordinary user, or use --database-url"
    )]
    NoAccount,

    #[error(
        "the server runs as `{account}`, which may not pass {barrier} on the way to {path}: `chmod a+x {barrier}`, \
         or work in another place"
    )]
    Unreachable { account: String, barrier: PathBuf, path: PathBuf },

    #[error(
        "{path} is neither empty nor a PostgreSQL data directory: outreachd leaves it alone. Move it away and try again"
    )]
    NotADatabase { path: PathBuf },

    #[error("{path} belongs to another account: remove it, or run outreachd as its owner")]
    NotOurs { path: PathBuf },

    #[cfg(feature = "fetch-postgres")]
    #[error(
        "could not download PostgreSQL {version} to {path}; install it (`apt-get install postgresql`, `dnf install postgresql-server`, `brew install postgresql`), or use --database-url"
    )]
    Fetch { version: u32, path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },

    #[error("could not {action} {path}")]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },

    #[error("{program} failed: {output}")]
    Program { program: PathBuf, output: String },

    #[error("the private PostgreSQL in {dir} did not start; the end of its log:\n{log}")]
    NotStarted { dir: PathBuf, log: String },
}

/// Names what was done to which path when it failed.
pub(super) trait IoContext<T> {
    fn doing(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T, EmbeddedError>;
}

impl<T> IoContext<T> for std::io::Result<T> {
    fn doing(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T, EmbeddedError> {
        self.map_err(|source| EmbeddedError::Io { action, path: path.into(), source })
    }
}
