//! From recorded pushes to outcomes: claim, render, hand over, settle, one provider batch at a time.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::render::FieldRenderer;
use super::wait::{backoff, bounded};
use super::{Account, Context, ReconcileError, destination, held, open_provider};
use crate::model::{ActionKind, Campaign, PushState, Verdict};
use crate::provider::{Answer, Destination, Item, Provider};
use crate::store::pushes::{self, Claimed, Gate, Outcome, Settled};
use crate::store::{Lease, rates};

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

/// Hands over everything that is due, waiting up to `patience` for what the provider puts off.
pub(super) async fn all_due(
    context: &Context<'_>,
    campaign: &Campaign,
    gate: Gate,
    patience: Duration,
) -> Result<Pushed, Fault> {
    let mut pushed = Pushed::default();
    match hand_over_due(context, campaign, gate, patience, &mut pushed).await {
        Ok(()) => Ok(pushed),
        Err(error) => Err(Fault { settled: pushed.settled, message: error.chain(), error }),
    }
}

async fn hand_over_due(
    context: &Context<'_>,
    campaign: &Campaign,
    gate: Gate,
    patience: Duration,
    pushed: &mut Pushed,
) -> Result<(), ReconcileError> {
    if !pushes::any_waiting(context.store, campaign.number).await? {
        return Ok(());
    }
    let renderer = FieldRenderer::new(campaign);
    let deadline = Instant::now() + patience;
    loop {
        let account = open_provider(context, campaign).await?;
        let turn = Turn { context, campaign, renderer: &renderer, account: &account, gate, deadline };
        let result = held::while_held(context, &account.lease, turn.take(pushed)).await;
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
enum Ended {
    /// Nothing is due any more, or not within the patience of this pass.
    Through,
    /// Another pass waits for the account.
    Yielded,
    /// The process is asked to stop.
    Stopping,
}

/// Work on one provider account for as long as its lease is ours and nobody else waits for it.
struct Turn<'a> {
    context: &'a Context<'a>,
    campaign: &'a Campaign,
    renderer: &'a FieldRenderer,
    account: &'a Account<'a>,
    gate: Gate,
    deadline: Instant,
}

impl Turn<'_> {
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
        let Self { context, campaign, account, .. } = self;
        // Before the claim: what is claimed is handed over at once, or a stop could come in between.
        self.wait_for_rate().await?;
        let now = context.clock.now();
        let batch =
            pushes::claim(context.store, campaign.number, &account.lease, self.gate, now, account.batch)
                .await?;
        let to = destination(campaign);
        let call = Call { provider: account.provider.as_ref(), to: &to, lease: &account.lease };
        let mut handed = hand_over(&call, self.renderer, batch.pushes, context.clock.now()).await?;
        handed.dropped = batch.dropped;
        self.account_for(&handed).await?;
        Ok(handed)
    }

    async fn settle(&self, outcomes: &[Outcome]) -> Result<Settled, ReconcileError> {
        if outcomes.is_empty() {
            return Ok(Settled::default());
        }
        let Self { context, campaign, account, .. } = self;
        let done =
            pushes::settle(context.store, campaign, &account.lease, context.clock.now(), outcomes).await?;
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
        let due = pushes::next_due(self.context.store, self.campaign.number, self.gate).await?;
        if due.is_none_or(|due| due > self.context.clock.now()) {
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
    async fn wait_for_due(&self) -> Result<bool, ReconcileError> {
        let Some(due) = pushes::next_due(self.context.store, self.campaign.number, self.gate).await? else {
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

/// A minute holds at least one call of any rate; a longer wait is the provider's own word.
const RATE_PATIENCE: Duration = Duration::from_secs(61);

/// Where one batch goes, and by what right.
struct Call<'a> {
    provider: &'a dyn Provider,
    to: &'a Destination,
    lease: &'a Lease,
}

impl Call<'_> {
    /// One call. A process that slept through its lease calls nobody: another one has its pushes now.
    async fn perform(&self, items: &[Item]) -> Result<Answer, ReconcileError> {
        if !self.lease.is_surely_held() {
            return Err(ReconcileError::LeaseLost(self.lease.name.clone()));
        }
        Ok(self.provider.perform(self.to, items).await)
    }
}

struct Handed {
    outcomes: Vec<Outcome>,
    /// Pushes that a stop took back before.
    dropped: i64,
    /// The provider stops here; its pushes go back without having burned an attempt.
    misconfigured: Option<String>,
    calls: u32,
    /// When the provider as a whole wants to be called again.
    come_back: Option<Duration>,
}

async fn hand_over(
    call: &Call<'_>,
    renderer: &FieldRenderer,
    pushes: Vec<Claimed>,
    now: DateTime<Utc>,
) -> Result<Handed, ReconcileError> {
    let mut handed = Handed {
        outcomes: Vec::with_capacity(pushes.len()),
        dropped: 0,
        misconfigured: None,
        calls: 0,
        come_back: None,
    };
    let mut items = Vec::with_capacity(pushes.len());
    let mut attempts = Vec::with_capacity(pushes.len());
    for push in pushes {
        attempts.push(push.attempts);
        match item(renderer, push) {
            Ok(item) => items.push(item),
            Err(refused) => {
                attempts.pop();
                handed.outcomes.push(*refused);
            }
        }
    }
    let verdicts = perform(call, &items, &mut handed).await?;
    let dedupes = call.provider.dedupes();
    // One for the whole batch: what was put off together comes back together, in one call.
    let salt = items.first().map_or(0, |item| item.key.employee_id.as_u128());
    for ((item, verdict), attempts) in items.into_iter().zip(verdicts).zip(attempts) {
        if let Verdict::Misconfigured(message) = &verdict {
            handed.misconfigured.get_or_insert_with(|| message.clone());
        }
        handed.outcomes.push(outcome(item, verdict, (attempts, salt), dedupes, renderer, now));
    }
    Ok(handed)
}

/// The item that goes out, or the outcome of a contact whose fields cannot be made.
fn item(renderer: &FieldRenderer, push: Claimed) -> Result<Item, Box<Outcome>> {
    let Claimed { key, action, email, fields, inputs, .. } = push;
    let fields = match (fields, inputs) {
        (Value::Object(plain), Some(inputs)) if !renderer.is_plain() && action != ActionKind::Withdraw => {
            renderer.render(plain, &inputs).map(Value::Object)
        }
        (fields, _) => Ok(fields),
    };
    match fields {
        Ok(fields) => Ok(Item { key, action, email, fields }),
        Err(error) => Err(Box::new(Outcome {
            key,
            action,
            state: PushState::Refused,
            answer: Some(error.to_string()),
            not_before: None,
            rendered: None,
            doubted: None,
            counts: true,
        })),
    }
}

/// Verdicts in the order of the items. A call that is refused as a whole is cut in halves until the
/// item at fault stands alone.
async fn perform(
    call: &Call<'_>,
    items: &[Item],
    handed: &mut Handed,
) -> Result<Vec<Verdict>, ReconcileError> {
    let mut verdicts = Vec::with_capacity(items.len());
    let mut waiting = VecDeque::from([items]);
    while let Some(part) = waiting.pop_front() {
        if part.is_empty() {
            continue;
        }
        handed.calls += 1;
        match call.perform(part).await? {
            Answer::Items(answers) => {
                let missing = part.len().saturating_sub(answers.len());
                verdicts.extend(answers.into_iter().take(part.len()));
                let lost = Verdict::InDoubt("the provider answered for fewer items".to_owned());
                verdicts.extend(std::iter::repeat_n(lost, missing));
            }
            Answer::Whole(Verdict::Refused(_)) if part.len() > 1 => {
                let (left, right) = part.split_at(part.len() / 2);
                waiting.push_front(right);
                waiting.push_front(left);
            }
            Answer::Whole(verdict) => {
                // What stops one call stops the next: the rest is not tried.
                let ends = matches!(verdict, Verdict::Misconfigured(_) | Verdict::Retry { .. });
                if let Verdict::Retry { after: Some(after), .. } = verdict {
                    handed.come_back = Some(after);
                }
                verdicts.extend(std::iter::repeat_n(verdict.clone(), part.len()));
                if ends {
                    verdicts.extend(
                        waiting.drain(..).flat_map(|rest| std::iter::repeat_n(verdict.clone(), rest.len())),
                    );
                }
            }
        }
    }
    Ok(verdicts)
}

fn outcome(
    item: Item,
    verdict: Verdict,
    (attempts, salt): (i16, u128),
    dedupes: bool,
    renderer: &FieldRenderer,
    now: DateTime<Utc>,
) -> Outcome {
    let key = item.key;
    let action = item.action;
    let rendered = (!renderer.is_plain() && action != ActionKind::Withdraw).then_some(item.fields);
    let wait = |after: Option<Duration>| bounded(after.unwrap_or_else(|| backoff(attempts, salt)));
    // An account at fault says nothing about this contact.
    let counts = !matches!(verdict, Verdict::Misconfigured(_));
    let (state, answer, not_before, doubted) = match verdict {
        Verdict::Accepted => (PushState::Accepted, None, None, None),
        Verdict::Refused(reason) => (PushState::Refused, Some(reason), None, None),
        Verdict::Retry { after, reason } => (PushState::Retry, Some(reason), Some(now + wait(after)), None),
        Verdict::Misconfigured(reason) => (PushState::Retry, Some(reason), Some(now), None),
        // May be sent again, and must be remembered as perhaps there: a stop may come first.
        Verdict::InDoubt(reason) if dedupes => {
            (PushState::Retry, Some(reason), Some(now + wait(None)), Some(true))
        }
        Verdict::InDoubt(reason) => {
            warn!(push = %key, "in doubt");
            (PushState::InDoubt, Some(reason), None, Some(true))
        }
    };
    Outcome { key, action, state, answer, not_before, rendered, doubted, counts }
}
