//! What people ask of a segment: how many each clause lets through, why one contact is in or out, and
//! whether the database agrees with what its file says.
//!
//! Never writes: every statement runs in a read-only transaction under a time limit.

mod check;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::postgres::{PgRow, Postgres};
use sqlx::{AssertSqlSafe, FromRow, Transaction};
use uuid::Uuid;

use super::binds::arguments;
use super::{Store, StoreError, sql};
use crate::audience::{Bind, Binds, CONTACTS, Scope, Tree, column, explain, funnel, predicate};
use crate::model::{Op, Rule, Segment, Test};

pub use check::{SegmentFault, check_examples, prepare};

const READ_ONLY: &str = "set transaction isolation level repeatable read read only";
/// Counting may scan everything.
const COUNT_TIMEOUT: &str = "set local statement_timeout = '60s'";

/// How many contacts one clause lets through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClauseCount {
    pub label: String,
    /// Of all contacts, by this clause alone.
    pub alone: i64,
    /// After this clause and all before it.
    pub left: i64,
}

/// The commonest values with which contacts got in through a text clause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LetIn {
    pub label: String,
    /// Values and how many contacts of the segment have them, commonest first.
    pub values: Vec<(String, i64)>,
}

/// What `segment show` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SegmentCounts {
    pub as_of: DateTime<Utc>,
    /// Every contact in the database.
    pub contacts: i64,
    pub clauses: Vec<ClauseCount>,
    /// Contacts that the rule lets in.
    pub matching: i64,
    /// The same within `per_company` and `limit`.
    pub selected: i64,
    pub let_in: Vec<LetIn>,
}

/// Counts each clause, and lists the `top` commonest values that each text clause lets in.
pub async fn show(
    store: &Store,
    segment: &Segment,
    scope: &Scope<'_>,
    top: u32,
) -> Result<SegmentCounts, StoreError> {
    let on = || StoreError::on("count the segment's contacts");
    let mut tx = read(store, COUNT_TIMEOUT).await.map_err(on())?;

    let mut binds = Binds::default();
    let steps = funnel(segment, scope, &mut binds);
    let sql = format!("select {} as depth, count(*) from {CONTACTS} group by 1", steps.depth);
    let depths: Vec<(i32, i64)> = rows(&mut tx, sql, &binds).await.map_err(on())?;
    let reached =
        |depth: usize| -> i64 { depths.iter().filter(|(d, _)| *d as usize >= depth).map(|(_, n)| n).sum() };

    let mut binds = Binds::default();
    let counts: Vec<String> = (segment.rule.clauses().iter())
        .map(|clause| format!("count(*) filter (where {})", predicate(clause, scope, &mut binds)))
        .collect();
    let sql = format!("select array[{}]::bigint[] from {CONTACTS}", counts.join(", "));
    let alone: Vec<(Vec<i64>,)> = rows(&mut tx, sql, &binds).await.map_err(on())?;
    let alone = alone.into_iter().flat_map(|(counts,)| counts);

    let clauses: Vec<ClauseCount> = (steps.labels.into_iter().zip(alone).enumerate())
        .map(|(index, (label, alone))| ClauseCount { label, alone, left: reached(index + 1) })
        .collect();
    let matching = reached(segment.rule.clauses().len());
    let selected = selected(&mut tx, segment, scope).await.map_err(on())?;
    let mut let_in = Vec::new();
    for clause in text_clauses(&segment.rule) {
        let values = commonest(&mut tx, segment, clause, scope, top).await.map_err(on())?;
        let_in.push(LetIn { label: Rule::Test(clause.clone()).to_string(), values });
    }
    tx.rollback().await.map_err(on())?;
    Ok(SegmentCounts { as_of: scope.as_of, contacts: reached(0), clauses, matching, selected, let_in })
}

/// Contacts within `per_company` and `limit`; those without a company count one by one.
async fn selected(tx: &mut Tx, segment: &Segment, scope: &Scope<'_>) -> Result<i64, sqlx::Error> {
    let mut binds = Binds::default();
    let rule = predicate(&segment.rule, scope, &mut binds);
    let cap = segment.per_company.map_or_else(|| "n".to_owned(), |cap| format!("least(n, {cap})"));
    let sql = format!(
        "select coalesce(sum({cap}), 0)::bigint from (
             select count(*) as n from {CONTACTS} where {rule} group by coalesce(c.id, e.id)) companies"
    );
    let sums: Vec<(i64,)> = rows(tx, sql, &binds).await?;
    let sum = sums.first().map_or(0, |(sum,)| *sum);
    Ok(segment.limit.map_or(sum, |limit| sum.min(i64::from(limit))))
}

async fn commonest(
    tx: &mut Tx,
    segment: &Segment,
    clause: &Test,
    scope: &Scope<'_>,
    top: u32,
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let mut binds = Binds::default();
    let rule = predicate(&segment.rule, scope, &mut binds);
    let own = predicate(&Rule::Test(clause.clone()), scope, &mut binds);
    let sql = format!(
        "select left({}, 200), count(*) from {CONTACTS} where {rule} and {own}
         group by 1 order by 2 desc, 1 limit {top}",
        column(&clause.field)
    );
    rows(tx, sql, &binds).await
}

/// Text clauses that let contacts in; what stands below a `not` keeps them out.
fn text_clauses(rule: &Rule) -> Vec<&Test> {
    match rule {
        Rule::All(parts) | Rule::Any(parts) => parts.iter().flat_map(text_clauses).collect(),
        Rule::Test(test) if is_text(&test.op) => vec![test],
        Rule::Test(_) | Rule::Not(_) | Rule::InSegment(_) | Rule::Sql(_) => Vec::new(),
    }
}

const fn is_text(op: &Op) -> bool {
    matches!(
        op,
        Op::Like(_)
            | Op::Ilike(_)
            | Op::StartsWith(_)
            | Op::EndsWith(_)
            | Op::Contains(_)
            | Op::Matches(_)
            | Op::Word(_)
    )
}

/// Why one contact is in or out; `None` when there is no such contact.
pub async fn explain_contact(
    store: &Store,
    rule: &Rule,
    scope: &Scope<'_>,
    employee: Uuid,
) -> Result<Option<Tree>, StoreError> {
    let on = || StoreError::on("explain the contact");
    let mut binds = Binds::default();
    let query = explain(rule, scope, &mut binds);
    let id = binds.add(Bind::Uuid(employee));
    let sql = format!("select {}, {} from {CONTACTS} where e.id = {id}", query.verdicts, query.values);
    let mut tx = read(store, COUNT_TIMEOUT).await.map_err(on())?;
    let found: Vec<(Vec<bool>, Vec<Option<String>>)> = rows(&mut tx, sql, &binds).await.map_err(on())?;
    tx.rollback().await.map_err(on())?;
    Ok(found.first().map(|(verdicts, values)| query.tree(verdicts, values)))
}

type Tx = Transaction<'static, Postgres>;

async fn read(store: &Store, timeout: &'static str) -> Result<Tx, sqlx::Error> {
    let mut tx = store.begin().await?;
    sql::query(READ_ONLY).execute(&mut *tx).await?;
    sql::query(timeout).execute(&mut *tx).await?;
    Ok(tx)
}

async fn rows<T>(tx: &mut Tx, text: String, binds: &Binds) -> Result<Vec<T>, sqlx::Error>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let query = sql::query_as_with(AssertSqlSafe(text), arguments(binds)?);
    query.fetch_all(&mut **tx).await
}
