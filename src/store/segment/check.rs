//! Whether the database agrees with a segment's file: its examples, and each of its clauses.
//!
//! A disagreement is a value with its place in the file; only losing the database is an error. Never
//! touches a stored row: examples are rows of the statement itself.

use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::FromRow;
use sqlx::postgres::PgRow;

use super::{read, rows};
use crate::audience::{Bind, Binds, CONTACTS, Scope, funnel, order_by, predicate, strict};
use crate::model::{Example, Expect, FieldRef, Op, Rule, Segment, SqlClause, Test, check_sql};
use crate::store::{Store, StoreError, is_away};

/// A made-up contact is one row, and planning reads none.
const CHECK_TIMEOUT: &str = "set local statement_timeout = '3s'";

/// A fault in a segment, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SegmentFault {
    /// Name of the segment whose file is at fault: another one when the clause came by `in_segment`.
    pub segment: String,
    /// JSON pointer in that segment's file.
    pub at: String,
    pub message: String,
}

/// Runs the segment's examples as tests of its rule, on rows that are never stored.
pub async fn check_examples(
    store: &Store,
    segment: &Segment,
    scope: &Scope<'_>,
) -> Result<Vec<SegmentFault>, StoreError> {
    let mut faults = Vec::new();
    for example in &segment.examples {
        let verdict = match depth(store, segment, example, scope).await? {
            Ok(depth) => judge(segment, example, depth, scope),
            Err(message) => Some(format!("the example is no contact of this database: {message}")),
        };
        if let Some(message) = verdict {
            faults.push(SegmentFault { segment: segment.name.clone(), at: example.at.clone(), message });
        }
    }
    Ok(faults)
}

/// How many clauses hold for the example, or what the database says against it.
async fn depth(
    store: &Store,
    segment: &Segment,
    example: &Example,
    scope: &Scope<'_>,
) -> Result<Result<usize, String>, StoreError> {
    let mut binds = Binds::default();
    let depth = funnel(segment, scope, &mut binds).depth;
    let made_up = made_up(&example.company, &example.employee, &mut binds);
    let found: Attempt<(i32,)> = attempt(store, format!("select {depth} from {made_up}"), &binds).await?;
    Ok(found.map(|rows| rows.first().map_or(0, |(depth,)| *depth as usize)))
}

/// What is wrong with the verdict, if anything.
fn judge(segment: &Segment, example: &Example, depth: usize, scope: &Scope<'_>) -> Option<String> {
    match (example.expect, segment.rule.clauses().get(depth), &example.because) {
        (Expect::In, None, _) | (Expect::Out, Some(_), None) => None,
        (Expect::In, Some(clause), _) => {
            Some(format!("expected in, but it is out: `{clause}` does not hold"))
        }
        (Expect::Out, None, _) => Some("expected out, but it is in: every clause holds".to_owned()),
        (Expect::Out, Some(clause), Some(because)) if reads(clause, because, scope, 0) => None,
        (Expect::Out, Some(clause), Some(because)) => {
            Some(format!("expected out because of {because}, but it is out because of `{clause}`"))
        }
    }
}

/// Whether the clause looks at the field. `sql` clauses are searched for the column's name.
fn reads(rule: &Rule, field: &FieldRef, scope: &Scope<'_>, depth: usize) -> bool {
    let mut found = false;
    rule.walk(&mut |part| {
        found |= match part {
            Rule::Test(test) => test.field.field == field.field && test.field.path.starts_with(&field.path),
            Rule::Sql(clause) => clause.text.contains(field.field.column),
            // The manifest refuses cycles; the depth keeps an unchecked one from hanging us.
            Rule::InSegment(name) => scope.segments.get(name).is_some_and(|other| {
                depth < scope.segments.len() && reads(&other.rule, field, scope, depth + 1)
            }),
            Rule::All(_) | Rule::Any(_) | Rule::Not(_) => false,
        };
    });
    found
}

/// One contact that exists in the statement only.
fn made_up(company: &Map<String, Value>, employee: &Map<String, Value>, binds: &mut Binds) -> String {
    let mut row = |alias: &str, table: &str, values: &Map<String, Value>| {
        let values = values.iter().map(|(name, value)| (name.clone(), whole(value))).collect();
        let json = binds.add(Bind::Json(Value::Object(values)));
        format!("jsonb_populate_record(null::public.{table}, {json}) {alias}")
    };
    format!("{}, {}", row("c", "companies", company), row("e", "employees", employee))
}

/// YAML's `12e6` is a float, which an integer column refuses to read.
fn whole(value: &Value) -> Value {
    match value.as_f64() {
        // 2^53: above it floats skip whole numbers.
        Some(number) if value.is_f64() && number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 => {
            Value::from(number as i64)
        }
        _ => value.clone(),
    }
}

