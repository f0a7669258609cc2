//! Bound values on their way to PostgreSQL.

use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, Error};

use super::StoreError;
use crate::audience::{Bind, Binds};

/// The values of a compiled statement, in the order of their placeholders.
pub fn arguments(binds: &Binds) -> Result<PgArguments, StoreError> {
    let mut arguments = PgArguments::default();
    for value in binds.values() {
        match value.clone() {
            Bind::Text(value) => arguments.add(value),
            Bind::Bool(value) => arguments.add(value),
            Bind::Int(value) => arguments.add(value),
            Bind::Decimal(value) => arguments.add(value),
            Bind::Date(value) => arguments.add(value),
            Bind::Timestamp(value) => arguments.add(value),
            Bind::Uuid(value) => arguments.add(value),
            Bind::TextArray(value) => arguments.add(value),
            Bind::IntArray(value) => arguments.add(value),
            Bind::DecimalArray(value) => arguments.add(value),
            Bind::UuidArray(value) => arguments.add(value),
            Bind::DateArray(value) => arguments.add(value),
            Bind::TimestampArray(value) => arguments.add(value),
            Bind::Json(value) => arguments.add(value),
        }
        .map_err(|source| StoreError::Query { action: "bind a value", source: Error::Encode(source) })?;
    }
    Ok(arguments)
}
