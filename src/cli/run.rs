//! `outreachd run`: the daemon, or one round of it.

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::exit::Coded;
use super::session::{self, Database};
use super::{Exit, Format, Globals, apply, output, validate};
use crate::daemon::{Ask, Daemon, Ended};
use crate::manifest::Diagnostic;
use crate::model::Health;
use crate::store::DatabaseClock;
use crate::web::{Parts, Web};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// One round over all campaigns, for cron and CI: what the daemon would do now.
    #[arg(long)]
    once: bool,
    /// Answer /healthz and /readyz here, whatever outreach.yaml says.
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "once")]
    listen: Option<SocketAddr>,
    /// With --once.
    #[arg(long, value_enum, default_value_t, requires = "once")]
    format: Format,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let manifest = session::load(&globals.root)?;
    let database = Database::migrated(globals, Some(&manifest.project)).await?;
    let clock = DatabaseClock::read(&database.store).await?;
    let health = Health::starting();
    let holder = Uuid::new_v4();
    let daemon = Daemon {
        store: &database.store,
        clock: &clock,
        root: globals.root.clone(),
        holder,
        host: host(),
        health: health.clone(),
        roll: &|| f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX),
    };
    if arguments.once {
        let looked = daemon.once().await.map_err(|found| bad_files(&found))?;
        return apply::finish_round(looked, arguments.format);
    }
    let http = manifest.project.http.as_ref();
    let listener = match arguments.listen.or(http.map(|http| http.listen)) {
        Some(address) => {
            if !address.ip().is_loopback() && http.is_none_or(|http| http.tokens.is_empty()) {
                let message = format!(
                    "{address} is open to strangers, and outreach.yaml declares no token: add `http.tokens` (`outreachd token` makes one), or listen on 127.0.0.1"
                );
                return Err(Coded::error(Exit::Usage, message));
            }
            Some(listen(address, "listening").await?)
        }
        None => None,
    };
    let public = match http.and_then(|http| http.public.as_ref()) {
        Some(public) => Some(listen(public.listen, "listening for webhooks").await?),
        None => None,
    };
    let web = Web::new(Parts {
        store: database.store.clone(),
        clock: DatabaseClock::read(&database.store).await?,
        root: globals.root.clone(),
        holder,
        health: health.clone(),
        manifest,
    });
    let asked = Asked::new()?;
    let served = async {
        match listener {
            Some(listener) => web.serve(listener, public).await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        ended = daemon.run(async || asked.next().await) => ended.map_err(|found| bad_files(&found))?,
        fault = served => {
            fault.context("the listener failed")?;
            anyhow::bail!("the listener ended by itself");
        }
        () = database.look_after(&health) => anyhow::bail!("nobody looks after the private database any more"),
    };
    database.store.close().await;
    Ok(match ended {
        Ended::Softly => Exit::Done,
        Ended::Hard => Exit::Interrupted,
    })
}

async fn listen(address: SocketAddr, what: &str) -> anyhow::Result<TcpListener> {
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("could not listen on {address}"))?;
    tracing::info!(address = %listener.local_addr()?, "{what}");
    Ok(listener)
}

fn bad_files(found: &[Diagnostic]) -> anyhow::Error {
    validate::show(found);
    Coded::error(
        Exit::InvalidFiles,
        format!("{} in the declared files", output::count(found.len() as i64, "error")),
    )
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Signals as what they ask for.
struct Asked {
    stop: Mutex<[Signal; 2]>,
    reload: Mutex<Signal>,
}

impl Asked {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("could not listen for signals");
        Ok(Self {
            stop: Mutex::new([listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?]),
            reload: Mutex::new(listen(SignalKind::hangup())?),
        })
    }

    async fn next(&self) -> Ask {
        let stop = async {
            let [terminate, interrupt] = &mut *self.stop.lock().await;
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let reload = async {
            self.reload.lock().await.recv().await;
        };
        tokio::select! {
            () = stop => Ask::Stop,
            () = reload => Ask::Reload,
        }
    }
}
