//! Stub.
use super::{Exit, Globals};
#[derive(Debug, clap::Args)]
pub struct Arguments {}
pub async fn run(_: &Globals, _: &Arguments) -> anyhow::Result<Exit> { Ok(Exit::Done) }
