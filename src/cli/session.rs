//! What most commands begin with: the checked files and a migrated database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use uuid::Uuid;

use super::exit::Coded;
use super::{Exit, Globals, output};
use crate::manifest::{self, Manifest};
use crate::model::{Campaign, Clock as _, Health, Project, Stop};
use crate::provider::resolve_secret;
use crate::reconcile::Context;
use crate::store::embedded::Embedded;
use crate::store::{DatabaseClock, Store, migrate, pauses};

const LOOK_AFTER_EVERY: Duration = Duration::from_secs(2);

/// A database, and the private server if it is ours.
pub(super) struct Database {
    pub store: Store,
    /// Kept so that the server stays until the command is through.
    embedded: Option<Embedded>,
}

/// How long the private server's stop waits for connections that are still in use.
const CLOSING: Duration = Duration::from_secs(2);

impl Drop for Database {
    /// A connection that comes back to a server that has stopped would be worth a warning.
    fn drop(&mut self) {
        if self.embedded.is_some() {
            tokio::task::block_in_place(|| {
                let closing = tokio::time::timeout(CLOSING, self.store.close());
                // Connections in use are cut off by the stop.
                let _ = tokio::runtime::Handle::current().block_on(closing);
            });
        }
    }
}

impl Database {
    /// Connects as the options, the environment and outreach.yaml say; a private database is migrated too.
    pub(super) async fn open(globals: &Globals, project: Option<&Project>) -> anyhow::Result<Self> {
        if let Some(url) = url(globals, project)? {
            return Ok(Self { store: Store::connect_url(&url).await?, embedded: None });
        }
        let (store, embedded) = Store::start_private(&globals.root).await?;
        if !migrate::is_current(&store).await? {
            migrate::run(&store).await?;
        }
        Ok(Self { store, embedded: Some(embedded) })
    }

    /// Looks after a private server for ever: one that has crashed is started again.
    pub(super) async fn look_after(&self, health: &Health) {
        let Some(embedded) = &self.embedded else { return std::future::pending().await };
        loop {
            tokio::time::sleep(LOOK_AFTER_EVERY).await;
            if health.wanting().is_none() {
                continue;
            }
            if let Err(error) = tokio::task::block_in_place(|| embedded.revive()) {
                tracing::warn!(%error, "the private PostgreSQL does not start again");
            }
        }
    }

    /// As [`Database::open`], and the tables are there.
    pub(super) async fn migrated(globals: &Globals, project: Option<&Project>) -> anyhow::Result<Self> {
        let database = Self::open(globals, project).await?;
        if !migrate::is_current(&database.store).await? {
            return Err(Coded::error(
                Exit::Failed,
                "the database is not at this version's schema: run `outreachd migrate` first",
            ));
        }
        Ok(database)
    }
}

fn url(globals: &Globals, project: Option<&Project>) -> anyhow::Result<Option<String>> {
    if let Some(url) = globals.database_url.as_ref().filter(|url| !url.is_empty()) {
        return Ok(Some(url.clone()));
    }
    let Some(secret) = project.and_then(|project| project.database.url.as_ref()) else {
        return Ok(None);
    };
    let value = resolve_secret::reference(secret, &globals.root)
        .with_context(|| format!("could not find the database URL ({secret} in outreach.yaml)"))?;
    Ok(Some(secrecy::ExposeSecret::expose_secret(&value).to_owned()))
}

/// Files and database together.
pub(super) struct Session {
    pub manifest: Manifest,
    pub database: Database,
    pub clock: DatabaseClock,
    /// Numbers of the campaigns that a person has paused beside the files.
    pub paused: Vec<i32>,
    root: PathBuf,
    holder: Uuid,
}

impl Session {
    pub(super) async fn open(globals: &Globals) -> anyhow::Result<Self> {
        let manifest = load(&globals.root)?;
        let database = Database::migrated(globals, Some(&manifest.project)).await?;
        let clock = DatabaseClock::read(&database.store).await?;
        let pauses = pauses::holding(&database.store, clock.now()).await?;
        let paused: Vec<i32> = pauses.iter().map(|pause| pause.campaign_number).collect();
        Ok(Self {
            manifest: manifest.with_paused(&paused),
            paused,
            database,
            clock,
            root: globals.root.clone(),
            holder: Uuid::new_v4(),
        })
    }

    pub(super) fn context(&self) -> Context<'_> {
        Context {
            store: &self.database.store,
            manifest: &self.manifest,
            clock: &self.clock,
            root: self.root.as_path(),
            holder: self.holder,
            revision: None,
            stop: Stop::never(),
        }
    }

    /// The campaigns of these names or numbers, in order of rank; all of them when none is named.
    pub(super) fn campaigns(&self, names: &[String]) -> anyhow::Result<Vec<&Campaign>> {
        let ranked = crate::reconcile::in_rank(&self.manifest.campaigns);
        if names.is_empty() {
            return Ok(ranked);
        }
        for name in names {
            self.campaign(name)?;
        }
        Ok(ranked.into_iter().filter(|campaign| names.iter().any(|name| is_named(campaign, name))).collect())
    }

    /// The campaign of that name or number.
    pub(super) fn campaign(&self, name: &str) -> anyhow::Result<&Campaign> {
        self.manifest.campaigns.iter().find(|campaign| is_named(campaign, name)).ok_or_else(|| {
            let known: Vec<&str> =
                self.manifest.campaigns.iter().map(|campaign| campaign.name.as_str()).collect();
            Coded::error(Exit::Usage, format!("no campaign is named {name}; there are: {}", known.join(", ")))
        })
    }
}

/// Who does by hand what is done: the name that the system knows them by.
pub(super) fn actor() -> String {
    std::env::var("USER").unwrap_or_else(|_| "cli".to_owned())
}

fn is_named(campaign: &Campaign, name: &str) -> bool {
    campaign.name == name || campaign.number.to_string() == name
}

/// The checked files, or an error after every diagnostic has been shown.
pub(super) fn load(root: &Path) -> anyhow::Result<Manifest> {
    let loaded = manifest::load(root);
    check_place(root)?;
    match loaded.manifest {
        Some(manifest) => Ok(manifest),
        None => {
            super::validate::show(&loaded.diagnostics);
            let errors = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
            Err(invalid(root, errors))
        }
    }
}

/// How many errors there are, and what may be behind them.
pub(super) fn invalid(root: &Path, errors: usize) -> anyhow::Error {
    let missing = if root.join(manifest::PROJECT_FILE).exists() {
        String::new()
    } else {
        format!("; there is no {}, which declares the providers", manifest::PROJECT_FILE)
    };
    let message = format!("{} in the declared files{missing}", output::count(errors as i64, "error"));
    Coded::error(Exit::InvalidFiles, message)
}

/// Nothing is declared in a wrong folder, and a database must not be made in one.
pub(super) fn check_place(root: &Path) -> anyhow::Result<()> {
    let names = [manifest::PROJECT_FILE, manifest::SEGMENTS, manifest::CAMPAIGNS];
    if !root.is_dir() || names.iter().any(|name| root.join(name).exists()) {
        return Ok(());
    }
    let message = format!(
        "{} is no project folder: there is no {}, no {}/ and no {}/; name the folder with -C",
        root.display(),
        names[0],
        names[1],
        names[2]
    );
    Err(Coded::error(Exit::InvalidFiles, message))
}
