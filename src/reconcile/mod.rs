//! The pass itself: observe, plan, guard, record, push, write back.
//!
//! Invariants: a push is committed before its provider is called; no transaction is open while a
//! provider is; a pass settles only what it holds the lease for. Passes retry nothing across each
//! other: the next pass looks again.

mod action;
mod adopt;
mod batch;
mod budget;
mod compare;
mod conditions;
mod error;
mod explain;
mod feedback;
pub mod forecast;
mod guard;
mod held;
pub mod inbox;
mod mail;
mod names;
pub mod need;
mod notes;
mod order;
mod paced;
mod plan;
mod preview;
mod push;
mod recover;
mod remote;
mod render;
mod totals;
mod unsubscribe;
mod wait;

use std::future::Future;
use std::path::Path;

use chrono::{DateTime, Utc};
use tracing::info;
use uuid::Uuid;

use crate::manifest::Manifest;
use crate::model::{
    Blocked, Campaign, CampaignPlan, Clock, Guard, ProviderKind, ProviderSettings, Stop, Term,
};
use crate::provider::{self, Destination, Unpaced};
use crate::store::approvals;
use crate::store::campaigns::{self, Seen};
use crate::store::diff::Record;
use crate::store::events::ByHand;
use crate::store::history::{self, Pass, PassOutcome};
use crate::store::pushes::{self, Settled};
use crate::store::{self, Lease, PLANNING_LEASE, Store, StoreError, campaign_lease, provider_lease};

use budget::Budget;
use mail::Mailing;

pub use adopt::adopt;
pub use compare::compare;
pub use conditions::conditions;
pub use error::ReconcileError;
pub use explain::{Explanation, explain, words};
pub use feedback::{Webhook, WebhookFault, feedback, feedback_when_due, webhook};
pub use mail::{Rendered, SequenceRenderer};
pub use order::Order;
pub use plan::Planner;
pub use preview::{Preview, preview};
pub use recover::settle_by_hand;
pub use remote::{Look, Sight, look};
pub use render::{FieldRenderer, RenderError};
pub use totals::{in_rank, total};
pub use unsubscribe::{mail_of, unsubscribe};

/// Everything a pass depends on.
pub struct Context<'a> {
    pub store: &'a Store,
    pub manifest: &'a Manifest,
    pub clock: &'a dyn Clock,
    /// The project folder.
    pub root: &'a Path,
    /// Identity of this process among those that share the database.
    pub holder: Uuid,
    /// The commit that the files are from, if they are from one.
    pub revision: Option<&'a str>,
    pub stop: &'a Stop,
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
    /// When the first of the pushes that are put off may be handed over.
    pub put_off_until: Option<DateTime<Utc>>,
    /// Senders whose answers were not read for too long: nothing leaves from them.
    pub unread: Vec<String>,
    pub outcome: PassOutcome,
    pub message: Option<String>,
}

/// One pass over one campaign.
pub async fn reconcile<'a>(
    context: &Context<'a>,
    campaign: &'a Campaign,
    order: &Order,
) -> Result<Applied, ReconcileError> {
    let name = campaign_lease(campaign.number);
    let planner = match order.lease_patience {
        None => held::take(context, name).await?,
        Some(patience) => held::take_within(context, name, patience).await?,
    };
    let result =
        Box::pin(held::while_held(context, &planner, pass(context, campaign, order, &planner))).await;
    held::give_back(context, &planner).await;
    result
}

