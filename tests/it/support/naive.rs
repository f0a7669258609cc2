//! The rules' meaning, spelled out over rows in memory: what the compiled SQL is held to.
//!
//! Slow and plain on purpose; shares nothing with the compiler.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use outreachd::model::{Entity, FieldRef, Kind, Op, Rule, Scalar, Segment, Test};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

/// A contact: its columns as json, numbers of `numeric` columns as text. Absent or null is unset.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Contact {
    pub(crate) company: Map<String, Value>,
    pub(crate) employee: Map<String, Value>,
}

/// `sql` clauses and `matches` patterns are not interpreted: these are the ones that are known.
pub(crate) type KnownSql = (&'static str, fn(&Contact) -> bool);
pub(crate) type KnownPattern = (&'static str, fn(&str) -> bool);

pub(crate) const SQL: &[KnownSql] = &[
    ("cardinality(c.all_company_emails) > 0 -- any (at all)", |contact| {
        contact.company.get("all_company_emails").and_then(Value::as_array).is_some_and(|all| !all.is_empty())
    }),
    ("c.sme_registry or e.campaign_number = 1", |contact| {
        contact.company.get("sme_registry") == Some(&Value::Bool(true))
            || contact.employee.get("campaign_number") == Some(&Value::from(1))
    }),
    ("null", |_| false),
];

pub(crate) const PATTERNS: &[KnownPattern] = &[
    ("^CTO", |text| text.starts_with("CTO")),
    ("директор$", |text| text.ends_with("директор")),
    ("[0-9]+%", |text| text.as_bytes().windows(2).any(|pair| pair[0].is_ascii_digit() && pair[1] == b'%')),
    ("\\\\|'", |text| text.contains(['\\', '\''])),
    ("^$", str::is_empty),
];

/// The model: whether the rule lets the contact in.
pub(crate) fn holds(
    rule: &Rule,
    contact: &Contact,
    segments: &BTreeMap<String, Segment>,
    as_of: DateTime<Utc>,
) -> bool {
    let inner = |rule: &Rule| holds(rule, contact, segments, as_of);
    match rule {
        Rule::All(parts) => parts.iter().all(inner),
        Rule::Any(parts) => parts.iter().any(inner),
        Rule::Not(part) => !inner(part),
        Rule::InSegment(name) => segments.get(name).is_some_and(|segment| inner(&segment.rule)),
        Rule::Sql(clause) => SQL.iter().find(|(text, _)| *text == clause.text).unwrap().1(contact),
        Rule::Test(clause) => test_holds(clause, contact, as_of),
    }
}

fn test_holds(clause: &Test, contact: &Contact, as_of: DateTime<Utc>) -> bool {
    let field = &clause.field;
    let kind = field.field.kind;
    let value = value(contact, field);
    let text = value.map(text);
    let says = |accepts: &dyn Fn(&str) -> bool| text.as_deref().is_some_and(accepts);
    let equals = |literal: &Scalar| value.and_then(|v| compare(kind, v, literal)) == Some(Ordering::Equal);
    let ordered = |literal: &Scalar, accepts: fn(Ordering) -> bool| {
        value.and_then(|v| compare(kind, v, literal)).is_some_and(accepts)
    };
    let time = |accepts: &dyn Fn(DateTime<Utc>) -> bool| value.and_then(instant).is_some_and(accepts);
    let list: Option<Vec<&str>> =
        value.and_then(Value::as_array).map(|items| items.iter().filter_map(Value::as_str).collect());
    match &clause.op {
        Op::Eq(literal) => equals(literal),
        Op::Ne(literal) => !equals(literal),
        Op::In(literals) => literals.iter().any(equals),
        Op::NotIn(literals) => !literals.iter().any(equals),
        Op::Lt(literal) => ordered(literal, Ordering::is_lt),
        Op::Lte(literal) => ordered(literal, Ordering::is_le),
        Op::Gt(literal) => ordered(literal, Ordering::is_gt),
        Op::Gte(literal) => ordered(literal, Ordering::is_ge),
        Op::Between(low, high) => ordered(low, Ordering::is_ge) && ordered(high, Ordering::is_le),
        Op::Like(pattern) => says(&|text| like(&chars(text), &chars(pattern))),
        Op::Ilike(pattern) => says(&|text| like(&lower(text), &lower(pattern))),
        Op::StartsWith(part) => says(&|text| lower(text).starts_with(&lower(part))),
        Op::EndsWith(part) => says(&|text| lower(text).ends_with(&lower(part))),
        Op::Contains(part) => says(&|text| !found(&lower(text), &lower(part)).is_empty()),
        Op::Matches(pattern) => says(&PATTERNS.iter().find(|(known, _)| known == pattern).unwrap().1),
        Op::Word(word) => says(&|text| has_word(&lower(text), &lower(word))),
        Op::IsNull(wanted) => value.is_none() == *wanted,
        Op::IsSet(wanted) => value.is_some() == *wanted,
        Op::Has(item) => list.is_some_and(|list| list.contains(&item.as_str())),
        Op::HasAny(items) => list.is_some_and(|list| items.iter().any(|item| list.contains(&item.as_str()))),
        Op::IsEmpty(wanted) => {
            let empty = value.is_none_or(|value| value.as_array().is_some_and(Vec::is_empty));
            empty == *wanted
        }
        Op::OlderThan(span) => time(&|at| at < span.before(as_of)),
        Op::NewerThan(span) => time(&|at| at >= span.before(as_of)),
        Op::Before(literal) => time(&|at| scalar_instant(literal).is_some_and(|then| at < then)),
        Op::After(literal) => time(&|at| scalar_instant(literal).is_some_and(|then| at > then)),
        Op::On(day) => time(&|at| at.date_naive() == *day),
    }
}

fn value<'a>(contact: &'a Contact, field: &FieldRef) -> Option<&'a Value> {
    let columns = match field.field.entity {
        Entity::Company => &contact.company,
        Entity::Employee => &contact.employee,
    };
    let mut value = columns.get(field.field.column)?;
    for key in &field.path {
        value = value.get(key)?;
    }
    (!value.is_null()).then_some(value)
}

