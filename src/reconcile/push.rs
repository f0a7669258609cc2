//! From recorded pushes to outcomes: claim, hand over, settle, batch after batch, for as long as the account is ours.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep};
use tracing::info;

use super::batch::{Call, Handed, hand_over};
use super::budget::RATE_PATIENCE;
use super::mail::{self, Mailing};
use super::render::FieldRenderer;
use super::wait::bounded;
use super::{Account, Context, Order, ReconcileError, destination, held, open_provider};
use crate::model::Campaign;
use crate::provider::Destination;
use crate::store::pushes::{self, Batch, Claimed, Gate, Outcome, Settled};
use crate::store::rates;

/// Pushes without a mail that are settled at once where we send mails ourselves.
const MAILLESS: u32 = 200;

/// What the push phase did.
#[derive(Debug, Default)]
pub(super) struct Pushed {
    pub(super) settled: Settled,
    /// Pushes that a stop took back at the last moment.
    pub(super) stopped: i64,
    /// When the first of those that are put off may be handed over.
    pub(super) put_off_until: Option<DateTime<Utc>>,
}

/// A push phase that ended early, with what it had done by then.
pub(super) struct Fault {
    pub(super) settled: Settled,
    pub(super) message: String,
    pub(super) error: ReconcileError,
}

/// Hands over everything that is due, waiting up to the order's patience for what the provider puts off. Where the
/// campaign is not `ready` at its provider only withdrawals go out.
#[tracing::instrument(name = "push", skip_all, fields(campaign = campaign.number, provider = campaign.provider))]
pub(super) async fn all_due(
    context: &Context<'_>,
    campaign: &Campaign,
    order: &Order,
    ready: bool,
) -> Result<Pushed, Fault> {
    let mut pushed = Pushed::default();
    match hand_over_due(context, campaign, order, ready, &mut pushed).await {
        Ok(()) => Ok(pushed),
        Err(error) => Err(Fault { settled: pushed.settled, message: error.chain(), error }),
    }
}

async fn hand_over_due(
    context: &Context<'_>,
    campaign: &Campaign,
    order: &Order,
    ready: bool,
    pushed: &mut Pushed,
) -> Result<(), ReconcileError> {
    if !pushes::any_waiting(context.store, campaign.number).await? {
        return Ok(());
    }
    let renderer = FieldRenderer::new(campaign);
    let deadline = Instant::now() + order.patience;
    let until = context.clock.now() + bounded(order.patience);
    loop {
        let account = open_provider(context, campaign).await?;
        let (renderer, account) = (&renderer, &account);
        let turn = Turn { context, campaign, renderer, account, order, ready, deadline, until };
        let result = held::while_held(context, &account.lease, async {
            match &account.budget {
                None => Box::pin(turn.take(pushed)).await,
                Some(budget) => Box::pin(turn.take_paced(budget, pushed)).await,
            }
        })
        .await;
        held::give_back(context, &account.lease).await;
        match result? {
            Ended::Through => break,
            Ended::Stopping => return Err(ReconcileError::Stopping),
            // Longer than a waiting process sleeps between two tries.
            Ended::Yielded => sleep(2 * held::POLL).await,
        }
    }
    // One that was put off and went through later in this pass is not put off.
    let put_off = pushes::put_off(context.store, campaign.number).await?;
    pushed.settled.retry = put_off.pushes;
    pushed.put_off_until = put_off.until;
    Ok(())
}

/// Why a turn at the provider's account is over.
pub(super) enum Ended {
    /// Nothing is due any more, or not within the patience of this pass.
    Through,
    /// Another pass waits for the account.
    Yielded,
    /// The process is asked to stop.
    Stopping,
}

/// Work on one provider account for as long as its lease is ours and nobody else waits for it.
pub(super) struct Turn<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) campaign: &'a Campaign,
    renderer: &'a FieldRenderer,
    pub(super) account: &'a Account<'a>,
    order: &'a Order,
    ready: bool,
    deadline: Instant,
    /// What is put off beyond this is left to the next pass.
    until: DateTime<Utc>,
}

