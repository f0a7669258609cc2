//! Literals of a rule: which column takes which, and how they are read.

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::diagnostic::suggestion;
use super::finding::Findings;
use crate::model::{Field, FieldRef, Kind, Scalar};

use Kind::{Bool, Date, Decimal as Number, Int, Json, Text, TextArray, Timestamp, Uuid as Id};

/// The longest text: PostgreSQL compiles a regular expression for every statement.
pub(super) const MAX_TEXT: usize = 1000;

/// Reads a literal as the type that the column needs. Inside json the literal's own type decides:
/// text is compared with text, a number with numbers, true and false with booleans.
pub(super) fn scalar(
    findings: &mut Findings<'_>,
    pointer: &str,
    field: &FieldRef,
    literal: &Value,
) -> Option<Scalar> {
    if literal.is_null() {
        findings
            .error(pointer, "null-literal", format!("`{field}` is compared with nothing"))
            .advise("an unset value equals nothing: write `{ is_null: true }`");
        return None;
    }
    let field = field.field;
    match parse(field.kind, literal) {
        Some(Scalar::Text(value)) => {
            if !field.allowed.is_empty() && !field.allowed.contains(&value.as_str()) {
                findings
                    .error(pointer, "unknown-value", format!("`{field}` is never {value:?}"))
                    .advise_some(suggestion(&value, field.allowed.iter().copied()));
                return None;
            }
            if value.len() > MAX_TEXT || value.contains('\0') {
                findings.error(
                    pointer,
                    "bad-value",
                    format!("text longer than {MAX_TEXT} bytes or with a zero character"),
                );
                return None;
            }
            Some(Scalar::Text(value))
        }
        Some(value) => Some(value),
        None => {
            let written = shown(literal);
            let advice = advice(field, literal);
            findings
                .error(
                    pointer,
                    "wrong-type",
                    format!("`{field}` is {}, and {written} is not", described(field.kind)),
                )
                .advise(advice);
            None
        }
    }
}

/// Reads a point in time where the column cannot tell that one is meant: inside json.
pub(super) fn instant(
    findings: &mut Findings<'_>,
    pointer: &str,
    field: &FieldRef,
    literal: &Value,
) -> Option<Scalar> {
    let at = literal.as_str().and_then(timestamp).map(Scalar::Timestamp);
    if at.is_none() {
        findings
            .error(
                pointer,
                "wrong-type",
                format!("`{field}` is compared with a point in time, and {} is none", shown(literal)),
            )
            .advise("write 2026-01-31 or 2026-01-31T09:00:00Z");
    }
    at
}

fn shown(literal: &Value) -> String {
    match literal {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
        other => other.to_string(),
    }
}

fn advice(field: &Field, literal: &Value) -> String {
    match field.kind {
        Text if !literal.is_array() && !literal.is_object() => format!("put it into quotes: \"{literal}\""),
        Bool => "write true or false, without quotes".to_owned(),
        Int => "write digits without quotes, such as 250".to_owned(),
        Number => "write a number without quotes, such as 10_000_000 or 12.5".to_owned(),
        Date => "write year, month and day: 2026-01-31".to_owned(),
        Timestamp => "write 2026-01-31 or 2026-01-31T09:00:00Z; for a distance use `older_than`".to_owned(),
        _ => "write one value".to_owned(),
    }
}

/// The literal as a value of that kind, if it is one.
fn parse(kind: Kind, literal: &Value) -> Option<Scalar> {
    match kind {
        Text => literal.as_str().map(|text| Scalar::Text(text.to_owned())),
        Bool => literal.as_bool().map(Scalar::Bool),
        Int => literal.as_i64().map(Scalar::Int),
        Number => decimal(literal).map(Scalar::Decimal),
        Date => literal.as_str()?.parse().ok().map(Scalar::Date),
        Timestamp => timestamp(literal.as_str()?).map(Scalar::Timestamp),
        Id => literal.as_str()?.parse::<Uuid>().ok().map(Scalar::Uuid),
        TextArray => None,
        Json => match literal {
            Value::String(text) => Some(Scalar::Text(text.clone())),
            Value::Bool(flag) => Some(Scalar::Bool(*flag)),
            Value::Number(number) => {
                number.as_i64().map(Scalar::Int).or_else(|| decimal(literal).map(Scalar::Decimal))
            }
            _ => None,
        },
    }
}

/// A float's shortest text is what was written, so money stays exact.
fn decimal(literal: &Value) -> Option<Decimal> {
    let text = literal.as_number()?.to_string();
    Decimal::from_str_exact(&text)
        .or_else(|_| Decimal::from_scientific(&text))
        .ok()
        .map(|value| value.normalize())
}

/// A full RFC 3339 instant, or a day, which stands for its beginning in UTC.
fn timestamp(text: &str) -> Option<DateTime<Utc>> {
    let instant = DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.to_utc());
    instant.or_else(|| {
        let day: NaiveDate = text.parse().ok()?;
        Some(day.and_time(NaiveTime::MIN).and_utc())
    })
}

/// What a column's literal looks like to an editor.
pub(super) fn literal_schema(kind: Kind, allowed: &[&str]) -> Value {
    if !allowed.is_empty() {
        return json!({"enum": allowed});
    }
    match kind {
        Text | Timestamp => json!({"type": "string"}),
        Bool => json!({"type": "boolean"}),
        Int => json!({"type": "integer"}),
        Number => json!({"type": "number"}),
        Date => json!({"type": "string", "format": "date"}),
        Id => json!({"type": "string", "format": "uuid"}),
        TextArray => json!({"type": "array", "items": {"type": "string"}}),
        Json => json!({"type": ["object", "array", "string", "number", "boolean"]}),
    }
}

/// Which of two values of one column comes first; `None` when they are of different types.
pub(super) fn order(low: &Scalar, high: &Scalar) -> Option<Ordering> {
    Some(match (low, high) {
        (Scalar::Int(low), Scalar::Int(high)) => low.cmp(high),
        (Scalar::Decimal(low), Scalar::Decimal(high)) => low.cmp(high),
        (Scalar::Int(low), Scalar::Decimal(high)) => Decimal::from(*low).cmp(high),
        (Scalar::Decimal(low), Scalar::Int(high)) => low.cmp(&Decimal::from(*high)),
        (Scalar::Date(low), Scalar::Date(high)) => low.cmp(high),
        (Scalar::Timestamp(low), Scalar::Timestamp(high)) => low.cmp(high),
        // Which text comes first is for the database's collation to say.
        (Scalar::Text(_), Scalar::Text(_)) => Ordering::Less,
        _ => return None,
    })
}

/// The kind in a sentence.
pub(super) const fn described(kind: Kind) -> &'static str {
    match kind {
        Text => "text",
        Bool => "true or false",
        Int => "a whole number",
        Number => "a number",
        Date => "a date",
        Timestamp => "a point in time",
        TextArray => "a list of text",
        Json => "json",
        Id => "a uuid",
    }
}