/// As PostgreSQL writes a json value that is no object.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(ToString::to_string).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

fn compare(kind: Kind, value: &Value, literal: &Scalar) -> Option<Ordering> {
    let number = |value: &Value| match (kind, value) {
        (Kind::Json, Value::String(_)) => None,
        (_, Value::String(text)) => text.parse::<Decimal>().ok(),
        _ => value.as_number().and_then(|number| number.to_string().parse().ok()),
    };
    match literal {
        Scalar::Text(literal) => Some(text(value).as_str().cmp(literal)),
        Scalar::Bool(literal) => Some(value.as_bool()?.cmp(literal)),
        Scalar::Int(literal) => Some(number(value)?.cmp(&Decimal::from(*literal))),
        Scalar::Decimal(literal) => Some(number(value)?.cmp(literal)),
        Scalar::Date(_) | Scalar::Timestamp(_) => Some(instant(value)?.cmp(&scalar_instant(literal)?)),
        Scalar::Uuid(literal) => Some(value.as_str()?.cmp(&literal.to_string())),
    }
}

fn scalar_instant(literal: &Scalar) -> Option<DateTime<Utc>> {
    match literal {
        Scalar::Date(day) => Some(day.and_time(NaiveTime::MIN).and_utc()),
        Scalar::Timestamp(at) => Some(*at),
        Scalar::Text(text) => instant(&Value::from(text.as_str())),
        _ => None,
    }
}

fn instant(value: &Value) -> Option<DateTime<Utc>> {
    let text = value.as_str()?;
    let day = || Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN).and_utc());
    let local = || Some(NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()?.and_utc());
    DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).ok().or_else(day).or_else(local)
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

fn lower(text: &str) -> Vec<char> {
    text.chars().map(|c| c.to_lowercase().next().unwrap()).collect()
}

fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skip| like(&text[skip..], rest)),
        ['_', rest @ ..] => !text.is_empty() && like(&text[1..], rest),
        ['\\', c, rest @ ..] | [c, rest @ ..] => text.first() == Some(c) && like(&text[1..], rest),
    }
}

fn found(text: &[char], part: &[char]) -> Vec<usize> {
    let ends = (text.len() + 1).saturating_sub(part.len());
    (0..ends).filter(|start| text[*start..].starts_with(part)).collect()
}

fn has_word(text: &[char], word: &[char]) -> bool {
    let in_word = |c: &char| c.is_alphanumeric() || *c == '_';
    found(text, word).into_iter().any(|start| {
        let before = start.checked_sub(1).and_then(|at| text.get(at));
        !before.is_some_and(in_word) && !text.get(start + word.len()).is_some_and(in_word)
    })
}
