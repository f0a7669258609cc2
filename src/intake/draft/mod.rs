//! Drafting: texts of single fields, made by a model for the contacts that a campaign would take next.
//!
//! Invariants: a call is recorded before it is made and logged in `ai_interactions` once, whatever became of it; one
//! digest is paid for once; a text that does not pass the checks is never used. One process at a time drafts.

mod checks;
mod prompt;
mod run;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use tokio::time::sleep;
use tracing::{info, warn};
use uuid::Uuid;

use crate::manifest::Manifest;
use crate::model::{Campaign, Clock, Draft, DraftingSettings, Skip, State, Stop, Template};
use crate::provider::ProviderError;
use crate::provider::chat::Chat;
use crate::store::diff::{self, Question};
use crate::store::drafts;
use crate::store::spending::{self, Purse};
use crate::store::{self, Lease, Store, StoreError};

use super::enrich::pace::SharedPace;
use prompt::Request;
use run::Run;

/// The service's name in ledgers, rates and leases.
pub const SERVICE: &str = "drafting";
const LEASE: &str = "drafting";
/// Calls under way at once: as many answers are lost with a process that dies.
const AT_ONCE: usize = 4;
/// Contacts whose prompts are in memory at once.
const PAGE: usize = 200;
/// Contacts that one run looks at; the next one goes on.
const MOST: i64 = 100_000;

/// A run that could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("could not use the drafting endpoint")]
    Endpoint(#[source] ProviderError),
    #[error("another outreachd drafts; nothing was done here, try again when it is through")]
    LeaseHeld,
    #[error("another outreachd has taken over; what was asked is settled by it")]
    LeaseLost,
}

impl DraftError {
    /// The message and its causes.
    pub fn chain(&self) -> String {
        store::causes(self).join(": ")
    }

    /// Whether the same run may go through later without anybody's doing.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Store(error) => error.is_away(),
            Self::LeaseHeld | Self::LeaseLost => true,
            Self::Endpoint(_) => false,
        }
    }
}

/// Everything a run depends on.
pub struct Context<'a> {
    pub store: &'a Store,
    pub manifest: &'a Manifest,
    pub settings: &'a DraftingSettings,
    pub clock: &'a dyn Clock,
    /// The project folder.
    pub root: &'a Path,
    /// Identity of this process among those that share the database.
    pub holder: Uuid,
    pub stop: &'a Stop,
}

/// How a run is to go.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    pub trigger: &'a str,
    /// Of these campaigns only; all that draft, if none is named.
    pub campaigns: &'a [i32],
    /// Calls of this run, instead of what is declared.
    pub max_calls: Option<u32>,
    /// A person says that lost answers are gone: their prompts may be paid for again.
    pub retry_lost: bool,
    /// Counts, and asks nobody.
    pub dry_run: bool,
}

/// What a run did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub dry_run: bool,
    /// Fields that had no draft.
    pub waiting: i64,
    /// Calls that were made, or would be.
    pub calls: i64,
    /// Drafts that an answer was there for, or that share one.
    pub reused: i64,
    /// Drafts by what became of them: `approved`, `drafted`, `failed`.
    pub drafts: BTreeMap<String, i64>,
    /// Contacts whose values do not fill the prompt.
    pub unfilled: i64,
    /// Answers that were lost and wait for a person.
    pub lost: i64,
    /// Why it ended before it was through.
    pub stopped: Option<String>,
}

/// One field of one contact that wants a draft.
struct Wanted<'a> {
    employee_id: Uuid,
    session_key: String,
    field: &'a str,
    draft: &'a Draft,
    request: Request,
}

/// When the endpoint was last used.
pub async fn last_run(store: &Store) -> Result<Option<DateTime<Utc>>, DraftError> {
    Ok(spending::last(store, SERVICE).await?.map(|run| run.started_at))
}

/// One run over all campaigns that draft.
#[tracing::instrument(name = "draft", skip_all, fields(trigger = order.trigger))]
pub async fn run(context: &Context<'_>, order: &Order<'_>) -> Result<Report, DraftError> {
    if order.dry_run {
        return dry(context, order).await;
    }
    let length = context.manifest.project.lease;
    let lease = store::acquire(context.store, LEASE.to_owned(), context.holder, length).await?;
    let lease = lease.ok_or(DraftError::LeaseHeld)?;
    let result = tokio::select! {
        result = while_held(context, order, &lease) => result,
        () = until_lost(context.store, &lease) => Err(DraftError::LeaseLost),
    };
    if let Err(error) = store::release(context.store, &lease).await {
        warn!(%error, "could not give a lease back");
    }
    result
}

async fn until_lost(store: &Store, lease: &Lease) {
    loop {
        sleep(lease.renewal()).await;
        match store::renew(store, lease).await {
            Ok(true) => {}
            Ok(false) => return,
            // Statements check the lease themselves.
            Err(error) => warn!(%error, "could not renew a lease"),
        }
    }
}

