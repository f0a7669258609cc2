//! The daemon: one loop that looks again because files changed, time passed, or somebody said so.
//!
//! Holds nothing that must survive: everything is in PostgreSQL, so a process may be killed anywhere. Never
//! decides what is done to whom; passes do.

mod board;
mod feeds;
mod files;
mod look;
mod notify;
mod paid;
mod service;
mod wake;
mod watch;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};
use uuid::Uuid;

use board::Board;
use feeds::Feeds;
use files::{Declared, Files};
pub use look::Looked;
use look::World;
use wake::{Reason, Wake};
use watch::Watch;

use crate::manifest::Diagnostic;
use crate::model::{Clock as _, Health, Project, Stop};
use crate::reconcile::{ReconcileError, in_rank};
use crate::store::daemons::{self, Daemon as Sign};
use crate::store::{DatabaseClock, Store, StoreError, history};

/// Events of one deed, such as `git pull`, come within this of each other.
const QUIET: Duration = Duration::from_millis(100);
/// A deed without end is looked at after this.
const LONGEST_DEED: Duration = Duration::from_millis(500);
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
const TIDY_EVERY: Duration = Duration::from_hours(6);
/// Passes that found nothing to do are worth a month.
const IDLE_PASSES_KEPT: TimeDelta = TimeDelta::days(30);

/// What a person or the system asks of the running process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Read the files again and look at everything.
    Reload,
    /// Finish and record what is in flight, begin nothing.
    Stop,
}

/// How the process came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Softly,
    /// At the deadline, or asked twice: what was in flight is in doubt, and settled by the next pass.
    Hard,
}

/// Everything the loop is made with.
pub struct Daemon<'a> {
    pub store: &'a Store,
    pub clock: &'a DatabaseClock,
    pub root: PathBuf,
    pub holder: Uuid,
    pub host: String,
    pub health: Health,
    /// From 0 to 1, whenever something is to be spread.
    pub roll: &'a dyn Fn() -> f64,
}

enum Done {
    Looked(Box<Looked>),
    Reported(Result<(), StoreError>),
    /// People, of conditions.
    Told,
    /// With how long until it is asked about again.
    Paid(Duration),
}

