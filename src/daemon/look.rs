//! One look at one campaign: a cheap statement first, and a pass when that says so.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::board::Next;
use super::files::Declared;
use crate::manifest::Manifest;
use crate::model::{Campaign, Clock, State, Stop};
use crate::reconcile::need::{self, Need};
use crate::reconcile::{Applied, Context, Order, ReconcileError, conditions, feedback_when_due, reconcile};
use crate::store::pauses::Pause;
use crate::store::{DatabaseClock, Store, StoreError, campaigns, conditions as store_conditions, pauses};

/// What every look of this process has in common.
pub(super) struct World<'a> {
    pub store: &'a Store,
    pub clock: &'a DatabaseClock,
    pub root: &'a Path,
    pub holder: Uuid,
    pub stop: Stop,
}

/// What a look came to.
#[derive(Debug)]
pub struct Looked {
    pub number: i32,
    /// `None`: there was nothing to do.
    pub result: Option<Result<Applied, ReconcileError>>,
    pub next: Next,
}

/// Another process is at the campaign; it may be gone by then.
const STAND_BY: Duration = Duration::from_secs(1);

/// Looks at a campaign, and makes a pass if there may be something to do.
///
/// `waits`: for another process that works on the campaign, instead of standing by.
pub(super) async fn look(
    world: &World<'_>,
    declared: &Declared,
    number: i32,
    trigger: &str,
    waits: bool,
) -> Looked {
    match try_look(world, declared, number, trigger, waits).await {
        Ok(looked) => looked,
        Err(error) => {
            let error = ReconcileError::from(error);
            warn!(campaign = number, error = error.chain(), "could not look");
            Looked { number, result: Some(Err(error)), next: Next::Backoff }
        }
    }
}

async fn try_look(
    world: &World<'_>,
    declared: &Declared,
    number: i32,
    trigger: &str,
    waits: bool,
) -> Result<Looked, StoreError> {
    let settings = &declared.manifest.project.daemon;
    let quiet = |next| Ok(Looked { number, result: None, next: Next::In(next) });
    let Some(campaign) = declared.manifest.campaigns.iter().find(|campaign| campaign.number == number) else {
        return quiet(settings.look_every);
    };
    // First: what is heard is a reason for a pass.
    listen(world, declared, campaign).await;
    let now = world.clock.now();
    let glance = campaigns::glance(world.store, number, now).await?;
    let mut effective = campaign.clone();
    if glance.is_paused && effective.state == State::Active {
        effective.state = State::Paused;
    }
    let digest = need::declared(&declared.manifest, &effective);
    // A tick is late by a take-over, and not missed, for this long.
    let grace =
        TimeDelta::from_std(declared.manifest.project.lease * 2).unwrap_or_default() + TimeDelta::seconds(60);
    let need = need::judge(&effective, &glance, &digest, settings, grace, now);
    let until_next = (need.next - now).to_std().unwrap_or_default().max(Duration::from_millis(20));
    if !need.pass {
        return quiet(until_next);
    }
    let standing = pauses::holding(world.store, now).await?;
    let paused: Vec<i32> = standing.iter().map(|pause| pause.campaign_number).collect();
    let manifest = (*declared.manifest).clone().with_paused(&paused);
    let pause = standing.iter().find(|pause| pause.campaign_number == number);
    let result = pass(world, declared, &manifest, campaign.number, &need, trigger, waits).await;
    if matches!(result, Err(ReconcileError::LeaseHeld(_))) {
        debug!(campaign = number, "another process works on it");
        return Ok(Looked { number, result: Some(result), next: Next::In(STAND_BY) });
    }
    say(number, trigger, &result);
    if matches!(result, Err(ReconcileError::Stopping)) {
        // Nothing is wrong with the campaign: it goes on by other files, or in another process.
        return Ok(Looked { number, result: Some(result), next: Next::In(Duration::ZERO) });
    }
    let next = match &result {
        // What this pass did, or was stopped from doing, may leave something to do.
        Ok(applied) if applied.stopped > 0 || applied.plan.changes() > 0 => {
            Next::In(until_next.min(Duration::from_secs(1)))
        }
        Ok(_) => Next::In(until_next),
        Err(_) => Next::Backoff,
    };
    remember(world, &manifest, number, pause, &result).await;
    Ok(Looked { number, result: Some(result), next })
}

async fn pass(
    world: &World<'_>,
    declared: &Declared,
    manifest: &Manifest,
    number: i32,
    need: &Need,
    trigger: &str,
    waits: bool,
) -> Result<Applied, ReconcileError> {
    let context = Context {
        store: world.store,
        manifest,
        clock: world.clock,
        root: world.root,
        holder: world.holder,
        revision: declared.revision.as_deref(),
        stop: &world.stop,
    };
    let campaign = find(manifest, number);
    let trigger =
        if need.tick.is_some() && need.takes_in { format!("{trigger}, tick") } else { trigger.to_owned() };
    let order = Order {
        lease_patience: (!waits).then_some(Duration::ZERO),
        takes_in: need.takes_in,
        keeps_window: true,
        tick: need.tick.filter(|_| need.takes_in).map(|tick| tick.at),
        ..Order::by_hand(&trigger, Duration::ZERO)
    };
    match campaign {
        Some(campaign) => Box::pin(reconcile(&context, campaign, &order)).await,
        None => Err(ReconcileError::UnknownProvider(number.to_string())),
    }
}

/// Asks the campaign's provider what happened, where it is time for that. Its silence must not fail a look.
async fn listen(world: &World<'_>, declared: &Declared, campaign: &Campaign) {
    let context = Context {
        store: world.store,
        manifest: &declared.manifest,
        clock: world.clock,
        root: world.root,
        holder: world.holder,
        revision: declared.revision.as_deref(),
        stop: &world.stop,
    };
    if let Err(error) = feedback_when_due(&context, campaign).await {
        warn!(campaign = campaign.number, error = error.chain(), "could not listen to the provider");
    }
}

fn find(manifest: &Manifest, number: i32) -> Option<&Campaign> {
    manifest.campaigns.iter().find(|campaign| campaign.number == number)
}

fn say(number: i32, trigger: &str, result: &Result<Applied, ReconcileError>) {
    match result {
        Ok(applied) => {
            let plan = &applied.plan;
            if let Some(blocked) = &plan.blocked {
                warn!(campaign = number, trigger, guard = ?blocked.guard, "blocked: {}", blocked.message);
            }
            info!(
                campaign = number,
                trigger,
                enroll = plan.enroll,
                update = plan.update,
                withdraw = plan.withdraw,
                keep = plan.keep,
                accepted = applied.settled.accepted,
                refused = applied.settled.refused,
                retry = applied.settled.retry,
                in_doubt = applied.settled.in_doubt,
                outcome = applied.outcome.as_str(),
                "pass"
            );
        }
        Err(ReconcileError::Stopping) => info!(campaign = number, "stopped between two batches"),
        Err(error) => {
            warn!(campaign = number, trigger, code = error.code(), error = error.chain(), "pass failed");
        }
    }
}

/// Conditions are for people to see: that they could not be written must not fail a pass.
async fn remember(
    world: &World<'_>,
    manifest: &Manifest,
    number: i32,
    pause: Option<&Pause>,
    result: &Result<Applied, ReconcileError>,
) {
    let Some(campaign) = find(manifest, number) else { return };
    let list = conditions(campaign, pause, result);
    let now = world.clock.now();
    if let Err(error) = store_conditions::write(world.store, number, &list, &manifest.digest, now).await {
        warn!(campaign = number, error = ReconcileError::from(error).chain(), "conditions not written");
    }
}
