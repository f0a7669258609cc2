//! One batch: its fields rendered, handed over, and what each answer means for its push.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tracing::warn;

use super::mail::{self, Dressed, Mailing};
use super::names::{add_names, learn};
use super::render::FieldRenderer;
use super::wait::{backoff, bounded};
use super::{Context, ReconcileError};
use crate::model::{ActionKind, Campaign, PushState, Verdict};
use crate::provider::{Answer, Destination, Item, Provider};
use crate::store::Lease;
use crate::store::pushes::{Claimed, Outcome};

/// Where one batch goes, and by what right.
pub(super) struct Call<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) campaign: &'a Campaign,
    pub(super) provider: &'a dyn Provider,
    pub(super) to: &'a Destination,
    pub(super) lease: &'a Lease,
    /// Where we send each mail ourselves.
    pub(super) mailing: Option<&'a Mailing<'a>>,
}

impl Call<'_> {
    /// One call. A process that slept through its lease calls nobody: another one has its pushes now.
    #[tracing::instrument(name = "call", skip_all, fields(campaign = self.campaign.number, provider = self.campaign.provider, items = items.len()))]
    async fn perform(&self, items: &[Item]) -> Result<Answer, ReconcileError> {
        if !self.lease.is_surely_held() {
            return Err(ReconcileError::LeaseLost(self.lease.name.clone()));
        }
        Ok(self.provider.perform(self.to, items).await)
    }
}

pub(super) struct Handed {
    pub(super) outcomes: Vec<Outcome>,
    /// Pushes that a stop took back before.
    pub(super) dropped: i64,
    /// The provider stops here; its pushes go back without having burned an attempt.
    pub(super) misconfigured: Option<String>,
    pub(super) calls: u32,
    /// When the provider as a whole wants to be called again.
    pub(super) come_back: Option<Duration>,
}

pub(super) async fn hand_over(
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
        let made = (push.attempts, mail::step_of(&push), push.sender.clone());
        match item(renderer, push) {
            Ok(item) => match Box::pin(dress(call, item, made.1, made.2.as_deref(), renderer)).await? {
                Ok(item) => {
                    items.push(item);
                    attempts.push(made.0);
                }
                Err(outcome) => handed.outcomes.push(*outcome),
            },
            Err(refused) => handed.outcomes.push(*refused),
        }
    }
    add_names(call.context, call.campaign, call.provider, &mut items).await?;
    let verdicts = perform(call, &items, &mut handed).await?;
    learn(call.context, call.campaign, call.provider).await?;
    mail::rest(call.context, call.provider).await?;
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

/// The item with its mail, or the outcome of a contact that gets none now.
async fn dress(
    call: &Call<'_>,
    item: Item,
    step: u16,
    sender: Option<&str>,
    renderer: &FieldRenderer,
) -> Result<Result<Item, Box<Outcome>>, ReconcileError> {
    let Some(mailing) = call.mailing.filter(|_| mail::is_mail(item.action)) else { return Ok(Ok(item)) };
    let (item, state, answer, not_before) =
        match mailing.dress(call.context, call.lease, item, step, sender).await? {
            Dressed::Ready(item) => return Ok(Ok(item)),
            Dressed::Unfit(item, reason) => (item, PushState::Refused, reason, None),
            Dressed::NoSender(item, next) => {
                let next = next.unwrap_or(call.context.clock.now() + bounded(Duration::from_mins(1)));
                (item, PushState::Retry, "no mailbox may send now".to_owned(), Some(next))
            }
        };
    let rendered = (!renderer.is_plain() && item.action != ActionKind::Send).then_some(item.fields);
    Ok(Err(Box::new(Outcome {
        key: item.key,
        action: item.action,
        state,
        answer: Some(answer),
        not_before,
        rendered,
        doubted: None,
        counts: state == PushState::Refused,
        bounced: false,
    })))
}

/// The item that goes out, or the outcome of a contact whose fields cannot be made.
fn item(renderer: &FieldRenderer, push: Claimed) -> Result<Item, Box<Outcome>> {
    let Claimed { key, action, email, fields, inputs, reason, .. } = push;
    let fields = match (fields, inputs) {
        (Value::Object(plain), Some(inputs)) if !renderer.is_plain() && action != ActionKind::Withdraw => {
            renderer.render(plain, &inputs).map(Value::Object)
        }
        (fields, _) => Ok(fields),
    };
    match fields {
        Ok(fields) => Ok(Item { key, action, email, fields, reason, held: None, mail: None }),
        Err(error) => Err(Box::new(Outcome {
            key,
            action,
            state: PushState::Refused,
            answer: Some(error.to_string()),
            not_before: None,
            rendered: None,
            doubted: None,
            counts: true,
            bounced: false,
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
    let makes = matches!(action, ActionKind::Enroll | ActionKind::Update);
    let rendered = (!renderer.is_plain() && makes).then_some(item.fields);
    // A mail that its mailbox rests for must not be the first again when the rest is over, or nobody else is ever
    // written to: it falls back a little further each time.
    let turns = if item.mail.is_some() { u32::from(attempts.unsigned_abs()) + 1 } else { 1 };
    let wait = |after: Option<Duration>| {
        bounded(after.map_or_else(|| backoff(attempts, salt), |after| after.saturating_mul(turns)))
    };
    // An account at fault says nothing about this contact.
    let counts = !matches!(verdict, Verdict::Misconfigured(_));
    let bounced = matches!(verdict, Verdict::Bounced(_));
    let (state, answer, not_before, doubted) = match verdict {
        Verdict::Accepted => (PushState::Accepted, None, None, None),
        Verdict::Refused(reason) | Verdict::Bounced(reason) => (PushState::Refused, Some(reason), None, None),
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
    Outcome { key, action, state, answer, not_before, rendered, doubted, counts, bounced }
}
