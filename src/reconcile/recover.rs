//! Pushes that may or may not have been done: the provider is asked, and where it cannot tell they wait
//! for a person.

use tracing::info;
use uuid::Uuid;

use super::mail;
use super::names::learn;
use super::{Account, Context, ReconcileError, destination, held, open_provider};
use crate::model::{ActionKind, Campaign, PushKey, PushState};
use crate::provider::{Item, Presence};
use crate::store::Lease;
use crate::store::events::ByHand;
use crate::store::pushes::{self, Claimed, Outcome, Settled};
use crate::store::replies;

/// Settles what an earlier pass left claimed or in doubt, as far as the provider can tell.
#[tracing::instrument(name = "recover", skip_all, fields(campaign = campaign.number, provider = campaign.provider))]
pub(super) async fn unsettled(context: &Context<'_>, campaign: &Campaign) -> Result<Settled, ReconcileError> {
    if !pushes::any_unsettled(context.store, campaign.number).await? {
        return Ok(Settled::default());
    }
    let account = open_provider(context, campaign).await?;
    let Account { provider, batch, lease, .. } = &account;
    let to = destination(campaign, &account);
    let size = provider.looks_up_at_once(*batch);
    let mails = account.mailing.is_some();
    let work = async {
        let mut settled = Settled::default();
        let mut after = Uuid::nil();
        loop {
            let adopted = pushes::adopt(context.store, campaign.number, lease, after, size).await?;
            let Some(last) = adopted.last() else { break };
            after = last.key.employee_id;
            let mut items: Vec<Item> = adopted.into_iter().map(item).collect();
            mail::recall(context, campaign, &mut items).await?;
            // Somebody has answered it, or a server could not deliver it: it evidently went out.
            let answered = replies::answered(context.store, &keys(&items)).await?;
            let found = provider
                .look_up(&to, &items)
                .await
                .map_err(|source| ReconcileError::Provider { provider: campaign.provider.clone(), source })?;
            learn(context, campaign, provider.as_ref()).await?;
            let outcomes: Vec<Outcome> = items
                .iter()
                .zip(found)
                .map(|(item, presence)| {
                    let answered = answered.contains(&item.key);
                    let presence = if answered { Presence::Here } else { presence };
                    let mut outcome = judge(item.key, item.action, presence);
                    if answered {
                        outcome.answer = Some("an answer to it has come".to_owned());
                    }
                    outcome
                })
                .collect();
            let now = context.clock.now();
            settled += pushes::settle(context.store, campaign, lease, now, &outcomes, mails).await?;
        }
        Ok(settled)
    };
    let result = held::while_held(context, lease, work).await;
    held::give_back(context, lease).await;
    if let Ok(settled) = &result {
        info!(
            campaign = campaign.number,
            accepted = settled.accepted,
            retry = settled.retry,
            in_doubt = settled.in_doubt,
            "asked the provider about pushes in doubt"
        );
    }
    result
}

fn keys(items: &[Item]) -> Vec<PushKey> {
    items.iter().map(|item| item.key).collect()
}

fn item(push: Claimed) -> Item {
    Item {
        key: push.key,
        action: push.action,
        email: push.email,
        fields: push.fields,
        reason: push.reason,
        held: None,
        mail: None,
    }
}

fn judge(key: PushKey, action: ActionKind, presence: Presence) -> Outcome {
    let (state, answer, doubted) = match presence {
        Presence::Here => (PushState::Accepted, "found at the provider", Some(false)),
        // What a frozen process or a slow network still holds may yet arrive: should a stop come first, the provider
        // is taken to hold the contact.
        Presence::NotHere if action == ActionKind::Enroll => {
            (PushState::Retry, "not found at the provider", Some(true))
        }
        Presence::NotHere => (PushState::Retry, "not found at the provider", Some(false)),
        Presence::SendAgain => (PushState::Retry, "sent again under its key", Some(true)),
        Presence::Unknown => (PushState::InDoubt, "the provider cannot tell", Some(true)),
    };
    Outcome {
        key,
        action,
        state,
        answer: Some(answer.to_owned()),
        not_before: None,
        rendered: None,
        doubted,
        counts: true,
        bounced: false,
    }
}

/// Settles one push in doubt as a person says: it arrived, or it did not.
///
/// False when that push is not in doubt.
pub async fn settle_by_hand(
    context: &Context<'_>,
    campaign: &Campaign,
    key: PushKey,
    arrived: bool,
    by: ByHand<'_>,
) -> Result<bool, ReconcileError> {
    let lease = held::take(context, crate::store::provider_lease(&campaign.provider)).await?;
    let result = settle_one(context, campaign, key, arrived, by, &lease).await;
    held::give_back(context, &lease).await;
    result
}

async fn settle_one(
    context: &Context<'_>,
    campaign: &Campaign,
    key: PushKey,
    arrived: bool,
    by: ByHand<'_>,
    lease: &Lease,
) -> Result<bool, ReconcileError> {
    // The employee just before the one wanted: `adopt` starts after it.
    let after = Uuid::from_u128(key.employee_id.as_u128().saturating_sub(1));
    let adopted = pushes::adopt(context.store, key.campaign, lease, after, 1).await?;
    let Some(push) = adopted.first().filter(|push| push.key == key) else { return Ok(false) };
    let presence = if arrived { Presence::Here } else { Presence::NotHere };
    let mut outcome = judge(key, push.action, presence);
    outcome.doubted = Some(false);
    outcome.answer =
        Some(if arrived { "a person says it arrived" } else { "a person says it did not arrive" }.to_owned());
    let mails = context.manifest.project.mails(campaign).is_some();
    Ok(pushes::resolve(context.store, campaign, lease, outcome, mails, by).await?)
}
