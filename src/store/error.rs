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

impl StoreError {
    /// The server's word about a fault in the statement itself, such as in an operator's `sql` clause.
    pub fn statement_fault(&self) -> Option<String> {
        match self {
            Self::Query { source: sqlx::Error::Database(fault), .. } if !self.is_away() => {
                Some(fault.message().to_owned())
            }
            _ => None,
        }
    }
}

/// An error and its causes, each once: many repeat the next one in their own words.
pub fn causes(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let database = match cause.downcast_ref() {
            // Its own words end with a line of the server's source.
            Some(sqlx::Error::Database(fault)) => Some(format!("the database says: {}", fault.message())),
            _ => None,
        };
        next = cause.source().filter(|_| database.is_none());
        let text = database.unwrap_or_else(|| cause.to_string());
        if !said.last().is_some_and(|last| last.contains(&text)) {
            said.push(text);
        }
    }
    said
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