/// Has the database plan the segment's statement; on a fault, finds the clause.
pub async fn prepare(
    store: &Store,
    segment: &Segment,
    scope: &Scope<'_>,
) -> Result<Vec<SegmentFault>, StoreError> {
    let leaves = leaves(&segment.rule, segment, scope);
    let mut faults = Vec::new();
    // What planning the whole would not tell, or not safely.
    for (rule, owner) in &leaves {
        let message = match rule {
            Rule::Sql(clause) => prepare_sql(store, clause, scope).await?,
            Rule::Test(Test { op: Op::Matches(pattern), .. }) => prepare_pattern(store, pattern).await?,
            _ => None,
        };
        faults.extend(message.map(|message| fault(owner, rule, &message)));
    }
    if !faults.is_empty() {
        return Ok(faults);
    }
    let Some(message) = prepare_rule(store, &segment.rule, &order_by(segment), scope).await? else {
        return Ok(faults);
    };
    for (rule, owner) in &leaves {
        let message = prepare_rule(store, rule, &[], scope).await?;
        faults.extend(message.map(|message| fault(owner, rule, &message)));
    }
    if faults.is_empty() {
        let (segment, at) = (segment.name.clone(), "/where".to_owned());
        faults.push(SegmentFault { segment, at, message });
    }
    Ok(faults)
}

fn fault(owner: &Segment, rule: &Rule, message: &str) -> SegmentFault {
    let (at, message) = match rule {
        Rule::Sql(clause) => (clause.at.clone(), message.to_owned()),
        Rule::Test(test) if !test.at.is_empty() => (test.at.clone(), format!("`{rule}`: {message}")),
        other => ("/where".to_owned(), format!("`{other}`: {message}")),
    };
    SegmentFault { segment: owner.name.clone(), at, message }
}

/// Every clause without parts, with the segment that declares it.
fn leaves<'a>(rule: &'a Rule, owner: &'a Segment, scope: &Scope<'a>) -> Vec<(&'a Rule, &'a Segment)> {
    let mut found = Vec::new();
    let mut inside = vec![owner];
    let mut open = vec![(rule, owner)];
    while let Some((rule, owner)) = open.pop() {
        match rule {
            Rule::All(parts) | Rule::Any(parts) => {
                open.extend(parts.iter().rev().map(|part| (part, owner)));
            }
            Rule::Not(inner) => open.push((inner, owner)),
            Rule::InSegment(name) => {
                let other = scope.segments.get(name);
                if let Some(other) = other.filter(|other| inside.iter().all(|known| known.name != other.name))
                {
                    inside.push(other);
                    open.push((&other.rule, other));
                }
            }
            Rule::Test(_) | Rule::Sql(_) => found.push((rule, owner)),
        }
    }
    found
}

async fn prepare_sql(
    store: &Store,
    clause: &SqlClause,
    scope: &Scope<'_>,
) -> Result<Option<String>, StoreError> {
    if let Err(error) = check_sql(&clause.text) {
        return Ok(Some(error.to_string()));
    }
    let rule = Rule::Sql(clause.clone());
    if let Some(message) = prepare_rule(store, &rule, &[], scope).await? {
        return Ok(Some(message));
    }
    // Evaluated once, on a contact with nothing set: a clause that writes is caught by the transaction.
    let mut binds = Binds::default();
    let value = strict(&rule, scope, &mut binds);
    let made_up = made_up(&Map::new(), &Map::new(), &mut binds);
    let tried: Attempt<(bool,)> = attempt(store, format!("select {value} from {made_up}"), &binds).await?;
    Ok(tried.err())
}

/// A pattern is read when it meets a value, so planning alone would not tell.
async fn prepare_pattern(store: &Store, pattern: &str) -> Result<Option<String>, StoreError> {
    let mut binds = Binds::default();
    let pattern = binds.add(Bind::Text(pattern.to_owned()));
    let tried: Attempt<(bool,)> = attempt(store, format!("select '' ~ {pattern}"), &binds).await?;
    Ok(tried.err())
}

async fn prepare_rule(
    store: &Store,
    rule: &Rule,
    order: &[String],
    scope: &Scope<'_>,
) -> Result<Option<String>, StoreError> {
    let mut binds = Binds::default();
    let rule = predicate(rule, scope, &mut binds);
    let order = if order.is_empty() { String::new() } else { format!(" order by {}", order.join(", ")) };
    let sql = format!("explain (costs off) select e.id from {CONTACTS} where {rule}{order}");
    let tried: Attempt<(String,)> = attempt(store, sql, &binds).await?;
    Ok(tried.err())
}

/// Rows, or the database's own words against the statement.
type Attempt<T> = Result<Vec<T>, String>;

/// Runs a statement whose fault is an answer; only losing the database is an error.
async fn attempt<T>(store: &Store, sql: String, binds: &Binds) -> Result<Attempt<T>, StoreError>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let on = || StoreError::on("check the segment against the database");
    let mut tx = read(store, CHECK_TIMEOUT).await.map_err(on())?;
    let answer = rows(&mut tx, sql, binds).await;
    tx.rollback().await.map_err(on())?;
    match answer {
        Ok(rows) => Ok(Ok(rows)),
        Err(error) if is_away(&error) => Err(on()(error)),
        Err(sqlx::Error::Database(fault)) => Ok(Err(fault.message().to_owned())),
        Err(error) => Err(on()(error)),
    }
}
