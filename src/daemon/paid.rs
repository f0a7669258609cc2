//! What is paid for by time: enrichment and drafting. One process runs each when it is due, the others see that it was.

use std::time::Duration;

use chrono::TimeDelta;
use tracing::warn;

use super::files::Declared;
use super::look::World;
use crate::intake::draft::{self, DraftError};
use crate::intake::enrich::{self, Context, Dns, EnrichError, Order};
use crate::model::Clock as _;

/// How soon a run that failed or was somebody else's is tried again, at most.
const AGAIN: Duration = Duration::from_mins(1);

/// Runs what is due; how long until it is asked about again.
pub(super) async fn when_due(world: &World<'_>, declared: &Declared) -> Duration {
    enrich_when_due(world, declared).await.min(draft_when_due(world, declared).await)
}

async fn enrich_when_due(world: &World<'_>, declared: &Declared) -> Duration {
    let Some((settings, every)) =
        declared.manifest.project.enrichment.as_ref().and_then(|settings| Some((settings, settings.every?)))
    else {
        return AGAIN;
    };
    match try_run(world, declared, settings, every).await {
        Ok(wait) => wait,
        Err(EnrichError::LeaseHeld) => every.min(AGAIN),
        Err(error) => {
            warn!(error = error.chain(), "could not enrich");
            every.min(AGAIN)
        }
    }
}

async fn try_run(
    world: &World<'_>,
    declared: &Declared,
    settings: &crate::model::EnrichmentSettings,
    every: Duration,
) -> Result<Duration, EnrichError> {
    let now = world.clock.now();
    let due = match enrich::last_run(world.store).await? {
        Some(last) => last + TimeDelta::from_std(every).unwrap_or(TimeDelta::days(30)),
        None => now,
    };
    if due > now {
        return Ok((due - now).to_std().unwrap_or_default());
    }
    let project = &declared.manifest.project;
    let segments = &declared.manifest.segments;
    let dns = Dns::of_system();
    let context = Context {
        store: world.store,
        project,
        settings,
        segments,
        clock: world.clock,
        root: world.root,
        holder: world.holder,
        stop: &world.stop,
        domains: &dns,
    };
    let segment = settings.segment.as_ref().and_then(|name| segments.get(name));
    let order = Order { trigger: "daemon", segment, max_credits: None, retry_lost: false };
    enrich::run(&context, &order).await?;
    Ok(every)
}

async fn draft_when_due(world: &World<'_>, declared: &Declared) -> Duration {
    let drafting = declared.manifest.project.drafting.as_ref();
    let Some((settings, every)) = drafting.and_then(|settings| Some((settings, settings.every?))) else {
        return AGAIN;
    };
    match try_draft(world, declared, settings, every).await {
        Ok(wait) => wait,
        Err(DraftError::LeaseHeld) => every.min(AGAIN),
        Err(error) => {
            warn!(error = error.chain(), "could not draft");
            every.min(AGAIN)
        }
    }
}

async fn try_draft(
    world: &World<'_>,
    declared: &Declared,
    settings: &crate::model::DraftingSettings,
    every: Duration,
) -> Result<Duration, DraftError> {
    let now = world.clock.now();
    let due = match draft::last_run(world.store).await? {
        Some(last) => last + TimeDelta::from_std(every).unwrap_or(TimeDelta::days(30)),
        None => now,
    };
    if due > now {
        return Ok((due - now).to_std().unwrap_or_default());
    }
    let context = draft::Context {
        store: world.store,
        manifest: &declared.manifest,
        settings,
        clock: world.clock,
        root: world.root,
        holder: world.holder,
        stop: &world.stop,
    };
    let order = draft::Order {
        trigger: "daemon",
        campaigns: &[],
        max_calls: None,
        retry_lost: false,
        dry_run: false,
    };
    draft::run(&context, &order).await?;
    Ok(every)
}
