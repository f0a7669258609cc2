//! Taking over a campaign that somebody made at the provider by hand: its people are matched to `employees`, nothing
//! is sent, and whoever is not known is left alone.

use serde_json::{Map, Value};

use super::{Context, ReconcileError, feedback, held, open_provider};
use crate::model::Campaign;
use crate::provider::{CallError, Member, MemberState, News, NewsKind};
use crate::store::events::ByHand;
use crate::store::remote::{self, Adoptee, Adoption, Fates};
use crate::store::{campaign_lease, campaigns};

/// Takes over the provider's campaign `remote_id` as ours.
pub async fn adopt(
    context: &Context<'_>,
    campaign: &Campaign,
    remote_id: &str,
    dry_run: bool,
    by: ByHand<'_>,
) -> Result<Fates, ReconcileError> {
    let planner = held::take(context, campaign_lease(campaign.number)).await?;
    let work = take_over(context, campaign, remote_id, dry_run, by);
    let result = Box::pin(held::while_held(context, &planner, work)).await;
    held::give_back(context, &planner).await;
    result
}

async fn take_over(
    context: &Context<'_>,
    campaign: &Campaign,
    remote_id: &str,
    dry_run: bool,
    by: ByHand<'_>,
) -> Result<Fates, ReconcileError> {
    let refuse =
        |message: String| ReconcileError::Misconfigured { provider: campaign.provider.clone(), message };
    let known = remote::load(context.store, campaign.number, &campaign.provider).await?;
    if let Some(other) = known.and_then(|known| known.remote_id).filter(|id| id != remote_id) {
        return Err(refuse(format!("campaign {} is number {other} there already", campaign.name)));
    }
    let owner = remote::number_of(context.store, &campaign.provider, remote_id).await?;
    if let Some(number) = owner.filter(|number| *number != campaign.number) {
        return Err(refuse(format!("campaign {remote_id} is ours already, as number {number}")));
    }
    let account = open_provider(context, campaign).await?;
    let asked = async {
        let Some(keeper) = account.provider.remote() else {
            return Err(refuse("it keeps no campaigns that could be taken over".to_owned()));
        };
        let failed = |error: CallError| match error {
            CallError::Gone(reason) => refuse(format!("there is no campaign {remote_id}: {reason}")),
            error => ReconcileError::Provider { provider: campaign.provider.clone(), source: error.into() },
        };
        keeper.read(remote_id).await.map_err(failed)?;
        keeper.members(remote_id).await.map_err(failed)
    };
    let members = held::while_held(context, &account.lease, asked).await;
    held::give_back(context, &account.lease).await;
    let members = members?;
    if !dry_run {
        campaigns::remember(context.store, campaign, context.clock.now()).await?;
    }
    let mut tolerated: Vec<i32> = context
        .manifest
        .campaigns
        .iter()
        .filter(|other| other.tolerates(campaign))
        .map(|other| other.number)
        .collect();
    tolerated.push(campaign.number);
    let people: Vec<Adoptee> = members.iter().map(|member| adoptee(campaign, member)).collect();
    let adoption = Adoption { campaign, remote_id, tolerated: &tolerated, by, dry_run };
    let fates = remote::adopt(context.store, adoption, &people).await?;
    if !dry_run {
        // Who has stopped there has stopped here.
        let stops: Vec<News> = members.iter().filter_map(stop).collect();
        feedback::take_in(context, campaign, &stops).await?;
    }
    Ok(fates)
}

fn adoptee(campaign: &Campaign, member: &Member) -> Adoptee {
    // Only what the campaign declares: other fields are none of ours, and no difference.
    let fields: Map<String, Value> = member
        .fields
        .iter()
        .filter(|(name, _)| campaign.fields.contains_key(*name))
        .map(|(name, value)| (name.clone(), Value::String(value.clone())))
        .collect();
    Adoptee {
        email: member.email.clone(),
        held: member.held.clone(),
        status: match member.state {
            MemberState::Queued => "queued",
            MemberState::Active => "active",
            MemberState::Finished => "finished",
            MemberState::Bounced => "bounced",
            MemberState::Unsubscribed => "unsubscribed",
            MemberState::Stopped => "withdrawn",
        },
        fields: Value::Object(fields),
        since: member.since,
    }
}

fn stop(member: &Member) -> Option<News> {
    let kind = match member.state {
        MemberState::Unsubscribed => NewsKind::Unsubscribed,
        MemberState::Bounced => NewsKind::Bounced,
        _ => return None,
    };
    Some(News { email: member.email.clone(), kind, at: None, step: None })
}
