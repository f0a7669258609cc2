//! The pass itself: observe, plan, guard, record, push, write back.
//!
//! Invariants: a push is committed before its provider is called; no transaction is open while a
//! provider is; a pass settles only what it holds the lease for. Passes retry nothing across each
//! other: the next pass looks again.

mod action;
mod error;
mod guard;
mod held;
mod plan;
mod push;
mod recover;
mod render;

use std::path::Path;
use std::time::Duration;

use tracing::info;
use uuid::Uuid;

use crate::manifest::Manifest;
use crate::model::{Campaign, CampaignPlan, Clock};
use crate::provider::{self, Destination};
use crate::store::diff::Record;
use crate::store::history::{self, Pass, PassOutcome};
use crate::store::pushes::{self, Settled};
use crate::store::{Lease, Store, StoreError, campaign_lease, campaigns, provider_lease};

pub use error::ReconcileError;
pub use plan::{Planner, in_rank, total};
pub use recover::settle_by_hand;
pub use render::{FieldRenderer, RenderError};

/// Everything a pass depends on.
pub struct Context<'a> {
    pub store: &'a Store,
    pub manifest: &'a Manifest,
    pub clock: &'a dyn Clock,
    /// The project folder.
    pub root: &'a Path,
    /// Identity of this process among those that share the database.
    pub holder: Uuid,
}

/// How one campaign is to be applied.
#[derive(Debug, Clone, Default)]
pub struct Order {
    pub trigger: &'static str,
    /// A person lets the plan through although the guard blocks it.
    pub approved: bool,
    /// The digest that was reviewed; another one is held back.
    pub expected: Option<String>,
    /// How long to wait within this pass for pushes that the provider put off.
    pub patience: Duration,
}

/// What one pass did.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    pub plan: CampaignPlan,
    pub settled: Settled,
    /// Pushes of an earlier pass that were settled by asking the provider.
    pub recovered: Settled,
    /// Pushes that a stop took back after they were recorded.
    pub stopped: i64,
    pub outcome: PassOutcome,
    pub message: Option<String>,
}

/// One pass over one campaign.
pub async fn reconcile<'a>(
    context: &Context<'a>,
    campaign: &'a Campaign,
    order: &Order,
) -> Result<Applied, ReconcileError> {
    let planner = held::take(context, campaign_lease(campaign.number)).await?;
    let result =
        Box::pin(held::while_held(context, &planner, pass(context, campaign, order, &planner))).await;
    held::give_back(context, &planner).await;
    result
}

async fn pass<'a>(
    context: &Context<'a>,
    campaign: &'a Campaign,
    order: &Order,
    planner: &Lease,
) -> Result<Applied, ReconcileError> {
    let mut snapshot = context.store.begin().await.map_err(StoreError::on("look at the campaign"))?;
    if let Some(provider) = campaigns::left_at(&mut snapshot, campaign).await? {
        return Err(ReconcileError::ProviderChanged { campaign: campaign.name.clone(), provider });
    }
    drop(snapshot);
    campaigns::remember(context.store, campaign, context.clock.now()).await?;
    let recovered = recover::unsettled(context, campaign).await?;
    pushes::forget_unclaimed(context.store, campaign.number).await?;

    let pass = Pass {
        id: Uuid::new_v4(),
        campaign: campaign.name.clone(),
        number: campaign.number,
        trigger: order.trigger,
        manifest_digest: context.manifest.digest.clone(),
        started_at: context.clock.now(),
    };
    let mut plan = Planner::open(context).await?;
    let mut planned = plan.campaign(campaign, 0).await?;
    if order.approved && planned.blocked.as_ref().is_some_and(crate::model::Blocked::can_be_approved) {
        planned.blocked = None;
    }
    if order.expected.as_ref().is_some_and(|digest| *digest != planned.digest) {
        return Err(ReconcileError::Stale { campaign: campaign.name.clone() });
    }
    let what = if planned.blocked.is_some() { Record::Stops } else { Record::Everything };
    let recorded = plan.record(campaign, &planned, what, &pass, planner).await?;
    info!(campaign = campaign.number, run.id = %pass.id, pushes = recorded, "recorded");
    if recorded >= pushes::MANY {
        pushes::take_statistics(context.store).await?;
    }

    let pushed = push::all_due(context, campaign, order.patience).await;
    let (outcome, message) = conclusion(&planned, &pushed);
    let settled = pushed.as_ref().map_or_else(|fault| fault.settled, |pushed| pushed.settled);
    history::finish(context.store, &pass, settled, outcome, message.as_deref(), context.clock.now()).await?;
    let stopped = match pushed {
        Ok(pushed) => pushed.stopped,
        Err(fault) => match fault.error {
            Some(error) => return Err(error),
            None => 0,
        },
    };
    Ok(Applied { plan: planned, settled, recovered, stopped, outcome, message })
}

fn conclusion(
    plan: &CampaignPlan,
    pushed: &Result<push::Pushed, push::Fault>,
) -> (PassOutcome, Option<String>) {
    match (pushed, &plan.blocked) {
        (Err(fault), _) => (PassOutcome::Failed, Some(fault.message.clone())),
        (Ok(_), Some(blocked)) => (PassOutcome::Blocked, Some(blocked.message.clone())),
        (Ok(pushed), None) => {
            let Settled { refused, retry, in_doubt, .. } = pushed.settled;
            let whole = refused + retry + in_doubt == 0;
            (if whole { PassOutcome::Done } else { PassOutcome::Partial }, None)
        }
    }
}

/// Opens the campaign's provider and takes the lease of its account.
async fn open_provider<'c>(
    context: &Context<'c>,
    campaign: &Campaign,
) -> Result<(Box<dyn provider::Provider + 'c>, u32, Lease), ReconcileError> {
    let settings = context
        .manifest
        .project
        .providers
        .get(&campaign.provider)
        .ok_or_else(|| ReconcileError::UnknownProvider(campaign.provider.clone()))?;
    let provider = provider::open(settings, context.root, context.clock)
        .map_err(|source| ReconcileError::Provider { provider: settings.name.clone(), source })?;
    let lease = held::take(context, provider_lease(&settings.name)).await?;
    Ok((provider, settings.batch.max(1), lease))
}

fn destination(campaign: &Campaign) -> Destination {
    Destination { campaign: campaign.name.clone(), number: campaign.number }
}
