//! Enrichment: which addresses are alive, what missing ones are, facts of companies; for credits, within a budget.
//!
//! Invariants: a question is recorded and its credits reserved before it is asked; nothing is asked again as long as
//! its answer may still be had; what a person entered stays unless the settings say otherwise. One process at a
//! time enriches, under a lease with a fencing token.

mod ask;
mod domains;
mod error;
mod jobs;
pub(in crate::intake) mod pace;
mod report;

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use tokio::time::sleep;
use tracing::{info, warn};
use uuid::Uuid;

use crate::audience::Scope;
use crate::model::{AddressStatus, Clock, EnrichStep, EnrichmentSettings, Project, Segment, Stop};
use crate::provider::CallError;
use crate::provider::leadmagic::LeadMagic;
use crate::store::enrichment::{self, Asking, Call, Look, Open, Outcome, Settlement, Verification, Whom};
use crate::store::spending::{self, Purse};
use crate::store::{self, Lease, Store};

use domains::Remembered;
use pace::SharedPace;

pub use domains::{Dns, MailDomains, TakesMail};
pub use error::EnrichError;
pub use report::{Report, StepReport};

/// The service's name in ledgers, rates and leases.
pub const SERVICE: &str = "leadmagic";
const LEASE: &str = "enrichment:leadmagic";
/// Single questions under way at once: as many answers are lost with a process that dies.
const AT_ONCE: usize = 8;
/// What the service failed at is asked again after this.
const FAILED_AGAIN: TimeDelta = TimeDelta::days(1);

/// Everything a run depends on.
pub struct Context<'a> {
    pub store: &'a Store,
    pub project: &'a Project,
    pub settings: &'a EnrichmentSettings,
    pub segments: &'a BTreeMap<String, Segment>,
    pub clock: &'a dyn Clock,
    /// The project folder.
    pub root: &'a Path,
    /// Identity of this process among those that share the database.
    pub holder: Uuid,
    pub stop: &'a Stop,
    pub domains: &'a dyn MailDomains,
}

/// How a run is to go.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    pub trigger: &'a str,
    /// Whom to look at; `None` is whoever is `pending`.
    pub segment: Option<&'a Segment>,
    /// Credits of this run, instead of what is declared.
    pub max_credits: Option<Decimal>,
    /// A person says that lost answers are gone: their questions may be paid for again.
    pub retry_lost: bool,
}

impl Context<'_> {
    fn look<'l>(&'l self, step: EnrichStep, order: &Order<'l>) -> Look<'l> {
        let now = self.clock.now();
        Look {
            step,
            whom: match order.segment {
                None => Whom::Pending,
                Some(segment) => Whom::Rule(&segment.rule, Scope { segments: self.segments, as_of: now }),
            },
            fresh: self.settings.cache.before(now),
            failed: now - FAILED_AGAIN,
            overwrite: self.settings.overwrite,
        }
    }

    fn purse(&self) -> Purse<'static> {
        let day = self.clock.now().with_timezone(&self.project.defaults.timezone).date_naive();
        Purse { service: SERVICE, run: Uuid::new_v4(), day, per_day: self.settings.max_credits_per_day }
    }
}

/// What a run would ask and cost. Asks nobody.
pub async fn plan(context: &Context<'_>, order: &Order<'_>) -> Result<Report, EnrichError> {
    let purse = context.purse();
    let used = spending::used(context.store, SERVICE, purse.day).await?;
    let left_today = (purse.per_day - used).max(Decimal::ZERO);
    let most = order.max_credits.unwrap_or(context.settings.max_credits_per_run).min(left_today);
    let mut report = Report { dry_run: true, left_today, ..Report::default() };
    for step in &context.settings.steps {
        let (waiting, refused) = enrichment::count(context.store, &context.look(*step, order)).await?;
        let price = context.settings.prices.of(*step);
        let all = price * Decimal::from(waiting - refused);
        let room = most - report.credits;
        let asked = if all <= room || price.is_zero() {
            waiting - refused
        } else {
            i64::try_from((room / price).floor()).unwrap_or(0)
        };
        report.credits += price * Decimal::from(asked);
        report.steps.push(StepReport {
            step: step.as_str(),
            waiting,
            refused,
            asked,
            ..StepReport::default()
        });
    }
    report.lost = enrichment::lost(context.store, SERVICE).await?;
    report.jobs_open = enrichment::open_jobs(context.store, SERVICE).await?.len() as i64;
    Ok(report)
}

/// When the account was last used.
pub async fn last_run(store: &Store) -> Result<Option<DateTime<Utc>>, EnrichError> {
    Ok(spending::last(store, SERVICE).await?.map(|run| run.started_at))
}