impl Turn<'_> {
    /// What may go out now: a window may close before everything has gone.
    pub(super) fn gate(&self) -> Gate {
        let gate = self.order.gate(self.campaign, self.context.clock.now());
        if self.ready { gate } else { Gate { enroll: false, update: false, ..gate } }
    }

    /// The latest that a push may be due to be claimed now. A provider that puts everything off, and is slower than
    /// the pauses are long, would never be through otherwise.
    pub(super) fn due_by(&self) -> DateTime<Utc> {
        self.until.min(self.context.clock.now())
    }

    async fn take(&self, pushed: &mut Pushed) -> Result<Ended, ReconcileError> {
        let mut unsettled: Vec<Outcome> = Vec::new();
        loop {
            let ended = if self.context.stop.is_asked() {
                Some(Ended::Stopping)
            } else if self.account.lease.is_wanted() {
                Some(Ended::Yielded)
            } else {
                None
            };
            if let Some(ended) = ended {
                pushed.settled += self.settle(&unsettled).await?;
                return Ok(ended);
            }
            // While one batch is settled the next one is handed over: neither waits for the other.
            let (done, handed) = tokio::join!(self.settle(&unsettled), self.next_batch());
            pushed.settled += done?;
            let handed = handed?;
            pushed.stopped += handed.dropped;
            unsettled = handed.outcomes;
            if let Some(message) = handed.misconfigured {
                pushed.settled += self.settle(&unsettled).await?;
                let provider = self.campaign.provider.clone();
                return Err(ReconcileError::Misconfigured { provider, message });
            }
            if unsettled.is_empty() && handed.dropped == 0 && !self.wait_for_due().await? {
                return Ok(Ended::Through);
            }
        }
    }

    /// Claims the pushes of one provider call and hands them over.
    async fn next_batch(&self) -> Result<Handed, ReconcileError> {
        let Self { campaign, account, .. } = self;
        // Before the claim: what is claimed is handed over at once, or a stop could come in between.
        self.wait_for_rate().await?;
        let batch = match &account.mailing {
            None => self.claim(self.gate(), account.batch, None).await?,
            Some(mailing) => self.claim_mail(mailing).await?,
        };
        let to = destination(campaign, account);
        let mut handed = self.hand_over(&to, batch.pushes).await?;
        handed.dropped = batch.dropped;
        self.account_for(&handed).await?;
        Ok(handed)
    }

    pub(super) async fn claim(
        &self,
        gate: Gate,
        size: u32,
        senders: Option<&mail::Senders>,
    ) -> Result<Batch, ReconcileError> {
        let Self { context, campaign, account, .. } = self;
        let senders = senders.map(|senders| pushes::Senders {
            free: &senders.free,
            declared: &senders.declared,
            retired: &senders.retired,
        });
        let at = pushes::At { now: context.clock.now(), due_by: self.due_by() };
        Ok(pushes::claim(context.store, campaign.number, &account.lease, gate, at, size, senders).await?)
    }

    /// What needs no mail goes first, many at once; then one mail, if a mailbox may send it.
    async fn claim_mail(&self, mailing: &Mailing<'_>) -> Result<Batch, ReconcileError> {
        let gate = self.gate();
        let changes = self.claim(Gate { enroll: false, ..gate }, MAILLESS, None).await?;
        if !changes.pushes.is_empty() || !gate.enroll && changes.dropped > 0 {
            return Ok(changes);
        }
        let senders = mailing.senders(self.context).await?;
        let mut mail = self.claim(gate, 1, Some(&senders)).await?;
        mail.dropped += changes.dropped;
        if mail.pushes.is_empty() && mail.dropped == 0 && gate.enroll {
            let now = self.context.clock.now();
            let next = senders.next.unwrap_or(now + bounded(Duration::from_mins(1)));
            pushes::put_off_mails(self.context.store, self.campaign.number, now, next).await?;
        }
        Ok(mail)
    }

    /// One batch, as far as its answer.
    pub(super) async fn hand_over(
        &self,
        to: &Destination,
        claimed: Vec<Claimed>,
    ) -> Result<Handed, ReconcileError> {
        let Self { context, campaign, account, .. } = self;
        let provider = account.provider.as_ref();
        let mailing = account.mailing.as_ref();
        let call = Call { context, campaign, provider, to, lease: &account.lease, mailing };
        hand_over(&call, self.renderer, claimed, context.clock.now()).await
    }

    pub(super) async fn settle(&self, outcomes: &[Outcome]) -> Result<Settled, ReconcileError> {
        if outcomes.is_empty() {
            return Ok(Settled::default());
        }
        let Self { context, campaign, account, .. } = self;
        let mails = account.mailing.is_some();
        let done =
            pushes::settle(context.store, campaign, &account.lease, context.clock.now(), outcomes, mails)
                .await?;
        info!(
            campaign = campaign.number,
            accepted = done.accepted,
            refused = done.refused,
            retry = done.retry,
            in_doubt = done.in_doubt,
            "settled"
        );
        if done.total() < outcomes.len() as i64 {
            return Err(ReconcileError::LeaseLost(account.lease.name.clone()));
        }
        Ok(done)
    }

    /// Waits for the account's next call if one is due.
    async fn wait_for_rate(&self) -> Result<(), ReconcileError> {
        let Some(per_minute) = self.account.per_minute else { return Ok(()) };
        let due = pushes::next_due(self.context.store, self.campaign.number, self.gate()).await?;
        if due.is_none_or(|due| due > self.due_by()) {
            // A claim costs no call then, and takes back what was stopped.
            return Ok(());
        }
        match rates::take(self.context.store, &self.campaign.provider, per_minute, RATE_PATIENCE).await? {
            Some(wait) => {
                let end = Instant::now() + wait;
                while Instant::now() < end {
                    if self.context.stop.is_asked() {
                        return Err(ReconcileError::Stopping);
                    }
                    sleep(held::POLL.min(end - Instant::now())).await;
                }
                Ok(())
            }
            None => Err(ReconcileError::RateSpent(self.campaign.provider.clone())),
        }
    }

    /// A refused batch is cut up in more calls than were reserved: later ones wait for them. What the
    /// provider says of its rate holds for every campaign of the account.
    async fn account_for(&self, handed: &Handed) -> Result<(), ReconcileError> {
        let (Some(per_minute), provider) = (self.account.per_minute, &self.campaign.provider) else {
            return Ok(());
        };
        for _ in 1..handed.calls {
            rates::take(self.context.store, provider, per_minute, Duration::from_hours(1)).await?;
        }
        if let Some(after) = handed.come_back {
            let until = self.context.clock.now() + bounded(after);
            rates::pause(self.context.store, provider, until).await?;
        }
        Ok(())
    }

    /// Sleeps until the next push is due if that is before the deadline.
    pub(super) async fn wait_for_due(&self) -> Result<bool, ReconcileError> {
        let Some(due) = pushes::next_due(self.context.store, self.campaign.number, self.gate()).await? else {
            return Ok(false);
        };
        let now = self.context.clock.now();
        let wait = (due - now).to_std().unwrap_or_default().max(Duration::from_millis(20));
        if Instant::now() + wait > self.deadline {
            return Ok(false);
        }
        sleep(wait).await;
        Ok(true)
    }
}
