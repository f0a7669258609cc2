//! What integration tests share. Never asserts anything itself.

pub(crate) mod db;

pub(crate) use db::TestDb;
