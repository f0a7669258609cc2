//! `outreachd import`: companies or employees from CSV or JSON Lines.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::{DIM, GREEN, RED, YELLOW, paint};
use super::session::Database;
use super::{Exit, Format, Globals, output};
use crate::intake::import::{ImportError, ImportReport, ImportRequest, Progress, import};
use crate::model::{Entity, SystemClock};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What the file holds.
    entity: What,
    /// CSV (comma, semicolon or tab) or JSON Lines.
    file: PathBuf,
    /// Tags new rows with the run that brought them.
    #[arg(long, value_name = "KEY")]
    session_key: Option<String>,
    /// Tags the delivery; with the session key it makes a re-run traceable.
    #[arg(long, value_name = "ID")]
    batch_id: Option<String>,
    /// Do everything, keep nothing.
    #[arg(long)]
    dry_run: bool,
    /// Where rejected rows go; by default beside the file.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    Companies,
    Employees,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    // An import needs no declared campaigns, only where the database is.
    let project = crate::manifest::load(&globals.root).project;
    let database = Database::migrated(globals, project.as_ref()).await?;
    let request = ImportRequest {
        entity: match arguments.entity {
            What::Companies => Entity::Company,
            What::Employees => Entity::Employee,
        },
        file: arguments.file.clone(),
        session_key: arguments.session_key.clone(),
        batch_id: arguments.batch_id.clone(),
        dry_run: arguments.dry_run,
        rejects: arguments.rejects.clone(),
    };
    let bar = progress_bar(globals.quiet);
    let result = import(&database.store, &request, &SystemClock, &|progress| show(&bar, &progress)).await;
    bar.finish_and_clear();
    let report = result?;
    if arguments.format == Format::Json {
        output::json(&report)?;
    } else {
        output::write(&text(&report))?;
    }
    Ok(if report.rejected > 0 { Exit::HeldBack } else { Exit::Done })
}

/// Hidden by itself where stderr is no terminal.
fn progress_bar(quiet: bool) -> ProgressBar {
    let bar = ProgressBar::new(0);
    bar.set_draw_target(if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() });
    if let Ok(style) =
        ProgressStyle::with_template("{msg:>10} {bar:30} {bytes}/{total_bytes} {prefix} rows, {elapsed}")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn show(bar: &ProgressBar, progress: &Progress) {
    bar.set_length(progress.total_bytes);
    bar.set_position(progress.bytes);
    bar.set_prefix(progress.records.to_string());
    bar.set_message(progress.phase.as_str());
}

fn text(report: &ImportReport) -> String {
    let mut text = String::new();
    if let Some(before) = report.seen_before {
        text.push_str(&paint(
            DIM,
            format!("this very delivery was imported before, on {}\n", before.format("%Y-%m-%d %H:%M UTC")),
        ));
    }
    let mut rows = Vec::new();
    for (n, word, style) in [
        (report.inserted, "inserted", GREEN),
        (report.updated, "updated", YELLOW),
        (report.unchanged, "unchanged", DIM),
        (report.rejected, "rejected", RED),
        (report.blank, "blank", DIM),
    ] {
        if n > 0 || word != "blank" {
            rows.push(vec![n.to_string(), paint(if n > 0 { style } else { DIM }, word)]);
        }
    }
    text.push_str(&output::table(&[&report.read.to_string(), report.entity], &rows));
    if report.moved > 0 {
        let _ = writeln!(
            text,
            "{} known by name got a new address",
            output::count(report.moved as i64, "contact")
        );
    }
    for rejected in &report.shown {
        let _ = writeln!(
            text,
            "{} line {}, {}: {}",
            paint(RED, "rejected"),
            rejected.line,
            rejected.column,
            rejected.reason
        );
    }
    let rest = report.rejected.saturating_sub(report.shown.len() as u64);
    if rest > 0 {
        let _ = writeln!(text, "and {rest} more");
    }
    if let Some(path) = &report.rejects {
        let _ =
            writeln!(text, "rejected rows are in {}: mend them there and import that file", path.display());
    }
    if report.dry_run {
        text.push_str(&paint(DIM, "dry run: nothing was kept\n"));
    }
    text
}

/// The exit code of an import that did not happen.
pub(super) fn exit_of(error: &ImportError) -> Exit {
    match error {
        error if error.is_invalid_file() => Exit::InvalidFiles,
        error if error.is_away() => Exit::TryAgain,
        _ => Exit::Failed,
    }
}
