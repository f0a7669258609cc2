//! What goes wrong between us and the database.

use std::fmt;

/// A statement or a connection that failed: what was attempted, and the driver's word for it.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing}")]
pub struct StoreError {
    doing: Doing,
    #[source]
    source: sqlx::Error,
}

#[derive(Debug)]
enum Doing {
    Fixed(&'static str),
    About(String),
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed(text) => text,
            Self::About(text) => text,
        })
    }
}

impl StoreError {
    /// `doing` completes "could not ...".
    pub const fn new(doing: &'static str, source: sqlx::Error) -> Self {
        Self { doing: Doing::Fixed(doing), source }
    }

    /// As [`StoreError::new`], naming what it was about; never an address or a name.
    pub fn about(doing: String, source: sqlx::Error) -> Self {
        Self { doing: Doing::About(doing), source }
    }

    /// Whether the database is away or overloaded, so that the same call may go through later.
    pub fn is_away(&self) -> bool {
        match &self.source {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(error) => error.code().is_some_and(|code| {
                // Connection exceptions, insufficient resources, operator intervention (except a
                // cancelled query), and serialization failures.
                (code.starts_with("08") || code.starts_with("53") || code.starts_with("57P"))
                    || code == "40001"
                    || code == "40P01"
            }),
            _ => false,
        }
    }

    /// The message of a fault in the statement itself, such as an operator's `sql` clause.
    pub fn statement_fault(&self) -> Option<String> {
        match &self.source {
            sqlx::Error::Database(error) if !self.is_away() => Some(error.message().to_owned()),
            _ => None,
        }
    }
}
