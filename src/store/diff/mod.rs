//! The diff: one statement of named steps that says what one campaign's declaration means today.
//!
//! candidates -> moving -> judged -> ranked -> actions. The steps are the same text whoever asks;
//! only the last `select` differs: a report for `plan`, an insert of pushes for `apply`. Contacts do
//! not travel into the process to be compared. Text is built here and in `steps` alone, from the
//! field catalog, with every value bound.

mod columns;
mod fields;
mod follow_ups;
mod ranked;
mod ready;
mod report;
mod sides;
mod steps;
mod tails;

pub use columns::{is_address, is_unset, normalized, sequence_hash};
pub use fields::{Person, person};
pub use report::{ActionRow, Report, Verdict};
pub use sides::{Moved, Side, add_side, add_undeclared, create_sides, forget_wanted, moved, updated};

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection, Row};
use uuid::Uuid;

use crate::audience::{Bind, Binds, CONTACTS};
use crate::model::{Campaign, Segment, Skip};
use crate::store::{StoreError, arguments, sql};

use steps::Steps;

/// What a diff is computed from.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    pub campaign: &'a Campaign,
    pub segments: &'a BTreeMap<String, Segment>,
    /// Numbers of the campaigns whose contacts may be in this one at the same time, itself included.
    pub tolerated: Vec<i32>,
    /// Numbers of the campaigns that go first and have a say in this one; whom they want is listed in
    /// `wanted`. Others may be listed there too, this one included.
    pub above: Vec<i32>,
    pub as_of: DateTime<Utc>,
    /// How many enrollments the daily limit still admits today; `None` is no limit.
    pub remaining_today: Option<i64>,
    /// Start of the campaign's local day: what was handed over since counts against the limits.
    pub day_start: DateTime<Utc>,
    /// Mails of the sequence, where we send each one ourselves: limits count mails then.
    pub mails: Option<u16>,
    /// Look at these contacts only. Ranks (limits, per company) then count within them.
    pub only: Option<&'a [Uuid]>,
}

/// A text with its values, ready to run.
struct Statement {
    text: String,
    binds: Binds,
}

impl Statement {
    fn new(question: &Question<'_>, tail: impl FnOnce(&Steps<'_>, &mut Binds) -> String) -> Self {
        Self::of(&Steps::new(question), tail)
    }

    fn of<'a>(steps: &Steps<'a>, tail: impl FnOnce(&Steps<'a>, &mut Binds) -> String) -> Self {
        let mut binds = Binds::default();
        let mut text = steps.with_clause(&mut binds);
        text.push_str(&tail(steps, &mut binds));
        Self { text, binds }
    }
}

/// Temporary table of the contacts that campaigns of higher rank want in this transaction.
///
/// Needed as soon as two campaigns may want one contact: a plan of both must agree with applying
/// one after the other.
pub async fn create_wanted(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::raw_sql(
        "create temporary table if not exists wanted (
             employee_id uuid, email text, company_id uuid, campaign_number integer, enrolling boolean
         ) on commit drop",
    )
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(StoreError::on("set up the plan"))
}

/// Adds to `wanted` whom this campaign wants beyond those it has.
pub async fn add_wanted(connection: &mut PgConnection, question: &Question<'_>) -> Result<(), StoreError> {
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method's lifetime is too narrow")]
    let statement = Statement::new(question, |steps, binds| steps.wanted_tail(binds));
    run(connection, statement, "find whom a campaign of higher rank wants").await.map(|_| ())
}

/// Counts, skip reasons, digest and up to `samples` actions of each kind.
pub async fn report(
    connection: &mut PgConnection,
    question: &Question<'_>,
    samples: i64,
) -> Result<Report, StoreError> {
    let Statement { text, binds } =
        Statement::new(question, |steps, binds| steps.report_tail(binds, samples));
    let rows =
        sql::query_with(AssertSqlSafe(text), arguments(&binds).map_err(StoreError::on("bind a value"))?)
            .fetch_all(connection)
            .await
            .map_err(StoreError::on("compare the audience with the enrollments"))?;
    Report::from_rows(&rows)
}

/// Every action in a stable order, handed to `visit` one at a time.
pub async fn each_action<E: From<StoreError>>(
    connection: &mut PgConnection,
    question: &Question<'_>,
    mut visit: impl FnMut(ActionRow) -> Result<(), E>,
) -> Result<(), E> {
    use futures_util::TryStreamExt as _;
    let doing = "list the actions";
    let Statement { text, binds } = Statement::new(question, |steps, binds| steps.actions_tail(binds, None));
    let mut rows =
        sql::query_with(AssertSqlSafe(text), arguments(&binds).map_err(StoreError::on("bind a value"))?)
            .fetch(connection);
    while let Some(row) = rows.try_next().await.map_err(StoreError::on(doing))? {
        visit(ActionRow::from_row(&row).map_err(StoreError::on(doing))?)?;
    }
    Ok(())
}

