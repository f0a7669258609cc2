//! `outreachd migrate`: create or adopt the database's tables.

use clap::Args;

use super::session::{self, Database};
use super::{Exit, Globals, output};
use crate::store::migrate;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print the SQL of a database role that has only the rights outreachd needs, and do nothing.
    #[arg(long)]
    print_role: bool,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    if arguments.print_role {
        output::write(migrate::ROLE_SQL)?;
        return Ok(Exit::Done);
    }
    // Without a project file there is no database URL in it: an option or the environment may name one.
    let project = if globals.root.join("outreach.yaml").exists() {
        Some(session::load(&globals.root)?.project)
    } else {
        None
    };
    let database = Database::open(globals, project.as_ref()).await?;
    let report = migrate::run(&database.store).await?;
    if report.applied.is_empty() {
        output::write("The database is current.\n")?;
    }
    for migration in &report.applied {
        output::write(&format!("applied {migration}\n"))?;
    }
    // What belongs to a table that is new says nothing more than the table.
    let tables: Vec<&str> = report
        .added
        .iter()
        .filter(|addition| addition.kind == "table")
        .map(|table| table.name.as_str())
        .collect();
    let is_part = |addition: &&migrate::Addition| {
        tables
            .iter()
            .any(|table| addition.name.strip_prefix(*table).is_some_and(|rest| rest.starts_with('.')))
    };
    for addition in report.added.iter().filter(|addition| !is_part(addition)) {
        output::write(&format!(
            "  {} {} {}\n",
            output::paint(output::GREEN, "+"),
            addition.kind,
            addition.name
        ))?;
    }
    for note in &report.notes {
        output::write(&format!("{} {note}\n", output::paint(output::YELLOW, "note:")))?;
    }
    Ok(Exit::Done)
}
