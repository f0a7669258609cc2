//! Statements without a name: a pooler in transaction mode hands each transaction another server connection,
//! where a named statement of ours is missing or, worse, is somebody else's.
//!
//! The ordinary `sqlx::query` functions name their statements and are banned by clippy.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::{Decode, FromRow, Postgres, SqlSafeStr, Type};

/// As `sqlx::query`.
#[expect(clippy::disallowed_methods, reason = "here the name is taken away")]
pub fn query<'a>(text: impl SqlSafeStr) -> Query<'a, Postgres, PgArguments> {
    sqlx::query(text).persistent(false)
}

/// As `sqlx::query_with`.
#[expect(clippy::disallowed_methods, reason = "here the name is taken away")]
pub fn query_with<'a>(text: impl SqlSafeStr, arguments: PgArguments) -> Query<'a, Postgres, PgArguments> {
    sqlx::query_with(text, arguments).persistent(false)
}

/// As `sqlx::query_as`.
#[expect(clippy::disallowed_methods, reason = "here the name is taken away")]
pub fn query_as<'a, O>(text: impl SqlSafeStr) -> QueryAs<'a, Postgres, O, PgArguments>
where
    O: for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_as(text).persistent(false)
}

/// As `sqlx::query_as_with`.
#[expect(clippy::disallowed_methods, reason = "here the name is taken away")]
pub fn query_as_with<'a, O>(
    text: impl SqlSafeStr,
    arguments: PgArguments,
) -> QueryAs<'a, Postgres, O, PgArguments>
where
    O: for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_as_with(text, arguments).persistent(false)
}

/// As `sqlx::query_scalar`.
#[expect(clippy::disallowed_methods, reason = "here the name is taken away")]
pub fn query_scalar<'a, O>(text: impl SqlSafeStr) -> QueryScalar<'a, Postgres, O, PgArguments>
where
    O: Type<Postgres> + for<'r> Decode<'r, Postgres>,
    (O,): for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_scalar(text).persistent(false)
}

/// As `sqlx::query_scalar_with`.
#[expect(clippy::disallowed_methods, reason = "here the name is taken away")]
pub fn query_scalar_with<'a, O>(
    text: impl SqlSafeStr,
    arguments: PgArguments,
) -> QueryScalar<'a, Postgres, O, PgArguments>
where
    O: Type<Postgres> + for<'r> Decode<'r, Postgres>,
    (O,): for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_scalar_with(text, arguments).persistent(false)
}