#[tracing::instrument(name = "pass", skip_all, fields(campaign = campaign.number, trigger = order.trigger, run.id))]
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
    if order.serves(campaign) {
        campaigns::open_intake(context.store, campaign.number).await?;
    }
    let look = remote::observe(context, campaign).await?;
    let stale = answers(context, campaign).await?;
    let recovered = recover::unsettled(context, campaign).await?;
    inbox::catch_up(context, campaign).await?;
    pushes::forget_unclaimed(context.store, campaign.number).await?;

    let pass = Pass {
        id: Uuid::new_v4(),
        campaign: campaign.name.clone(),
        number: campaign.number,
        trigger: order.trigger.clone(),
        manifest_digest: context.manifest.digest.clone(),
        git_revision: context.revision.map(ToOwned::to_owned),
        started_at: context.clock.now(),
    };
    tracing::Span::current().record("run.id", tracing::field::display(pass.id));
    // Before the snapshot: a change that it does not show is seen by the next look.
    let changes = campaigns::changes(context.store).await?;
    let planned = in_turn(context, plan_and_record(context, campaign, order, &pass, planner, &look)).await?;

    let pushed = hand_over(context, campaign, order, &look, &planned).await;
    let (outcome, message) = conclusion(&planned, &pushed);
    let settled = pushed.as_ref().map_or_else(|fault| fault.settled, |pushed| pushed.settled);
    history::finish(context.store, &pass, settled, outcome, message.as_deref(), context.clock.now()).await?;
    let (stopped, put_off_until) = match pushed {
        Ok(pushed) => (pushed.stopped, pushed.put_off_until),
        Err(fault) => return Err(fault.error),
    };
    let declared = need::declared(context.manifest, campaign);
    // Without a schedule no tick is ever open: one that is declared later has missed none before it.
    let tick = if campaign.schedule.is_some() { order.tick } else { Some(pass.started_at) };
    let intake_open = if order.serves(campaign) {
        Some(pushes::any_entering(context.store, campaign.number).await?)
    } else {
        None
    };
    let seen = Seen { digest: &declared, changes, at: pass.started_at, tick, intake_open };
    campaigns::seen(context.store, campaign.number, &seen).await?;
    Ok(Applied { plan: planned, settled, recovered, stopped, put_off_until, unread: stale, outcome, message })
}

/// Answers are read before anybody is written to, as far as no other process reads them. Gives the senders whose mailbox
/// was not read for too long.
async fn answers(context: &Context<'_>, campaign: &Campaign) -> Result<Vec<String>, ReconcileError> {
    inbox::read_due(context).await?;
    inbox::stale(context, campaign).await
}

/// The campaign is made ready at its provider, the pushes go out, the campaign is started. Stops go out also
/// where the first fails.
async fn hand_over(
    context: &Context<'_>,
    campaign: &Campaign,
    order: &Order,
    look: &Look,
    plan: &CampaignPlan,
) -> Result<push::Pushed, push::Fault> {
    let blind = matches!(&plan.blocked, Some(Blocked { guard: Guard::RemoteUnknown, .. }));
    let ready = if blind { Ok(()) } else { remote::prepare(context, campaign, look, plan).await };
    let pushed = push::all_due(context, campaign, order, !blind && ready.is_ok()).await?;
    let ready = match ready {
        Ok(()) if !blind => remote::start(context, campaign, plan).await,
        ready => ready,
    };
    match ready {
        Ok(()) => Ok(pushed),
        Err(error) => Err(push::Fault { settled: pushed.settled, message: error.to_string(), error }),
    }
}

/// What is planned is recorded before anybody else plans.
async fn in_turn<T>(
    context: &Context<'_>,
    work: impl Future<Output = Result<T, ReconcileError>>,
) -> Result<T, ReconcileError> {
    let turn = held::take(context, PLANNING_LEASE.to_owned()).await?;
    let result = held::while_held(context, &turn, work).await;
    held::give_back(context, &turn).await;
    result
}

#[tracing::instrument(name = "plan", skip_all, fields(campaign = campaign.number))]
async fn plan_and_record<'a>(
    context: &Context<'a>,
    campaign: &'a Campaign,
    order: &Order,
    pass: &Pass,
    planner: &Lease,
    look: &Look,
) -> Result<CampaignPlan, ReconcileError> {
    let mut plan = Planner::open(context).await?;
    plan.seen(campaign, look.clone());
    let mut planned = plan.campaign(campaign, 0).await?;
    if order.expected.as_ref().is_some_and(|digest| *digest != planned.digest) {
        return Err(ReconcileError::Stale { campaign: campaign.name.clone() });
    }
    let held = planned.blocked.as_ref().is_some_and(crate::model::Blocked::can_be_approved);
    if let Some(actor) = order.approved.as_deref().filter(|_| held) {
        let by = ByHand { actor, at: context.clock.now() };
        approvals::add(context.store, campaign.number, &planned.digest, by).await?;
    }
    if held && approvals::take(context.store, campaign.number, &planned.digest).await? {
        info!(campaign = campaign.number, run.id = %pass.id, "let through by a person");
        planned.blocked = None;
    }
    let what = match (&planned.blocked, order.takes_in) {
        (Some(_), _) => Record::Stops,
        (None, false) => Record::NobodyNew,
        (None, true) => Record::Everything,
    };
    let recorded = plan.record(campaign, &planned, what, pass, planner).await?;
    info!(campaign = campaign.number, run.id = %pass.id, pushes = recorded, "recorded");
    if recorded >= pushes::MANY {
        pushes::take_statistics(context.store).await?;
    }
    Ok(planned)
}

