//! `outreachd schema`: the JSON Schemas of the declared files, for editors and reviews.

use anyhow::Context as _;
use clap::Args;

use super::exit::Coded;
use super::{Exit, Globals, output};
use crate::manifest;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Write nothing; fail when a file in schemas/ is not what this version generates.
    #[arg(long)]
    check: bool,
}

pub(super) fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let folder = globals.root.join("schemas");
    for (name, text) in manifest::schemas() {
        let path = folder.join(name);
        let shown = path.display();
        if arguments.check {
            let found = std::fs::read_to_string(&path).unwrap_or_default();
            if found != text {
                let message = format!("{shown} is not current: run `outreachd schema`");
                return Err(Coded::error(Exit::InvalidFiles, message));
            }
            continue;
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
        std::fs::write(&path, text).with_context(|| format!("could not write {shown}"))?;
        output::write(&format!("wrote {shown}\n"))?;
    }
    Ok(Exit::Done)
}
