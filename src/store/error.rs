//! What can go wrong between us and the database.

use super::embedded::EmbeddedError;

/// What was tried, and why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database URL is not one: expected postgres://USER@HOST:PORT/NAME")]
    Url(#[source] sqlx::Error),

    #[error("could not connect to {target}")]
    Connect { target: String, source: sqlx::Error },

    #[error("could not {action}")]
    Query { action: &'static str, source: sqlx::Error },

    #[error("could not start the private PostgreSQL")]
    Embedded(#[from] EmbeddedError),

    #[error("the start of the private PostgreSQL was interrupted")]
    Interrupted,
}

impl StoreError {
    /// For `map_err`: `.map_err(StoreError::on("record the pushes"))`.
    pub fn on(action: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Query { action, source }
    }

    /// Whether the database was away or busy, so that the same may well succeed later (exit code 75).
    pub fn is_away(&self) -> bool {
        match self {
            Self::Connect { source, .. } | Self::Query { source, .. } => is_away(source),
            Self::Url(_) | Self::Embedded(_) | Self::Interrupted => false,
        }
    }
}

/// Whether this is the database being away or busy, and not a fault in what was asked of it.
pub fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        // Connection faults, resources, an operator's intervention (shutdown, start-up), and losing a
        // race: serialization failure, deadlock, lock timeout.
        sqlx::Error::Database(fault) => fault.code().is_some_and(|code| {
            code != "57014" && (["08", "53", "57"].iter().any(|class| code.starts_with(class)))
                || ["40001", "40P01", "55P03"].contains(&&*code)
        }),
        _ => false,
    }
}