/// Which actions become pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    Everything,
    /// Updates and withdrawals: this is not the time to take contacts in.
    NobodyNew,
    /// Only withdrawals that nothing may delay.
    Stops,
}

/// Records the actions as pushes; returns how many.
pub async fn record(
    connection: &mut PgConnection,
    question: &Question<'_>,
    what: Record,
    reconcile_id: Uuid,
) -> Result<u64, StoreError> {
    let statement = Statement::new(question, |steps, binds| steps.record_tail(binds, what, reconcile_id));
    run(connection, statement, "record the pushes").await
}

/// Where the given contacts stand in this campaign after every step.
pub async fn verdicts(
    connection: &mut PgConnection,
    question: &Question<'_>,
    people: &[Uuid],
) -> Result<Vec<Verdict>, StoreError> {
    let Statement { text, binds } =
        Statement::of(&Steps::explaining(question), |_, binds| Steps::verdict_tail(binds, people));
    let doing = "explain a contact";
    let rows =
        sql::query_with(AssertSqlSafe(text), arguments(&binds).map_err(StoreError::on("bind a value"))?)
            .fetch_all(connection)
            .await
            .map_err(StoreError::on(doing))?;
    rows.iter().map(Verdict::from_row).collect::<Result<_, _>>().map_err(StoreError::on(doing))
}

/// Whom nothing but this keeps out, in the order in which the campaign takes contacts.
pub async fn kept_out(
    connection: &mut PgConnection,
    question: &Question<'_>,
    by: Skip,
    most: i64,
) -> Result<Vec<Uuid>, StoreError> {
    let Statement { text, binds } =
        Statement::new(question, |steps, binds| steps.kept_out_tail(binds, by, most));
    sql::query_scalar_with(AssertSqlSafe(text), arguments(&binds).map_err(StoreError::on("bind a value"))?)
        .fetch_all(connection)
        .await
        .map_err(StoreError::on("look for whom to draft"))
}

/// Domains that are alike in how many of their contacts wait, and how many were handed over today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Domains {
    pub waiting: i64,
    pub today: i64,
    /// How many such domains there are.
    pub domains: i64,
}

/// Who waits to enter, by domain.
pub async fn waiting(
    connection: &mut PgConnection,
    question: &Question<'_>,
) -> Result<Vec<Domains>, StoreError> {
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method's lifetime is too narrow")]
    let Statement { text, binds } = Statement::new(question, |steps, binds| steps.waiting_tail(binds));
    sql::query_as_with(AssertSqlSafe(text), arguments(&binds).map_err(StoreError::on("bind a value"))?)
        .fetch_all(connection)
        .await
        .map_err(StoreError::on("count who waits to enter"))
}

/// How many contacts are left after each clause of the campaign's segment.
pub async fn funnel(connection: &mut PgConnection, question: &Question<'_>) -> Result<Vec<i64>, StoreError> {
    let Some(segment) = question.segments.get(&question.campaign.segment) else {
        return Ok(Vec::new());
    };
    let scope = crate::audience::Scope { segments: question.segments, as_of: question.as_of };
    let mut binds = Binds::default();
    let depth = crate::audience::funnel(segment, &scope, &mut binds).depth;
    let text = format!(
        "select {depth} as depth, count(*) as contacts
         from {CONTACTS}
         group by 1"
    );
    let doing = "count who is left after each clause";
    let rows =
        sql::query_with(AssertSqlSafe(text), arguments(&binds).map_err(StoreError::on("bind a value"))?)
            .fetch_all(connection)
            .await
            .map_err(StoreError::on(doing))?;
    let mut left = vec![0; segment.rule.clauses().len() + 1];
    for row in rows {
        let depth: i32 = row.try_get("depth").map_err(StoreError::on(doing))?;
        let contacts: i64 = row.try_get("contacts").map_err(StoreError::on(doing))?;
        for count in left.iter_mut().take(depth as usize + 1) {
            *count += contacts;
        }
    }
    Ok(left)
}

async fn run(
    connection: &mut PgConnection,
    statement: Statement,
    doing: &'static str,
) -> Result<u64, StoreError> {
    let Statement { text, binds } = statement;
    sql::query_with(AssertSqlSafe(text), arguments(&binds).map_err(StoreError::on("bind a value"))?)
        .execute(connection)
        .await
        .map(|done| done.rows_affected())
        .map_err(StoreError::on(doing))
}

/// The placeholder of an instant.
fn instant(binds: &mut Binds, at: DateTime<Utc>) -> String {
    binds.add(Bind::Timestamp(at))
}
