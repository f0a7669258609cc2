//! Clauses on values inside a json document.
//!
//! The literal's own type decides what is compared: text with the value's text, a number with numbers
//! only, true and false with booleans only. A value of another type is simply not equal: never an error.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Utc};
use rust_decimal::Decimal;

use super::binds::{Bind, Binds};
use super::field::{column, document};
use crate::model::{FieldRef, Scalar};

// No backslashes: a plain literal reads the same whatever `standard_conforming_strings` says.
const DAY: &str = "[0-9]{4}-[0-9]{2}-[0-9]{2}";
const TIME: &str = "[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?";

pub(super) fn compare(field: &FieldRef, operator: &str, value: &Scalar, binds: &mut Binds) -> String {
    let text = match value {
        Scalar::Int(number) => {
            return typed(field, "number", "numeric", operator, Bind::Decimal(Decimal::from(*number)), binds);
        }
        Scalar::Decimal(number) => {
            return typed(field, "number", "numeric", operator, Bind::Decimal(*number), binds);
        }
        Scalar::Bool(flag) => return typed(field, "boolean", "boolean", operator, Bind::Bool(*flag), binds),
        Scalar::Date(day) => return instant(field, operator, day.and_time(NaiveTime::MIN).and_utc(), binds),
        Scalar::Timestamp(at) => return instant(field, operator, *at, binds),
        Scalar::Text(text) => text.clone(),
        Scalar::Uuid(id) => id.to_string(),
    };
    let text = binds.add(Bind::Text(text));
    let order = if operator == "=" { "" } else { " collate \"C\"" };
    format!("{} {operator} {text}{order}", column(field))
}

/// The cast stands behind the type test, in a `case`, because the planner may reorder `and`.
fn typed(field: &FieldRef, json: &str, sql: &str, operator: &str, bind: Bind, binds: &mut Binds) -> String {
    let value = document(field);
    let bind = binds.add(bind);
    format!("case jsonb_typeof({value}) when '{json}' then ({value})::{sql} {operator} {bind} end")
}

/// Compares the ISO 8601 day or instant that a json string holds; one without an offset is UTC.
///
/// jsonpath in silent mode is the one reader of dates that PostgreSQL 14 and 15 have which answers
/// instead of failing on the 31st of February. It knows no `Z`, so offsets are completed first.
pub(super) fn instant(field: &FieldRef, operator: &str, at: DateTime<Utc>, binds: &mut Binds) -> String {
    let text = column(field);
    let operator = if operator == "=" { "==" } else { operator };
    // jsonpath reads years of four digits.
    let year = at.year().clamp(1, 9999);
    let at = at.with_year(year).unwrap_or(at);
    let at = binds.add(Bind::Text(at.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()));
    let completed = format!(
        "case when {text} ~ '^{DAY}$' then {text} || 'T00:00:00+00:00' \
         when {text} ~ '^{DAY}{TIME}Z?$' then rtrim({text}, 'Z') || '+00:00' \
         when {text} ~ '^{DAY}{TIME}[+-][0-9]{{2}}:[0-9]{{2}}$' then {text} end"
    );
    format!(
        "jsonb_path_exists_tz(to_jsonb({completed}), '$.datetime() ? (@ {operator} $at.datetime())', \
         jsonb_build_object('at', {at}), true)"
    )
}

/// The instant that a literal in a rule names: RFC 3339, or a day.
pub(super) fn read_instant(text: &str) -> Option<DateTime<Utc>> {
    let instant = DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.to_utc());
    instant.or_else(|| Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN).and_utc()))
}

/// Whether the value is a list with one of these texts in it.
pub(super) fn has_any(field: &FieldRef, texts: &[String], binds: &mut Binds) -> String {
    let value = document(field);
    let texts = binds.add(Bind::TextArray(texts.to_vec()));
    // `?|` looks at the keys of an object too.
    format!("case jsonb_typeof({value}) when 'array' then {value} ?| {texts} end")
}

/// Whether the value is unset or a list without elements.
pub(super) fn is_empty(field: &FieldRef, empty: bool) -> String {
    let verb = if empty { "in" } else { "not in" };
    format!("coalesce({}, 'null') {verb} (jsonb 'null', jsonb '[]')", document(field))
}