/// One run over all steps.
pub async fn run(context: &Context<'_>, order: &Order<'_>) -> Result<Report, EnrichError> {
    let length = context.project.lease;
    let lease = store::acquire(context.store, LEASE.to_owned(), context.holder, length).await?;
    let lease = lease.ok_or(EnrichError::LeaseHeld)?;
    let result = tokio::select! {
        result = while_held(context, order, &lease) => result,
        () = until_lost(context.store, &lease) => Err(EnrichError::LeaseLost),
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

#[tracing::instrument(name = "enrich", skip_all, fields(trigger = order.trigger))]
async fn while_held(context: &Context<'_>, order: &Order<'_>, lease: &Lease) -> Result<Report, EnrichError> {
    let Context { store, settings, clock, .. } = *context;
    let now = clock.now();
    let left = enrichment::doubt_left_over(store, lease, SERVICE).await?;
    if left > 0 {
        warn!(questions = left, "the process that asked them is gone: their answers are lost");
    }
    enrichment::take_over_jobs(store, lease, SERVICE).await?;
    if order.retry_lost || settings.retry_lost > 0 {
        let most = (!order.retry_lost).then_some(settings.retry_lost);
        enrichment::give_up_lost(store, lease, SERVICE, most, now).await?;
    }
    let pace = SharedPace { store, clock, account: SERVICE, per_minute: settings.per_minute };
    let service = LeadMagic::open(settings, context.root, clock, Box::new(pace), Some(lease.term()))
        .map_err(EnrichError::Service)?;
    let purse = context.purse();
    let most = order.max_credits.unwrap_or(settings.max_credits_per_run);
    spending::begin(store, &purse, order.trigger, Some(most), now).await?;
    let mut run = Run {
        store,
        settings,
        clock,
        stop: context.stop,
        service,
        lease,
        purse,
        domains: Remembered::new(context.domains),
        report: Report::default(),
    };
    let ended = run.all(context, order).await;
    let stopped = match &ended {
        Ok(Flow::GoOn) => None,
        Ok(Flow::Stop(reason)) => Some(reason.clone()),
        Err(error) => Some(error.chain()),
    };
    let credits = spending::finish(store, run.purse.run, stopped.as_deref(), clock.now()).await?;
    ended?;
    let used = spending::used(store, SERVICE, run.purse.day).await?;
    let report = Report {
        credits,
        left_today: (run.purse.per_day - used).max(Decimal::ZERO),
        lost: enrichment::lost(store, SERVICE).await?,
        jobs_open: enrichment::open_jobs(store, SERVICE).await?.len() as i64,
        stopped,
        ..run.report
    };
    info!(run.id = %run.purse.run, credits = %report.credits, lost = report.lost, "enriched");
    Ok(report)
}

/// Whether a run goes on.
enum Flow {
    GoOn,
    /// Not through, and why.
    Stop(String),
}

impl Flow {
    fn spent() -> Self {
        Self::Stop("the credits of the day or of the run are used up".to_owned())
    }
}

/// A run under way.
struct Run<'a> {
    store: &'a Store,
    settings: &'a EnrichmentSettings,
    clock: &'a dyn Clock,
    stop: &'a Stop,
    service: LeadMagic<'a>,
    lease: &'a Lease,
    purse: Purse<'a>,
    domains: Remembered<'a>,
    report: Report,
}

impl Run<'_> {
    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    async fn all(&mut self, context: &Context<'_>, order: &Order<'_>) -> Result<Flow, EnrichError> {
        let fresh = self.settings.cache.before(self.now());
        self.report.shared += enrichment::share(self.store, fresh).await?;
        let mut ended = Flow::GoOn;
        for step in &self.settings.steps {
            self.report.steps.push(StepReport { step: step.as_str(), ..StepReport::default() });
            let flow = self.step(context, order, *step).await?;
            // A spent budget may still pay for a cheaper step; anything else ends the run.
            if let Flow::Stop(reason) = flow {
                ended = Flow::Stop(reason);
                break;
            }
        }
        // Whatever ended the steps: what was handed over is read.
        let read = self.finish_jobs().await?;
        self.report.shared += enrichment::share(self.store, fresh).await?;
        Ok(match (ended, read) {
            (Flow::GoOn, read) => read,
            (ended, _) => ended,
        })
    }

    async fn step(
        &mut self,
        context: &Context<'_>,
        order: &Order<'_>,
        step: EnrichStep,
    ) -> Result<Flow, EnrichError> {
        let look = context.look(step, order);
        let mut after = Uuid::nil();
        loop {
            if self.stop.is_asked() {
                return Ok(Flow::Stop("asked to stop".to_owned()));
            }
            let open = enrichment::next(self.store, &look, after, i64::from(self.settings.batch)).await?;
            let Some(last) = open.last() else { return Ok(Flow::GoOn) };
            after = last.employee_id;
            self.counts(step).waiting += open.len() as i64;
            let open = if step == EnrichStep::Validate { self.sort_out(open).await? } else { open };
            let questions: Vec<Asking> = open.iter().filter_map(|one| ask::asking(step, one)).collect();
            let flow = if questions.len() >= self.settings.bulk_from as usize {
                self.submit(step, &questions).await?
            } else {
                self.one_by_one(step, &questions).await?
            };
            if let Flow::Stop(_) = flow {
                return Ok(flow);
            }
        }
    }

    /// What cannot be anybody's address is settled for free; the others are worth a question.
    async fn sort_out(&mut self, open: Vec<Open>) -> Result<Vec<Open>, EnrichError> {
        let now = self.now();
        let mut known = Vec::new();
        let (good, bad): (Vec<Open>, Vec<Open>) = open.into_iter().partition(|one| one.well_formed);
        let dead = |one: &Open, source: &str| {
            Verification::new(one.employee_id, &one.question, AddressStatus::Invalid, source, now)
        };
        known.extend(bad.iter().map(|one| dead(one, "syntax")));
        let (good, special): (Vec<Open>, Vec<Open>) =
            good.into_iter().partition(|one| ask::mail_domain(one, self.settings).is_some());
        known.extend(special.iter().map(|one| dead(one, "domain")));
        let worth = if self.settings.check_mx {
            let names: Vec<&str> =
                good.iter().filter_map(|one| ask::mail_domain(one, self.settings)).collect();
            let takes = self.domains.of(&names).await;
            let mut worth = Vec::new();
            for (one, takes) in good.into_iter().zip(takes) {
                if takes == TakesMail::No {
                    known.push(dead(&one, "domain"));
                } else {
                    worth.push(one);
                }
            }
            worth
        } else {
            good
        };
        self.counts(EnrichStep::Validate).refused += known.len() as i64;
        enrichment::verify(self.store, &known).await?;
        Ok(worth)
    }

    async fn one_by_one(&mut self, step: EnrichStep, questions: &[Asking]) -> Result<Flow, EnrichError> {
        for group in questions.chunks(AT_ONCE) {
            if self.stop.is_asked() {
                return Ok(Flow::Stop("asked to stop".to_owned()));
            }
            let calls = self.claim(step, None, group).await?;
            if calls.is_empty() {
                return Ok(Flow::spent());
            }
            self.count_asked(step, calls.len());
            let said =
                futures_util::future::join_all(calls.iter().map(|call| self.service.ask(step, &call.asked)))
                    .await;
            let ends = said.iter().find_map(|said| match said {
                Err(error @ (CallError::Misconfigured(_) | CallError::Later { .. })) => {
                    Some(error.to_string())
                }
                _ => None,
            });
            let outcomes: Vec<Outcome> = calls
                .iter()
                .zip(said)
                .map(|(call, said)| ask::outcome(step, call, said, self.settings))
                .collect();
            self.settle(step, &outcomes).await?;
            self.count_answers(step, &outcomes);
            if let Some(reason) = ends {
                return Ok(Flow::Stop(reason));
            }
            if calls.len() < group.len() {
                return Ok(Flow::spent());
            }
        }
        Ok(Flow::GoOn)
    }

    async fn claim(
        &self,
        step: EnrichStep,
        job: Option<Uuid>,
        questions: &[Asking],
    ) -> Result<Vec<Call>, EnrichError> {
        // A process that was stopped for a while must not ask with what it had in hand.
        if !self.lease.is_surely_held() {
            return Err(EnrichError::LeaseLost);
        }
        let price = self.settings.prices.of(step);
        let now = self.now();
        Ok(enrichment::claim(self.store, self.lease, &self.purse, (step, price), now, job, questions).await?)
    }

    async fn settle(&self, step: EnrichStep, outcomes: &[Outcome]) -> Result<(), EnrichError> {
        let now = self.now();
        enrichment::settle(self.store, self.lease, step, SERVICE, now, outcomes).await?;
        Ok(())
    }

    fn counts(&mut self, step: EnrichStep) -> &mut StepReport {
        let steps = &mut self.report.steps;
        let place = steps.iter().position(|one| one.step == step.as_str()).unwrap_or_else(|| {
            steps.push(StepReport { step: step.as_str(), ..StepReport::default() });
            steps.len() - 1
        });
        &mut steps[place]
    }

    fn count_asked(&mut self, step: EnrichStep, calls: usize) {
        self.counts(step).asked += calls as i64;
    }

    fn count_answers(&mut self, step: EnrichStep, outcomes: &[Outcome]) {
        let counts = self.counts(step);
        for one in outcomes.iter().filter(|one| one.end != Settlement::Released) {
            *counts.answers.entry(one.outcome.clone()).or_default() += 1;
        }
    }
}
