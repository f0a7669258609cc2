//! Membership rules: a total, typed tree. Every clause is true or false, never unknown.
//!
//! A comparison with an unset value is false; `Ne`, `NotIn` and `Not` are the exact opposite of
//! `Eq`, `In` and what they stand before, so they hold for an unset value.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::catalog::FieldRef;
use super::duration::Span;

/// A literal in a rule, already of the type that its column needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    Text(String),
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Date(NaiveDate),
    Timestamp(DateTime<Utc>),
    Uuid(Uuid),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Decimal(value) => write!(f, "{value}"),
            Self::Date(value) => write!(f, "{value}"),
            Self::Timestamp(value) => write!(f, "{}", value.to_rfc3339()),
            Self::Uuid(value) => write!(f, "{value}"),
        }
    }
}

/// What is asked of one field's value.
///
/// `Contains`, `StartsWith`, `EndsWith`, `Word` and `Ilike` ignore letter case; `Eq`, `In`, `Like`
/// and `Matches` do not. `%` and `_` are wildcards in `Like` and `Ilike` only.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    Eq(Scalar),
    Ne(Scalar),
    In(Vec<Scalar>),
    NotIn(Vec<Scalar>),
    Lt(Scalar),
    Lte(Scalar),
    Gt(Scalar),
    Gte(Scalar),
    /// Both ends included.
    Between(Scalar, Scalar),
    Like(String),
    Ilike(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    /// A regular expression of PostgreSQL's advanced kind, found anywhere in the text.
    Matches(String),
    /// A whole word: `CTO` is in `Deputy CTO` and not in `Director`.
    Word(String),
    /// `is_null: true` holds for an unset value; `false` for a set one.
    IsNull(bool),
    /// `is_set: true` holds for a set value; `false` for an unset one.
    IsSet(bool),
    /// The list has this element.
    Has(String),
    /// The list has at least one of these elements.
    HasAny(Vec<String>),
    /// `true`: the list is unset or has no element.
    IsEmpty(bool),
    /// Earlier than now minus the span.
    OlderThan(Span),
    /// Now minus the span, or later.
    NewerThan(Span),
    Before(Scalar),
    After(Scalar),
    /// On that calendar day (UTC for timestamps).
    On(NaiveDate),
}

impl Op {
    /// The operator's name in YAML.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Eq(_) => "eq",
            Self::Ne(_) => "ne",
            Self::In(_) => "in",
            Self::NotIn(_) => "not_in",
            Self::Lt(_) => "lt",
            Self::Lte(_) => "lte",
            Self::Gt(_) => "gt",
            Self::Gte(_) => "gte",
            Self::Between(..) => "between",
            Self::Like(_) => "like",
            Self::Ilike(_) => "ilike",
            Self::StartsWith(_) => "starts_with",
            Self::EndsWith(_) => "ends_with",
            Self::Contains(_) => "contains",
            Self::Matches(_) => "matches",
            Self::Word(_) => "word",
            Self::IsNull(_) => "is_null",
            Self::IsSet(_) => "is_set",
            Self::Has(_) => "has",
            Self::HasAny(_) => "has_any",
            Self::IsEmpty(_) => "is_empty",
            Self::OlderThan(_) => "older_than",
            Self::NewerThan(_) => "newer_than",
            Self::Before(_) => "before",
            Self::After(_) => "after",
            Self::On(_) => "on",
        }
    }
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Test {
    pub field: FieldRef,
    pub op: Op,
    /// JSON pointer of the comparison in its file, for diagnostics; no part of its identity.
    #[serde(skip)]
    pub at: String,
}

/// The reviewed escape hatch: a boolean SQL expression over `e` (employees) and `c` (companies).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SqlClause {
    pub text: String,
    /// JSON pointer of the text in its file, for diagnostics; no part of its identity.
    #[serde(skip)]
    pub at: String,
}

/// A membership rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    All(Vec<Rule>),
    Any(Vec<Rule>),
    Not(Box<Rule>),
    Test(Test),
    InSegment(String),
    Sql(SqlClause),
}

impl Rule {
    /// The clauses of the funnel: the parts of a top-level `all`, or the rule itself.
    pub fn clauses(&self) -> &[Rule] {
        match self {
            Self::All(parts) => parts,
            other => std::slice::from_ref(other),
        }
    }

    /// Calls `visit` for this rule and every rule inside it.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Rule)) {
        visit(self);
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.walk(visit)),
            Self::Not(inner) => inner.walk(visit),
            Self::Test(_) | Self::InSegment(_) | Self::Sql(_) => {}
        }
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T], between: &str) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Eq(value) = self {
            return write!(f, "= {value}");
        }
        write!(f, "{} ", self.name())?;
        match self {
            Self::Eq(value)
            | Self::Ne(value)
            | Self::Lt(value)
            | Self::Lte(value)
            | Self::Gt(value)
            | Self::Gte(value)
            | Self::Before(value)
            | Self::After(value) => write!(f, "{value}"),
            Self::In(values) | Self::NotIn(values) => {
                f.write_str("[")?;
                list(f, values, ", ")?;
                f.write_str("]")
            }
            Self::Between(low, high) => write!(f, "{low} and {high}"),
            Self::Like(text)
            | Self::Ilike(text)
            | Self::StartsWith(text)
            | Self::EndsWith(text)
            | Self::Contains(text)
            | Self::Matches(text)
            | Self::Word(text)
            | Self::Has(text) => write!(f, "{text:?}"),
            Self::HasAny(texts) => write!(f, "{texts:?}"),
            Self::IsNull(value) | Self::IsSet(value) | Self::IsEmpty(value) => write!(f, "{value}"),
            Self::OlderThan(span) | Self::NewerThan(span) => write!(f, "{span}"),
            Self::On(day) => write!(f, "{day}"),
        }
    }
}

/// One line for people: the label of a clause in funnels and explain trees.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => {
                f.write_str("(")?;
                list(f, parts, " and ")?;
                f.write_str(")")
            }
            Self::Any(parts) => {
                f.write_str("(")?;
                list(f, parts, " or ")?;
                f.write_str(")")
            }
            Self::Not(inner) => write!(f, "not {inner}"),
            Self::Test(test) => write!(f, "{} {}", test.field, test.op),
            Self::InSegment(name) => write!(f, "in segment {name}"),
            Self::Sql(clause) => write!(f, "sql: {}", clause.text),
        }
    }
}