fn conclusion(
    plan: &CampaignPlan,
    pushed: &Result<push::Pushed, push::Fault>,
) -> (PassOutcome, Option<String>) {
    match (pushed, &plan.blocked) {
        (Err(fault), _) if matches!(fault.error, ReconcileError::Stopping) => {
            (PassOutcome::Partial, Some(fault.message.clone()))
        }
        (Err(fault), _) => (PassOutcome::Failed, Some(fault.message.clone())),
        (Ok(_), Some(blocked)) => (PassOutcome::Blocked, Some(blocked.message.clone())),
        (Ok(pushed), None) => {
            let Settled { refused, retry, in_doubt, .. } = pushed.settled;
            let whole = refused + retry + in_doubt == 0;
            (if whole { PassOutcome::Done } else { PassOutcome::Partial }, None)
        }
    }
}

/// A provider's account, opened, with the lease to push to it.
struct Account<'c> {
    provider: Box<dyn provider::Provider + 'c>,
    /// Pushes that go into one call.
    batch: u32,
    per_minute: Option<u32>,
    /// Where the provider itself asks for the turn of each call.
    budget: Option<Budget<'c>>,
    /// The campaign, as its provider calls it.
    remote: Option<String>,
    lease: Lease,
    /// Where we send each mail ourselves.
    mailing: Option<Mailing<'c>>,
}

fn settings_of<'c>(
    context: &Context<'c>,
    campaign: &Campaign,
) -> Result<&'c ProviderSettings, ReconcileError> {
    let providers = &context.manifest.project.providers;
    providers
        .get(&campaign.provider)
        .ok_or_else(|| ReconcileError::UnknownProvider(campaign.provider.clone()))
}

/// Opens the campaign's provider to ask it something.
fn unleased<'c>(
    context: &Context<'c>,
    campaign: &Campaign,
) -> Result<(Box<dyn provider::Provider + 'c>, Option<Budget<'c>>), ReconcileError> {
    opened(context, campaign, None)
}

/// Opens the campaign's provider; what changes something there goes out until the term is over.
fn opened<'c>(
    context: &Context<'c>,
    campaign: &Campaign,
    until: Option<Term>,
) -> Result<(Box<dyn provider::Provider + 'c>, Option<Budget<'c>>), ReconcileError> {
    let settings = settings_of(context, campaign)?;
    let failed = |source| ReconcileError::Provider { provider: settings.name.clone(), source };
    let sent = Box::new(inbox::SentMails::new(context.store, context.clock, context.root));
    if let ProviderKind::Smartlead { per_minute, .. } = &settings.kind {
        let budget = Budget::new(context, &settings.name, *per_minute);
        let pace = Box::new(budget.clone());
        let provider =
            provider::open_until(settings, context.root, context.clock, pace, until, sent).map_err(failed)?;
        return Ok((provider, Some(budget)));
    }
    let pace = Box::new(Unpaced::default());
    let provider =
        provider::open_until(settings, context.root, context.clock, pace, until, sent).map_err(failed)?;
    Ok((provider, None))
}

/// Opens the campaign's provider and takes the lease of its account.
async fn open_provider<'c>(
    context: &Context<'c>,
    campaign: &Campaign,
) -> Result<Account<'c>, ReconcileError> {
    let settings = settings_of(context, campaign)?;
    let mailing = settings.kind.smtp().map(|smtp| Mailing::new(context, campaign, smtp)).transpose()?;
    let lease = held::take(context, provider_lease(&settings.name)).await?;
    let (provider, budget) = match opened(context, campaign, Some(lease.term())) {
        Ok(opened) => opened,
        Err(error) => {
            held::give_back(context, &lease).await;
            return Err(error);
        }
    };
    let remote = match provider.remote() {
        Some(_) => store::remote::load(context.store, campaign.number, &settings.name).await?,
        None => None,
    };
    Ok(Account {
        batch: settings.batch.max(1),
        per_minute: settings.per_minute,
        budget,
        remote: remote.and_then(|remote| remote.remote_id),
        lease,
        mailing,
        provider,
    })
}

fn destination(campaign: &Campaign, account: &Account<'_>) -> Destination {
    let withdraw = campaign.remote.as_ref().map(|remote| remote.withdraw).unwrap_or_default();
    Destination {
        campaign: campaign.name.clone(),
        number: campaign.number,
        remote: account.remote.clone(),
        withdraw,
    }
}
