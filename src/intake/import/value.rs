//! One cell to one typed value in PostgreSQL's text form.
//!
//! Never guesses: what can be read in two ways is refused with the reason and a way out.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde_json::Value;
use uuid::Uuid;

use super::number::{decimal, integer, shown};
use crate::model::{Field, Kind, is_address, normalize_address};

/// What a column takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    /// Text that goes on for sentences, where a leading dash is a dash.
    Prose,
    OneOf(&'static [&'static str]),
    /// An identifier of digits only; leading zeros count.
    Digits {
        min: usize,
        max: usize,
    },
    Address,
    Addresses,
    List,
    Bool,
    Int,
    Decimal,
    Date,
    Timestamp,
    Json,
    Uuid,
}

/// A Russian tin has 10 or 12 digits; only what is wildly off is refused.
pub(super) const TIN: Shape = Shape::Digits { min: 8, max: 15 };
/// A Russian registration number has 13 or 15 digits.
pub(super) const REGISTRATION_NUMBER: Shape = Shape::Digits { min: 6, max: 20 };

impl Shape {
    pub(super) fn of(field: &'static Field) -> Self {
        match field.kind {
            Kind::Text => match field.column {
                "tin" => TIN,
                "registration_number" => REGISTRATION_NUMBER,
                "work_email" | "generic_email" | "primary_email" => Self::Address,
                "company_description" | "company_research" => Self::Prose,
                _ if field.allowed.is_empty() => Self::Text,
                _ => Self::OneOf(field.allowed),
            },
            Kind::TextArray if field.column == "all_company_emails" => Self::Addresses,
            Kind::TextArray => Self::List,
            Kind::Bool => Self::Bool,
            Kind::Int => Self::Int,
            Kind::Decimal => Self::Decimal,
            Kind::Date => Self::Date,
            Kind::Timestamp => Self::Timestamp,
            Kind::Json => Self::Json,
            Kind::Uuid => Self::Uuid,
        }
    }

    /// The value of a trimmed, non-empty cell.
    pub(super) fn read(self, text: &str) -> Result<String, String> {
        if text.contains('\0') {
            return Err("holds a zero byte, which the database cannot store".to_owned());
        }
        match self {
            Self::Text | Self::Prose => plain(text, self == Self::Prose),
            Self::OneOf(allowed) if allowed.contains(&text) => Ok(text.to_owned()),
            Self::OneOf(allowed) => Err(format!("`{}` is none of {}", shown(text), allowed.join(", "))),
            Self::Digits { min, max } => digits(text, min, max),
            Self::Address => address(text),
            Self::Addresses | Self::List => match self.list(split(text)?) {
                Ok(list) if list == "{}" => Err("is a list with nothing in it".to_owned()),
                other => other,
            },
            Self::Bool => boolean(text),
            Self::Int => integer(text),
            Self::Decimal => decimal(text),
            Self::Date => date(text).map(|date| date.to_string()),
            Self::Timestamp => timestamp(text),
            Self::Json => match serde_json::from_str(text) {
                Ok(value) => object(&value).and_then(|()| storable_json(text)),
                Err(error) => Err(format!("is not valid JSON ({error})")),
            },
            Self::Uuid => Uuid::parse_str(text)
                .map(|id| id.to_string())
                .map_err(|_| format!("`{}` is not a UUID", shown(text))),
        }
    }

