//! The audience's values as arguments of a statement.
//!
//! Never changes a value: placeholders and types were fixed when the text was written.

use sqlx::Arguments;
use sqlx::postgres::PgArguments;

use crate::audience::{Bind, Binds};

/// Arguments in the order of their placeholders.
pub fn arguments(binds: &Binds) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for value in binds.values() {
        match value {
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
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}
