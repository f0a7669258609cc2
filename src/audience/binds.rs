//! The values of one statement, in the order of their placeholders.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

/// One bound value; each has one PostgreSQL type.
#[derive(Debug, Clone, PartialEq)]
pub enum Bind {
    Text(String),
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Date(NaiveDate),
    Timestamp(DateTime<Utc>),
    Uuid(Uuid),
    TextArray(Vec<String>),
    IntArray(Vec<i64>),
    DecimalArray(Vec<Decimal>),
    UuidArray(Vec<Uuid>),
    DateArray(Vec<NaiveDate>),
    TimestampArray(Vec<DateTime<Utc>>),
    Json(serde_json::Value),
}

impl Bind {
    const fn cast(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Bool(_) => "boolean",
            Self::Int(_) => "bigint",
            Self::Decimal(_) => "numeric",
            Self::Date(_) => "date",
            Self::Timestamp(_) => "timestamptz",
            Self::Uuid(_) => "uuid",
            Self::TextArray(_) => "text[]",
            Self::IntArray(_) => "bigint[]",
            Self::DecimalArray(_) => "numeric[]",
            Self::UuidArray(_) => "uuid[]",
            Self::DateArray(_) => "date[]",
            Self::TimestampArray(_) => "timestamptz[]",
            Self::Json(_) => "jsonb",
        }
    }
}

/// Collects values while text is written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Binds {
    values: Vec<Bind>,
}

impl Binds {
    /// Adds a value and returns its placeholder, cast to its type: `$3::numeric`.
    pub fn add(&mut self, value: Bind) -> String {
        let cast = value.cast();
        let position = self.values.iter().position(|known| *known == value).unwrap_or_else(|| {
            self.values.push(value);
            self.values.len() - 1
        });
        format!("${}::{cast}", position + 1)
    }

    pub fn values(&self) -> &[Bind] {
        &self.values
    }
}