    /// The value of a JSON value; `None` when it says nothing, as an empty cell does.
    pub(super) fn read_json(self, value: &Value) -> Result<Option<String>, String> {
        let read = |text: &str| match text.trim() {
            "" => Ok(None),
            text => self.read(text).map(Some),
        };
        match (self, value) {
            (Self::Json, Value::Object(_)) => storable_json(&value.to_string()).map(Some),
            (_, Value::String(text)) => read(text),
            (Self::Bool, Value::Bool(value)) => Ok(Some(value.to_string())),
            (Self::Int | Self::Decimal | Self::Digits { .. }, Value::Number(number)) => {
                read(&number.to_string())
            }
            (Self::Addresses | Self::List, Value::Array(items)) => {
                let texts = items.iter().map(|item| item.as_str().map(ToOwned::to_owned));
                let texts: Option<Vec<String>> = texts.collect();
                let texts = texts.ok_or("is a list with something else than text in it")?;
                if texts.iter().any(|text| text.contains('\0')) {
                    return Err("holds a zero byte, which the database cannot store".to_owned());
                }
                self.list(texts).map(Some)
            }
            _ => Err(format!("{} is not {}", shown(&value.to_string()), self.expected())),
        }
    }

    fn list(self, items: Vec<String>) -> Result<String, String> {
        let mut seen: Vec<String> = Vec::new();
        for item in items {
            let item = item.trim();
            if item.is_empty() {
                continue;
            }
            let item = if self == Self::Addresses { address(item)? } else { plain_item(item)? };
            if !seen.contains(&item) {
                seen.push(item);
            }
        }
        Ok(array_literal(&seen))
    }

    const fn expected(self) -> &'static str {
        match self {
            Self::Text | Self::Prose | Self::OneOf(_) => "text",
            Self::Digits { .. } => "digits",
            Self::Address => "a mail address",
            Self::Addresses | Self::List => "a list of text",
            Self::Bool => "true or false",
            Self::Int => "a whole number",
            Self::Decimal => "a number",
            Self::Date => "a date",
            Self::Timestamp => "a time",
            Self::Json => "a JSON object",
            Self::Uuid => "a UUID",
        }
    }
}

fn plain(text: &str, prose: bool) -> Result<String, String> {
    if is_formula(text, prose) {
        return Err(format!("`{}` is a spreadsheet formula", shown(text)));
    }
    Ok(text.to_owned())
}

/// Phones start with `+`.
fn plain_item(text: &str) -> Result<String, String> {
    if text.starts_with('=') {
        Err(format!("`{}` is a spreadsheet formula", shown(text)))
    } else {
        Ok(text.to_owned())
    }
}

/// What a spreadsheet would run. A dash or an `@` alone is common in names and texts; one that calls something is not.
fn is_formula(text: &str, prose: bool) -> bool {
    let mut chars = text.chars();
    match chars.next() {
        Some('=') => true,
        Some('+' | '-' | '@') if !prose => {
            chars.next().is_some_and(char::is_alphanumeric) && text.contains(['(', '|', '!'])
        }
        _ => false,
    }
}

fn digits(text: &str, min: usize, max: usize) -> Result<String, String> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("`{}` must have digits only", shown(text)));
    }
    if !(min..=max).contains(&text.len()) {
        return Err(format!("`{}` has {} digits; expected {min} to {max}", shown(text), text.len()));
    }
    Ok(text.to_owned())
}

fn address(text: &str) -> Result<String, String> {
    let address = normalize_address(text);
    if is_address(&address) { Ok(address) } else { Err(format!("`{}` is not a mail address", shown(text))) }
}

/// `a;b`, or a JSON list as other tools export it.
fn split(text: &str) -> Result<Vec<String>, String> {
    if text.starts_with('[') {
        return serde_json::from_str(text).map_err(|_| "is not a list of text; write `a;b`".to_owned());
    }
    Ok(text.split(';').map(ToOwned::to_owned).collect())
}

fn array_literal(items: &[String]) -> String {
    let quoted: Vec<String> =
        items.iter().map(|item| format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("{{{}}}", quoted.join(","))
}

fn boolean(text: &str) -> Result<String, String> {
    match text.to_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" | "да" | "истина" => Ok("true".to_owned()),
        "false" | "f" | "no" | "n" | "0" | "нет" | "ложь" => Ok("false".to_owned()),
        _ => Err(format!("`{}` is neither yes nor no (true, false, да, нет, 1, 0)", shown(text))),
    }
}

