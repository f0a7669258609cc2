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
    for addition in &report.added {
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