impl Daemon<'_> {
    /// One round over all campaigns, in order of rank: what a daemon would do now.
    pub async fn once(&self) -> Result<Vec<Looked>, Vec<Diagnostic>> {
        let files = Files::open(&self.root).await?;
        let world = self.world(Stop::default());
        let mut all = Vec::new();
        for number in ranked(&files.declared) {
            all.push(look::look(&world, &files.declared, number, "once", true).await);
        }
        Ok(all)
    }

    /// Runs until it is asked to stop. `asked` yields what is asked of it, for ever.
    pub async fn run(&self, asked: impl AsyncFn() -> Ask) -> Result<Ended, Vec<Diagnostic>> {
        let mut files = Files::open(&self.root).await?;
        let started = files.declared.manifest.project.clone();
        let started_at = self.clock.now();
        let mut watch = Watch::start(&self.root);
        let stop = Stop::default();
        let world = self.world(stop.clone());
        let wake = Wake::default();
        let mut board = Board::default();
        board.declare(ranked(&files.declared));
        wake.ring(Reason::Start);
        let mut running: FuturesUnordered<LocalBoxFuture<'_, Done>> = FuturesUnordered::new();
        let mut feeds = Feeds::new(&world, &wake);
        let mut looks: BTreeMap<i32, (Declared, Stop)> = BTreeMap::new();
        let mut telling = false;
        let mut sign_at = Instant::now();
        let mut paid_at = Some(Instant::now());
        let mut tidy_at = Instant::now();
        let mut poll_at = Instant::now() + files.declared.manifest.project.daemon.poll_files_every;
        info!(campaigns = files.declared.manifest.campaigns.len(), holder = %self.holder, "running");

        let ended = loop {
            self.health.beat();
            service::alive();
            feeds.declare(&files.declared);
            let settings = files.declared.manifest.project.daemon.clone();
            let at_once = settings.campaigns_at_once as usize;
            while looks.len() < at_once {
                let Some((number, trigger)) = board.start(Instant::now()) else { break };
                let (declared, part) = (files.declared.clone(), stop.part());
                looks.insert(number, (declared.clone(), part.clone()));
                let world = self.world(part);
                running.push(Box::pin(async move {
                    Done::Looked(Box::new(look::look(&world, &declared, number, &trigger, false).await))
                }));
            }
            if paid_at.is_some_and(|at| at <= Instant::now()) {
                paid_at = None;
                let (world, declared) = (&world, files.declared.clone());
                running.push(Box::pin(async move { Done::Paid(paid::when_due(world, &declared).await) }));
            }
            let wait =
                [Some(sign_at), paid_at, Some(poll_at), board.next_at().filter(|_| looks.len() < at_once)];
            let timer = wait.into_iter().flatten().min().unwrap_or(poll_at);
            tokio::select! {
                ask = asked() => match ask {
                    Ask::Stop => break self.drain(&mut feeds, &stop, running, &asked, settings.stop_within).await,
                    Ask::Reload => {
                        files.reload().await;
                        supersede(&looks, &files.declared);
                        board.declare(ranked(&files.declared));
                        wake.ring(Reason::Signal);
                    }
                },
                reasons = wake.taken() => board.want(&reasons),
                () = feeds.go_on() => {}
                Some(done) = running.next(), if !running.is_empty() => match done {
                    Done::Looked(looked) => {
                        looks.remove(&looked.number);
                        board.done(looked.number, looked.next, (self.roll)(), Instant::now());
                    }
                    Done::Reported(result) => {
                        if result.is_ok() && !telling {
                            telling = true;
                            let (world, manifest) = (&world, files.declared.manifest.clone());
                            running.push(Box::pin(async move {
                                notify::tell(world, &manifest).await;
                                Done::Told
                            }));
                        }
                        self.note(result);
                    }
                    Done::Told => telling = false,
                    Done::Paid(wait) => paid_at = Some(Instant::now() + wait),
                },
                () = watch.event() => {
                    settle(&watch).await;
                    if files.have_changed() {
                        poll_at = Instant::now();
                    }
                }
                () = sleep_until(timer) => {}
            }
            if poll_at <= Instant::now() {
                poll_at = Instant::now() + settings.poll_files_every;
                if files.have_changed() {
                    watch.renew();
                    if files.reload().await {
                        paid_at = paid_at.map(|_| Instant::now());
                        supersede(&looks, &files.declared);
                        board.declare(ranked(&files.declared));
                        wake.ring(Reason::Files);
                    }
                    sign_at = Instant::now();
                }
            }
            if sign_at <= Instant::now() {
                sign_at = Instant::now() + SIGN_OF_LIFE;
                let tidies = tidy_at <= Instant::now();
                if tidies {
                    tidy_at = Instant::now() + TIDY_EVERY;
                }
                let sign = self.sign(&files.declared, &started, started_at);
                running.push(Box::pin(async move {
                    Done::Reported(report(self.store, self.clock, sign, tidies).await)
                }));
            }
        };
        if let Err(error) = daemons::leave(self.store, self.holder).await {
            warn!(error = ReconcileError::from(error).chain(), "not taken off the list of daemons");
        }
        Ok(ended)
    }

    fn world(&self, stop: Stop) -> World<'_> {
        World { store: self.store, clock: self.clock, root: &self.root, holder: self.holder, stop }
    }

    /// Lets what runs finish its batch, until the deadline or until somebody asks again.
    async fn drain(
        &self,
        feeds: &mut Feeds<'_>,
        stop: &Stop,
        mut running: FuturesUnordered<LocalBoxFuture<'_, Done>>,
        asked: &impl AsyncFn() -> Ask,
        within: Duration,
    ) -> Ended {
        stop.ask();
        self.health.set(Some("stopping".to_owned()));
        info!(in_flight = running.len(), "stopping");
        service::stopping();
        feeds.end().await;
        let deadline = Instant::now() + within;
        let mut impatient: Pin<Box<dyn Future<Output = ()>>> =
            Box::pin(async { while asked().await != Ask::Stop {} });
        while !running.is_empty() {
            tokio::select! {
                _ = running.next() => {}
                () = sleep_until(deadline) => {
                    warn!(in_flight = running.len(), "the deadline has come: given up");
                    return Ended::Hard;
                }
                () = &mut impatient => {
                    warn!(in_flight = running.len(), "asked again: given up");
                    return Ended::Hard;
                }
            }
        }
        Ended::Softly
    }

    /// Ready as long as the database answers.
    fn note(&self, result: Result<(), StoreError>) {
        match result {
            Ok(()) => {
                self.health.set(None);
                service::ready();
            }
            Err(error) => {
                self.health.set(Some("the database does not answer".to_owned()));
                warn!(error = ReconcileError::from(error).chain(), "no sign of life given");
            }
        }
    }

    fn sign(&self, declared: &Declared, started: &Project, started_at: DateTime<Utc>) -> Sign {
        let project = &declared.manifest.project;
        let mut restart_for = Vec::new();
        if project.database.url != started.database.url {
            restart_for.push("database.url".to_owned());
        }
        let places = |project: &Project| {
            project.http.as_ref().map(|http| (http.listen, http.public.as_ref().map(|public| public.listen)))
        };
        if places(project) != places(started) {
            restart_for.push("http.listen".to_owned());
        }
        if !restart_for.is_empty() {
            warn!(settings = restart_for.join(", "), "only a restart applies these");
        }
        let problems: Vec<String> = declared.diagnostics.iter().map(ToString::to_string).collect();
        Sign {
            id: self.holder,
            host: self.host.clone(),
            pid: std::process::id() as i32,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at,
            seen_at: started_at,
            manifest_digest: declared.manifest.digest.clone(),
            git_revision: declared.revision.clone(),
            diagnostics: problems.into(),
            restart_for,
        }
    }
}

fn ranked(declared: &Declared) -> Vec<i32> {
    in_rank(&declared.manifest.campaigns).iter().map(|campaign| campaign.number).collect()
}

/// Passes that go by files which say something else now end after the call that they are at.
fn supersede(looks: &BTreeMap<i32, (Declared, Stop)>, now: &Declared) {
    for (number, (began_with, stop)) in looks {
        if began_with.differs_for(*number, now) {
            stop.ask();
        }
    }
}

/// Waits until the folders have been quiet for a moment.
async fn settle(watch: &Watch) {
    let end = Instant::now() + LONGEST_DEED;
    while Instant::now() < end && tokio::time::timeout(QUIET, watch.event()).await.is_ok() {}
}

async fn report(
    store: &Store,
    clock: &DatabaseClock,
    mut sign: Sign,
    tidies: bool,
) -> Result<(), StoreError> {
    clock.adjust(store).await?;
    sign.seen_at = clock.now();
    daemons::report(store, &sign).await?;
    if tidies {
        history::forget_idle(store, sign.seen_at - IDLE_PASSES_KEPT).await?;
    }
    Ok(())
}