/// `2019-12-31` or `31.12.2019`, with nothing or midnight after it.
fn date(text: &str) -> Result<NaiveDate, String> {
    let day = text
        .strip_suffix("T00:00:00")
        .or_else(|| text.strip_suffix("T00:00:00Z"))
        .or_else(|| text.strip_suffix(" 00:00:00"))
        .unwrap_or(text);
    let parts = |separator| {
        let parts: Vec<&str> = day.split(separator).collect();
        <[&str; 3]>::try_from(parts).ok().filter(|parts| {
            parts.iter().all(|part| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
        })
    };
    let (year, month, day) = match (parts('-'), parts('.')) {
        (Some([year, month, day]), None) if year.len() == 4 => (year, month, day),
        (None, Some([day, month, year])) if year.len() == 4 => (year, month, day),
        _ if day.contains('/') => {
            return Err(format!(
                "`{}` may be day or month first: write 2019-12-31 or 31.12.2019",
                shown(text)
            ));
        }
        _ => return Err(format!("`{}` is not a date such as 2019-12-31 or 31.12.2019", shown(text))),
    };
    let read = || NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    read().filter(|_| year != "0000").ok_or_else(|| format!("`{}` is a day that does not exist", shown(text)))
}

/// A day (its start in UTC), or an instant with its offset.
fn timestamp(text: &str) -> Result<String, String> {
    if let Ok(day) = date(text) {
        return Ok(format!("{day}T00:00:00Z"));
    }
    // PostgreSQL prints `2026-01-02 10:00:00+00`.
    let instant = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"))
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z"));
    if let Ok(instant) = instant {
        let utc = instant.to_utc();
        let sane = (1..=9999).contains(&chrono::Datelike::year(&utc));
        return if sane { Ok(utc.to_rfc3339()) } else { Err(format!("`{}` is too far away", shown(text))) };
    }
    let local =
        ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%Y-%m-%d %H:%M"];
    if local.iter().any(|format| NaiveDateTime::parse_from_str(text, format).is_ok()) {
        return Err(format!("`{}` has no time zone: write 2019-12-31T10:00:00+03:00", shown(text)));
    }
    Err(format!("`{}` is not a time such as 2019-12-31T10:00:00+03:00", shown(text)))
}

fn object(value: &Value) -> Result<(), String> {
    if value.is_object() { Ok(()) } else { Err("is not a JSON object ({...})".to_owned()) }
}

/// `jsonb` cannot hold a zero character, nor numbers past its range.
fn storable_json(text: &str) -> Result<String, String> {
    if text.contains("\\u0000") {
        return Err("holds a zero byte, which the database cannot store".to_owned());
    }
    let mut tail = text;
    while let Some(place) = tail.find(['e', 'E']) {
        tail = &tail[place + 1..];
        let exponent = tail.trim_start_matches(['+', '-']);
        let after_digit = text[..text.len() - tail.len() - 1].ends_with(|c: char| c.is_ascii_digit());
        if after_digit && exponent.bytes().take_while(u8::is_ascii_digit).count() > 3 {
            return Err("holds a number that is too small or too large to store".to_owned());
        }
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shape: Shape, good: &[(&str, &str)], bad: &[(&str, &str)]) {
        for (text, value) in good {
            assert_eq!(shape.read(text).as_deref(), Ok(*value), "{text}");
        }
        for (text, reason) in bad {
            let refused = shape.read(text).unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }

    #[test]
    fn dates_are_never_guessed() {
        check(
            Shape::Date,
            &[
                ("2019-12-31", "2019-12-31"),
                ("31.12.2019", "2019-12-31"),
                ("1.2.2019", "2019-02-01"),
                ("2019-12-31T00:00:00", "2019-12-31"),
            ],
            &[
                ("01/02/2019", "day or month first"),
                ("31.02.2019", "does not exist"),
                ("31.12.19", "not a date"),
                ("43830", "not a date"),
                ("2019-12-31T10:00:00", "not a date"),
                ("0000-01-01", "does not exist"),
                ("2019.12.31", "not a date"),
            ],
        );
    }

    #[test]
    fn instants_need_their_offset() {
        check(
            Shape::Timestamp,
            &[
                ("2026-01-02", "2026-01-02T00:00:00Z"),
                ("2026-01-02 10:00:00+00", "2026-01-02T10:00:00+00:00"),
                ("2026-01-02T10:00:00+03:00", "2026-01-02T07:00:00+00:00"),
            ],
            &[
                ("2026-01-02 10:00:00", "no time zone"),
                ("31.12.2019 14:30", "no time zone"),
                ("soon", "not a time"),
            ],
        );
    }

    #[test]
    fn flags_lists_addresses_and_ids() {
        check(Shape::Bool, &[("да", "true"), ("Нет", "false"), ("1", "true")], &[("maybe", "neither")]);
        check(
            Shape::Addresses,
            &[("A@b.co; c@d.ee;a@b.co;", r#"{"a@b.co","c@d.ee"}"#), (r#"["x@y.zz"]"#, r#"{"x@y.zz"}"#)],
            &[("a@b.co, c@d.ee", "not a mail address")],
        );
        check(Shape::List, &[("+7495;a\"b\\c", r#"{"+7495","a\"b\\c"}"#)], &[("=1+1", "formula")]);
        check(
            Shape::Address,
            &[("EVG@C01.EXAMPLE", "evg@c01.example")],
            &[("not-an-email", "not a mail address")],
        );
        check(
            TIN,
            &[("0598685660", "0598685660")],
            &[
                ("12-34567890", "digits only"),
                ("8.15E+09", "digits only"),
                ("12", "2 digits"),
                ("٣٣٣٣٣٣٣٣٣٣", "digits"),
            ],
        );
    }

    #[test]
    fn formulas_are_refused_and_names_are_not() {
        check(
            Shape::Text,
            &[("-", "-"), ("- нет", "- нет"), ("@handle", "@handle"), ("ООО «Икс»", "ООО «Икс»")],
            &[
                ("=HYPERLINK(\"http://x.example\",\"x\")", "formula"),
                ("+cmd|' /C calc'!A0", "formula"),
                ("@SUM(1)", "formula"),
                ("a\0b", "zero byte"),
            ],
        );
        check(Shape::Prose, &[("-20% (весной)", "-20% (весной)")], &[("=1", "formula")]);
    }

    #[test]
    fn json_must_be_an_object_that_can_be_stored() {
        check(
            Shape::Json,
            &[(r#"{"persona": "buyer"}"#, r#"{"persona": "buyer"}"#), (r#"{"e": 1e30}"#, r#"{"e": 1e30}"#)],
            &[
                ("{broken json", "not valid JSON"),
                ("[1]", "not a JSON object"),
                ("{\"a\":\"\\u0000\"}", "zero byte"),
                ("{\"a\":1e-99999}", "too small"),
                ("{\"a\":\"\\ud800\"}", "not valid JSON"),
            ],
        );
    }

    #[test]
    fn json_lines_values_keep_their_type() {
        use serde_json::json;
        assert_eq!(TIN.read_json(&json!(8_150_875_920_u64)), Ok(Some("8150875920".into())));
        assert_eq!(Shape::List.read_json(&json!(["a;b", " c "])), Ok(Some(r#"{"a;b","c"}"#.into())));
        assert_eq!(Shape::Text.read_json(&json!("  ")), Ok(None));
        assert!(Shape::Text.read_json(&json!(5)).is_err());
        assert!(Shape::List.read_json(&json!([1])).is_err());
        assert!(Shape::Bool.read_json(&json!({})).is_err());
    }
}
