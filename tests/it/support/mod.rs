//! What integration tests share. Never asserts anything itself.

pub(crate) mod bouncer;
pub(crate) mod chat;
pub(crate) mod db;
pub(crate) mod dice;
pub(crate) mod generate;
pub(crate) mod leadmagic;
pub(crate) mod mail;
pub(crate) mod model;
pub(crate) mod naive;
pub(crate) mod office;
pub(crate) mod process;
pub(crate) mod project;
pub(crate) mod receiver;
pub(crate) mod smartlead;
pub(crate) mod smtp;
pub(crate) mod world;

use std::os::unix::fs::PermissionsExt;

pub(crate) use db::TestDb;

/// A folder that goes with the test, and that the account of a private server can reach.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("outreachd-it-").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}
