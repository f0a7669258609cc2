//! Everything that talks SQL: connecting, migrations, and what the passes read and write.
//!
//! Works behind a pooler in transaction mode, so nothing here may rely on the state of a session: no named
//! statements, no session locks, no `SET` without `LOCAL`, no start-up options, no `LISTEN`. Never prints a password.

pub mod accounts;
pub mod approvals;
pub mod audit;
mod binds;
pub mod campaigns;
mod clock;
pub mod conditions;
pub mod contacts;
pub mod daemons;
pub mod diff;
pub mod drafts;
pub mod embedded;
pub mod engagement;
pub mod enrichment;
mod error;
pub mod events;
mod executor;
pub mod feedback;
pub mod figures;
pub mod history;
pub mod import;
pub mod kept;
mod leases;
pub mod mailboxes;
pub mod mails;
pub mod migrate;
pub mod notices;
pub mod pauses;
pub mod pushes;
pub mod rates;
pub mod remote;
pub mod replies;
pub mod segment;
pub mod spending;
pub mod sql;
pub mod status;
pub mod suppressions;
pub mod timeline;

use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Postgres, Transaction};

use embedded::{Embedded, EmbeddedOptions};

pub use binds::arguments;
pub use clock::DatabaseClock;
pub use error::{StoreError, causes, is_away};
pub use leases::{Lease, PLANNING_LEASE, acquire, campaign_lease, provider_lease, release, renew};

/// Connections of one process: the pass, the pusher, and a few readers.
const CONNECTIONS: u32 = 8;
/// Every cluster has it.
const PRIVATE_DATABASE: &str = "postgres";
const PATIENCE: Duration = Duration::from_secs(10);
/// A server that has just been started says so (57P03) until it has recovered.
const START_UP_PATIENCE: Duration = Duration::from_secs(15);
const START_UP_POLL: Duration = Duration::from_millis(100);

/// The database, as the rest of outreachd sees it.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    /// A pooler may stand between: every statement goes in a transaction.
    pooled: bool,
}

impl Store {
    /// Connects to a `postgres://` URL.
    pub async fn connect_url(url: &str) -> Result<Self, StoreError> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(StoreError::Url(sqlx::Error::Configuration("it names no PostgreSQL".into())));
        }
        let options = PgConnectOptions::from_str(url).map_err(StoreError::Url)?;
        Ok(Self { pooled: true, ..Self::connect(options).await? })
    }

    /// Connects to a server that no pooler stands before, and waits for one that is just starting up.
    pub async fn connect(options: PgConnectOptions) -> Result<Self, StoreError> {
        // PgBouncer refuses the start-up parameter `extra_float_digits`; since PostgreSQL 12 the default is exact.
        let options =
            options.application_name("outreachd").extra_float_digits(None).disable_statement_logging();
        // Tried outside the pool first: a pool retries a refused connection until its patience is over, and
        // then only says that it is over.
        try_once(&options)
            .await
            .map_err(|source| StoreError::Connect { target: target(&options), source })?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(options);
        Ok(Self { pool, pooled: false })
    }

    /// Starts the project's private server, or joins it, and connects. Close the store before the
    /// server is stopped or dropped.
    pub async fn start_private(root: &Path) -> Result<(Self, Embedded), StoreError> {
        let options = EmbeddedOptions::for_project(root)?;
        let start = tokio::task::spawn_blocking(move || Embedded::start(&options));
        let server = start.await.map_err(|_| StoreError::Interrupted)??;
        let store = Self::connect(server.connect_options(PRIVATE_DATABASE)).await?;
        Ok((store, server))
    }

    /// Takes over a pool that was made elsewhere and leads to the server itself.
    pub const fn from_pool(pool: PgPool) -> Self {
        Self { pool, pooled: false }
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        self.pool.begin().await
    }

    /// Begins a transaction whose statements look rows up by key. On a table that has just grown, and of which
    /// there are no statistics yet, the planner would rather read it all, once for each batch.
    pub(crate) async fn begin_by_key(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let mut transaction = self.begin().await?;
        sql::query("set local enable_seqscan = off").execute(&mut *transaction).await?;
        Ok(transaction)
    }

    /// Closes every connection, so that a private server can stop without cutting one off.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

async fn try_once(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let start = Instant::now();
    loop {
        let attempt = tokio::time::timeout(PATIENCE, options.connect()).await;
        match attempt.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into())) {
            Ok(connection) => return connection.close().await,
            Err(error) if is_starting_up(&error) && start.elapsed() < START_UP_PATIENCE => {
                tokio::time::sleep(START_UP_POLL).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Where we connect to, without credentials.
fn target(options: &PgConnectOptions) -> String {
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    format!("database {} at {place}", options.get_database().unwrap_or(options.get_username()))
}

fn is_starting_up(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(fault) if fault.code().as_deref() == Some("57P03"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_never_in_an_error() {
        // Port 9 (discard) is closed everywhere.
        for url in [
            "hunter2",
            "mysql://me:hunter2@h/d",
            "postgres://me:hunter2@h:port/d",
            "postgres://me:hunter2@127.0.0.1:9/d",
        ] {
            let error = Store::connect_url(url).await.unwrap_err();
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let chain = format!("{error} {source:?} {error:?}");
            assert!(!chain.contains("hunter2"), "{chain}");
            assert_eq!(error.is_away(), url.contains("127.0.0.1"), "{chain}");
        }
    }
}