async fn while_held(context: &Context<'_>, order: &Order<'_>, lease: &Lease) -> Result<Report, DraftError> {
    let Context { store, settings, clock, .. } = *context;
    let now = clock.now();
    let left = drafts::doubt_left_over(store, lease, SERVICE, now).await?;
    if left > 0 {
        warn!(calls = left, "the process that made them is gone: their answers are lost");
    }
    if order.retry_lost || settings.retry_lost > 0 {
        let most = (!order.retry_lost).then_some(settings.retry_lost);
        drafts::give_up_lost(store, lease, SERVICE, most, now).await?;
    }
    let pace = SharedPace { store, clock, account: SERVICE, per_minute: settings.per_minute };
    let chat = Chat::open(settings, context.root, clock, Box::new(pace), Some(lease.term()))
        .map_err(DraftError::Endpoint)?;
    let day = now.with_timezone(&context.manifest.project.defaults.timezone).date_naive();
    let per_day = Decimal::from(settings.max_calls_per_day);
    let purse = Purse { service: SERVICE, run: Uuid::new_v4(), day, per_day };
    let most = order.max_calls.unwrap_or(settings.max_calls_per_run);
    spending::begin(store, &purse, order.trigger, Some(Decimal::from(most)), now).await?;
    let mut run = Run { context, lease, purse, chat, report: Report::default() };
    let ended = run.all(order).await;
    let stopped = match &ended {
        Ok(stopped) => stopped.clone(),
        Err(error) => Some(error.chain()),
    };
    spending::finish(store, run.purse.run, stopped.as_deref(), clock.now()).await?;
    ended?;
    let report = Report { lost: drafts::lost(store, SERVICE).await?, stopped, ..run.report };
    info!(run.id = %run.purse.run, calls = report.calls, lost = report.lost, "drafted");
    Ok(report)
}

/// What a run would ask.
async fn dry(context: &Context<'_>, order: &Order<'_>) -> Result<Report, DraftError> {
    let mut report = Report { dry_run: true, ..Report::default() };
    let mut known = HashSet::new();
    for campaign in drafting(context, order) {
        for people in waiting(context, campaign).await?.chunks(PAGE) {
            let wanted = wanted(context, campaign, people, &mut report).await?;
            let digests: Vec<String> = wanted.iter().map(|one| one.request.digest.clone()).collect();
            let answers = drafts::answers(context.store, &digests).await?;
            known.extend(answers.into_iter().map(|(digest, ..)| digest));
            for digest in digests {
                // The second one with a digest is answered by the first.
                if known.insert(digest) {
                    report.calls += 1;
                } else {
                    report.reused += 1;
                }
            }
        }
    }
    report.lost = drafts::lost(context.store, SERVICE).await?;
    Ok(report)
}

fn drafting<'c>(context: &Context<'c>, order: &Order<'_>) -> Vec<&'c Campaign> {
    let campaigns = context.manifest.campaigns.iter();
    campaigns
        .filter(|campaign| campaign.state == State::Active && campaign.drafts().next().is_some())
        .filter(|campaign| order.campaigns.is_empty() || order.campaigns.contains(&campaign.number))
        .collect()
}

/// A campaign's next contacts, whom nothing but a draft keeps out.
async fn waiting(context: &Context<'_>, campaign: &Campaign) -> Result<Vec<Uuid>, DraftError> {
    let now = context.clock.now();
    let tolerated = context.manifest.campaigns.iter().filter(|other| other.tolerates(campaign));
    let question = Question {
        campaign,
        segments: &context.manifest.segments,
        tolerated: tolerated.map(|other| other.number).chain([campaign.number]).collect(),
        // Whom another campaign goes first with is not known here: at worst a draft is made too early.
        above: Vec::new(),
        as_of: now,
        remaining_today: None,
        mails: None,
        day_start: campaign.day_start(now),
        only: None,
    };
    let doing = "look for whom to draft";
    let mut transaction = context.store.begin().await.map_err(StoreError::on(doing))?;
    Ok(diff::kept_out(&mut transaction, &question, Skip::NoDraft, MOST).await?)
}

/// The fields of these contacts that have no draft.
async fn wanted<'c>(
    context: &Context<'c>,
    campaign: &'c Campaign,
    people: &[Uuid],
    report: &mut Report,
) -> Result<Vec<Wanted<'c>>, DraftError> {
    let templates: Vec<(&str, &Draft, Template)> = campaign
        .drafts()
        .filter_map(|(field, draft)| Some((field, draft, Template::parse_prompt(&draft.text).ok()?)))
        .collect();
    let made: HashSet<(Uuid, String, String)> =
        drafts::made(context.store, campaign.number, people).await?.into_iter().collect();
    let mut wanted = Vec::new();
    for inputs in drafts::inputs(context.store, people).await? {
        for (field, draft, template) in &templates {
            if made.contains(&(inputs.employee_id, (*field).to_owned(), draft.spec.clone())) {
                continue;
            }
            let Ok(request) = prompt::request(draft, template, &inputs, context.settings) else {
                report.unfilled += 1;
                continue;
            };
            wanted.push(Wanted {
                employee_id: inputs.employee_id,
                session_key: inputs.session_key.clone(),
                field,
                draft,
                request,
            });
        }
    }
    report.waiting += wanted.len() as i64;
    Ok(wanted)
}
