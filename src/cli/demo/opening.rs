//! How every demo begins: an empty database, the sample files, the declared files checked.

use std::fmt::Write as _;
use std::path::Path;

use super::{Chapters, say, world};
use crate::cli::exit::Coded;
use crate::cli::output::{GREEN, RED, count, paint};
use crate::cli::{Exit, output, session, validate};
use crate::intake::import::{ImportReport, ImportRequest, import};
use crate::manifest::Manifest;
use crate::model::{Entity, SystemClock};
use crate::store::{Store, migrate};

pub(super) async fn tell(root: &Path, store: &Store, chapter: &mut Chapters) -> anyhow::Result<Manifest> {
    world::reset(store).await?;
    let report = migrate::run(store).await?;
    let tables = report.added.iter().filter(|addition| addition.kind == "table").count();
    say(&format!(
        "{} applied: {}\n",
        count(report.applied.len() as i64, "migration"),
        count(tables as i64, "table")
    ))?;

    chapter.open(
        "Import",
        "import companies data/companies.csv",
        "Good rows go in. A row that cannot be read for sure goes to a rejects file with its reason.",
    )?;
    let mut reports = Vec::new();
    for (entity, file) in [
        (Entity::Company, "companies.csv"),
        (Entity::Employee, "employees.csv"),
        (Entity::Company, "companies-messy.csv"),
        (Entity::Employee, "employees-messy.csv"),
    ] {
        let request = ImportRequest {
            entity,
            file: root.join("data").join(file),
            session_key: Some("demo".to_owned()),
            batch_id: Some(file.to_owned()),
            dry_run: false,
            rejects: None,
        };
        reports.push(import(store, &request, &SystemClock, &|_| ()).await?);
    }
    say(&imported(&reports))?;

    chapter.open(
        "Validate",
        "validate --database",
        "Files first; then every rule is prepared on the database and its examples are tried.",
    )?;
    let manifest = session::load(root)?;
    let faults = validate::on_database(store, &manifest).await?;
    if !faults.is_empty() {
        validate::show(&faults);
        return Err(Coded::error(Exit::InvalidFiles, "the demo's own segments do not hold"));
    }
    let examples: usize = manifest.segments.values().map(|segment| segment.examples.len()).sum();
    say(&format!(
        "{} {}, {}, {} come out as expected\n",
        paint(GREEN, "valid:"),
        count(manifest.segments.len() as i64, "segment"),
        count(manifest.campaigns.len() as i64, "campaign"),
        count(examples as i64, "example"),
    ))?;
    Ok(manifest)
}

/// The four deliveries, and each rejected row.
fn imported(reports: &[ImportReport]) -> String {
    let name =
        |report: &ImportReport| report.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let rows: Vec<Vec<String>> = reports
        .iter()
        .map(|report| {
            let figures = [report.read, report.inserted, report.updated, report.unchanged, report.rejected];
            std::iter::once(name(report)).chain(figures.map(|figure| figure.to_string())).collect()
        })
        .collect();
    let headings = ["file", "read", "inserted", "updated", "unchanged", "rejected"];
    let mut text = output::table(&headings, &rows);
    for report in reports.iter().filter(|report| report.rejected > 0) {
        let _ = writeln!(text, "\n{} of {}", paint(RED, "rejected"), name(report));
        for rejected in &report.shown {
            let _ = writeln!(text, "  line {}, {}: {}", rejected.line, rejected.column, rejected.reason);
        }
    }
    text.push_str("\nRejected rows wait in data/*.rejects.csv, to be mended there and imported again.\n");
    text
}
