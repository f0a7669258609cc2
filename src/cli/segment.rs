//! `outreachd segment show`: each clause of a segment counted, and what its text clauses let in.

use std::fmt::Write as _;

use clap::{Args, Subcommand};

use super::exit::Coded;
use super::output::{BOLD, DIM, paint};
use super::session::Session;
use super::{Exit, Format, Globals, output};
use crate::audience::Scope;
use crate::model::{Clock as _, Segment};
use crate::store::segment::{self, SegmentCounts};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Count each clause, and list the commonest values that each text clause lets in.
    Show {
        name: String,
        /// How many values to list for each text clause.
        #[arg(long, value_name = "N", default_value_t = 10)]
        top: u32,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let Command::Show { name, top, format } = &arguments.command;
    let session = Session::open(globals).await?;
    let segments = &session.manifest.segments;
    let Some(segment) = segments.get(name) else {
        let known: Vec<&str> = segments.keys().map(String::as_str).collect();
        let message = format!("no segment is named {name}; there are: {}", known.join(", "));
        return Err(Coded::error(Exit::Usage, message));
    };
    let scope = Scope { segments, as_of: session.clock.now() };
    let counts = segment::show(&session.database.store, segment, &scope, *top).await?;
    if *format == Format::Json {
        output::json(&counts)?;
    } else {
        output::write(&text(segment, &counts))?;
    }
    Ok(Exit::Done)
}

fn text(segment: &Segment, counts: &SegmentCounts) -> String {
    let mut text = format!("{}\n", paint(BOLD, &segment.name));
    if let Some(description) = &segment.description {
        let _ = writeln!(text, "{}", paint(DIM, description));
    }
    text.push('\n');
    let mut rows =
        vec![vec![counts.contacts.to_string(), counts.contacts.to_string(), "all contacts".to_owned()]];
    rows.extend(
        counts
            .clauses
            .iter()
            .map(|clause| vec![clause.left.to_string(), clause.alone.to_string(), clause.label.clone()]),
    );
    text.push_str(&output::table(&["left", "alone", "clause"], &rows));
    let _ = write!(text, "\n{} match", output::count(counts.matching, "contact"));
    if counts.selected != counts.matching {
        let _ = write!(text, ", {} within the segment's limits", counts.selected);
    }
    text.push('\n');
    for clause in &counts.let_in {
        let _ = writeln!(text, "\n{} let in", paint(BOLD, &clause.label));
        let rows: Vec<Vec<String>> =
            clause.values.iter().map(|(value, n)| vec![n.to_string(), value.clone()]).collect();
        text.push_str(&output::table(&["contacts", "value"], &rows));
    }
    text
}
