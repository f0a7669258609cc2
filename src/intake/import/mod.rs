//! Imports files of companies and employees: in one transaction, the good rows in, the bad ones into a rejects file.
//!
//! A row is never guessed at and never lost. An empty cell leaves what is stored alone; only an explicit `null` in
//! JSON Lines erases, and never a key. A row that changes nothing is not written, so a file imported again changes
//! nothing. A file may set a stop (`reply_unsubscribe`, `reply_bounce`) and never take one back. Session key and batch id are put on rows that this delivery brings or changes, and on no other.
//! Memory does not grow with the file.

mod columns;
mod csv;
mod error;
mod lines;
mod number;
mod rejects;
mod report;
mod rows;
mod source;
mod value;

use std::path::Path;

use sqlx::postgres::PgConnection;
use tokio::sync::mpsc;

pub use error::ImportError;
pub use report::{ImportReport, ImportRequest, Phase, Progress, Rejected, SHOWN};

use self::columns::Columns;
use self::rows::Batch;
use self::source::{Format, Source};
use crate::model::{Clock, Entity};
use crate::store::{Store, StoreError, import as db};

/// Bytes of one COPY; a few of these are on their way at a time.
const BATCH: usize = 1024 * 1024;
const BATCHES_AHEAD: usize = 2;
/// Refused lines that are fetched at a time.
const PAGE: i64 = 5_000;

/// Imports one file.
pub async fn import(
    store: &Store,
    request: &ImportRequest,
    clock: &dyn Clock,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<ImportReport, ImportError> {
    let started_at = clock.now();
    let source = Source::open(&request.file)?;
    let mut columns = read_columns(&source, request)?;
    let rejects = rejects::path_for(&request.file, request.rejects.as_deref());
    rejects::check_place(&request.file, &rejects)?;

    let mut tx = store.begin().await.map_err(StoreError::on("begin the import"))?;
    let target = db::target(&mut tx, request.entity).await?;
    columns
        .fit(&target)
        .map_err(|columns| ImportError::NotMigrated { table: plural(request.entity), columns })?;
    let staging = columns.staging(&target);
    db::prepare(&mut tx, &staging).await?;
    let mut steps = Steps::new(&request.file, progress);
    let read = stage(&mut tx, request, source, columns, &db::copy_rows(&staging), &mut steps).await?;

    let file_name = request.file.file_name().unwrap_or_default().to_string_lossy();
    let mut delivery = db::Delivery {
        entity: request.entity,
        session_key: request.session_key.as_deref(),
        batch_id: request.batch_id.as_deref(),
        file_name: &file_name,
        file_digest: &read.digest,
        started_at,
        finished_at: started_at,
    };
    let seen_before = db::seen_before(&mut tx, &delivery).await?;
    steps.enter(Phase::Matching);
    db::find(&mut tx, &staging).await?;
    steps.enter(Phase::Writing);
    let tags = db::Tags { session_key: delivery.session_key, batch_id: delivery.batch_id };
    let merged = db::merge(&mut tx, &staging, tags).await?;
    let rejected = db::count_rejects(&mut tx).await?;
    let unchanged = read.records.saturating_sub(rejected + merged.inserted + merged.updated);

    let mut shown = Vec::new();
    if rejected > 0 {
        steps.enter(Phase::Rejects);
        shown = write_rejects(&mut tx, &request.file, &rejects, &read.digest).await?;
    }
    delivery.finished_at = clock.now();
    db::record(&mut tx, &delivery, &merged, unchanged, rejected).await?;
    if request.dry_run {
        tx.rollback().await.map_err(StoreError::on("take the trial import back"))?;
    } else {
        tx.commit().await.map_err(StoreError::on("commit the import"))?;
        // The rows are in: a file that stays behind is no reason to say otherwise.
        if rejected == 0
            && let Err(error) = rejects::remove(&rejects)
        {
            tracing::warn!(error = %error, "old rejects stay behind");
        }
    }
    tracing::info!(
        entity = request.entity.as_str(),
        read = read.records,
        inserted = merged.inserted,
        updated = merged.updated,
        rejected,
        dry_run = request.dry_run,
        "imported a file"
    );
    Ok(ImportReport {
        entity: plural(request.entity),
        file: request.file.clone(),
        digest: read.digest.clone(),
        dry_run: request.dry_run,
        read: read.records,
        inserted: merged.inserted,
        updated: merged.updated,
        unchanged,
        rejected,
        blank: read.blank,
        moved: merged.moved,
        rejects: (rejected > 0).then_some(rejects),
        shown,
        seen_before,
    })
}

const fn plural(entity: Entity) -> &'static str {
    match entity {
        Entity::Company => "companies",
        Entity::Employee => "employees",
    }
}

