//! `outreachd validate`: every diagnostic of the declared files at once.

use std::io::IsTerminal as _;

use clap::Args;
use serde_json::json;

use super::output::{GREEN, count, paint};
use super::session::{self, Database};
use super::{Exit, Format, Globals, output};
use crate::audience::Scope;
use crate::manifest::{self, Diagnostic, Manifest};
use crate::model::{Clock as _, SystemClock};
use crate::store::Store;
use crate::store::segment::{self, SegmentFault};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Also prepare every audience statement on the database and run the segments' examples.
    #[arg(long)]
    database: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    session::check_place(&globals.root)?;
    let loaded = manifest::load(&globals.root);
    let mut diagnostics = loaded.diagnostics;
    if arguments.database
        && let Some(manifest) = &loaded.manifest
    {
        let database = Database::migrated(globals, Some(&manifest.project)).await?;
        diagnostics.extend(on_database(&database.store, manifest).await?);
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
    Err(session::invalid(&globals.root, errors))
}

/// What only a database can say: SQL faults at their place in the YAML, examples that come out otherwise.
pub(super) async fn on_database(store: &Store, manifest: &Manifest) -> anyhow::Result<Vec<Diagnostic>> {
    let scope = Scope { segments: &manifest.segments, as_of: SystemClock.now() };
    let mut diagnostics = Vec::new();
    for segment in manifest.segments.values() {
        let mut faults = segment::prepare(store, segment, &scope).await?;
        let code = if faults.is_empty() { "example-fails" } else { "sql-error" };
        if faults.is_empty() {
            faults = segment::check_examples(store, segment, &scope).await?;
        }
        for SegmentFault { segment, at, message } in faults {
            let file = manifest.segments.get(&segment).map_or("", |segment| segment.file.as_str());
            diagnostics.push(manifest.diagnostic(file, &at, code, message, None));
        }
    }
    diagnostics.dedup();
    Ok(diagnostics)
}

/// Writes diagnostics to stderr.
pub(super) fn show(diagnostics: &[Diagnostic]) {
    let coloured = std::io::stderr().is_terminal()
        && anstream::ColorChoice::global() != anstream::ColorChoice::Never
        && std::env::var_os("NO_COLOR").is_none();
    for diagnostic in diagnostics {
        output::remark(&diagnostic.render(coloured));
    }
}