/// The columns of the file, or why it is refused before anything is touched.
fn read_columns(source: &Source, request: &ImportRequest) -> Result<Columns, ImportError> {
    let invalid = |problem| ImportError::Invalid { file: request.file.clone(), problem };
    let columns = match source.format {
        Format::Csv { .. } => Columns::of_header(request.entity, &source.header()).map_err(invalid)?,
        Format::JsonLines => return Ok(Columns::all(request.entity)),
    };
    let given = match request.entity {
        Entity::Company => [("session_key", &request.session_key), ("batch_id", &request.batch_id)],
        Entity::Employee => [("employee_session_key", &request.session_key), ("", &None)],
    };
    for (name, key) in given {
        if key.is_some() && columns.has(name) {
            return Err(invalid(format!(
                "it has a column `{name}`, and that key was given for the whole file"
            )));
        }
    }
    Ok(columns)
}

/// What the file was.
struct FileRead {
    records: u64,
    blank: u64,
    digest: String,
}

/// Reads the file on a thread of its own while the database takes what was read before.
async fn stage(
    conn: &mut PgConnection,
    request: &ImportRequest,
    source: Source,
    columns: Columns,
    copy_rows: &str,
    steps: &mut Steps<'_>,
) -> Result<FileRead, ImportError> {
    let (sender, mut batches) = mpsc::channel::<Batch>(BATCHES_AHEAD);
    let reader = tokio::task::spawn_blocking(move || read_all(source, &columns, &sender));
    let mut blank = 0;
    steps.enter(Phase::Reading);
    while let Some(batch) = batches.recv().await {
        db::copy(conn, copy_rows, batch.rows).await?;
        db::copy(conn, db::COPY_REJECTS, batch.rejects).await?;
        blank += batch.blank;
        steps.advance(batch.bytes, batch.read);
    }
    let read = reader.await.map_err(|_| ImportError::Stopped)?;
    let digest = read.map_err(|source| ImportError::Read { file: request.file.clone(), source })?;
    Ok(FileRead { records: steps.now.records, blank, digest })
}

/// Ends early when nobody takes the batches any more.
fn read_all(mut source: Source, columns: &Columns, batches: &mpsc::Sender<Batch>) -> std::io::Result<String> {
    let format = source.format.clone();
    let mut batch = Batch::default();
    while let Some(record) = source.next()? {
        batch.add(columns, &format, &record);
        if batch.rows.len() + batch.rejects.len() >= BATCH {
            batch.bytes = source.bytes();
            if batches.blocking_send(std::mem::take(&mut batch)).is_err() {
                return Ok(String::new());
            }
        }
    }
    batch.bytes = source.bytes();
    // A closed channel means that the import is over already.
    batches.blocking_send(batch).ok();
    Ok(source.digest())
}

/// Writes the rejects file before the commit: rows may be rejected twice, and never lost.
async fn write_rejects(
    conn: &mut PgConnection,
    file: &Path,
    rejects: &Path,
    digest: &str,
) -> Result<Vec<Rejected>, ImportError> {
    let (sender, pages) = mpsc::channel(BATCHES_AHEAD);
    let (from, to) = (file.to_owned(), rejects.to_owned());
    let writer = tokio::task::spawn_blocking(move || rejects::write(&from, &to, pages));
    let mut shown = Vec::new();
    let mut line = 0;
    loop {
        let page = db::rejects_after(conn, line, PAGE).await?;
        let Some(last) = page.last() else { break };
        line = last.line;
        let left = SHOWN - shown.len();
        shown.extend(page.iter().take(left).map(|refusal| Rejected {
            line: refusal.line.cast_unsigned(),
            column: refusal.columns.clone(),
            reason: refusal.reason.clone(),
        }));
        // The writer has ended when it failed: its own error is told below.
        if sender.send(page).await.is_err() {
            break;
        }
    }
    drop(sender);
    let written = writer.await.map_err(|_| ImportError::Stopped)??;
    if written != digest {
        return Err(ImportError::Changed { file: file.to_owned() });
    }
    Ok(shown)
}

/// Keeps count for the progress bar.
struct Steps<'a> {
    now: Progress,
    tell: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> Steps<'a> {
    fn new(file: &Path, tell: &'a (dyn Fn(Progress) + Sync)) -> Self {
        let total_bytes = std::fs::metadata(file).map_or(0, |meta| meta.len());
        Self { now: Progress { phase: Phase::Reading, bytes: 0, total_bytes, records: 0 }, tell }
    }

    fn enter(&mut self, phase: Phase) {
        self.now.phase = phase;
        (self.tell)(self.now);
    }

    fn advance(&mut self, bytes: u64, records: u64) {
        self.now.bytes = bytes;
        self.now.records += records;
        (self.tell)(self.now);
    }
}
