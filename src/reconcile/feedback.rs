//! Listening to providers that keep campaigns: polled by time, and told by webhooks. Both are taken in alike, and
//! hearing something twice changes nothing.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{debug, info};

use super::{Context, ReconcileError, held, settings_of, unleased};
use crate::model::{Campaign, ProviderKind, ProviderSettings, StopOn};
use crate::provider::{self, CallError, Feed, Headers, News, Remote, WebhookError};
use crate::store::feedback::{self, Saying, Source, TakenIn};
use crate::store::remote::{self, RemoteCampaign};

/// Feeds are read from a bit before where they were left: clocks differ, and the provider's own feeds are late.
const OVERLAP: TimeDelta = TimeDelta::minutes(15);
/// Filters by time are the provider's word: once in so long everything is read, of stops oftener than of the rest,
/// which is a row for each mail.
const fn whole_after(feed: Feed) -> TimeDelta {
    match feed {
        Feed::Unsubscribed | Feed::Bounced | Feed::Replied => TimeDelta::hours(24),
        Feed::Sent | Feed::Finished => TimeDelta::days(7),
    }
}
/// Longest that a feed goes unread while passes are made.
const STOPS_EVERY: TimeDelta = TimeDelta::minutes(5);
/// A webhook is not delivered again after so long.
const WEBHOOK_LIFE: TimeDelta = TimeDelta::days(14);

/// The feeds that tell of stops: they are read before anybody is handed over.
const STOPS: [Feed; 3] = [Feed::Unsubscribed, Feed::Bounced, Feed::Replied];

const fn name(feed: Feed) -> &'static str {
    match feed {
        Feed::Unsubscribed => "unsubscribed",
        Feed::Bounced => "bounced",
        Feed::Replied => "replied",
        Feed::Sent => "sent",
        Feed::Finished => "finished",
    }
}

/// Reads everything that the campaign's provider tells since the last time; nothing where it tells nothing.
pub async fn feedback(context: &Context<'_>, campaign: &Campaign) -> Result<TakenIn, ReconcileError> {
    if !settings_of(context, campaign)?.kind.keeps_campaigns() {
        return Ok(TakenIn::default());
    }
    let now = context.clock.now();
    feedback::forget_webhooks(context.store, now - WEBHOOK_LIFE).await?;
    let name = format!("listen:{}", campaign.number);
    let lease = match held::take_within(context, name, Duration::ZERO).await {
        // Another process listens, and what it hears is heard here.
        Err(ReconcileError::LeaseHeld(_)) => return Ok(TakenIn::default()),
        lease => lease?,
    };
    let work = listen(context, campaign, &Feed::ALL, TimeDelta::zero());
    let result = held::while_held(context, &lease, work).await;
    held::give_back(context, &lease).await;
    result
}

/// The same when it is time for it: a provider that has webhooks tells most of it by itself.
pub async fn feedback_when_due(
    context: &Context<'_>,
    campaign: &Campaign,
) -> Result<Option<TakenIn>, ReconcileError> {
    let ProviderKind::Smartlead { listen_every, .. } = &settings_of(context, campaign)?.kind else {
        return Ok(None);
    };
    let every = TimeDelta::from_std(*listen_every).unwrap_or(TimeDelta::hours(1));
    let known = remote::load(context.store, campaign.number, &campaign.provider).await?;
    let now = context.clock.now();
    let due = known.is_some_and(|known| {
        known.remote_id.is_some() && Feed::ALL.iter().any(|feed| is_due(&known, *feed, every, now))
    });
    if due { feedback(context, campaign).await.map(Some) } else { Ok(None) }
}

fn is_due(known: &RemoteCampaign, feed: Feed, every: TimeDelta, now: DateTime<Utc>) -> bool {
    known.heard.get(name(feed)).is_none_or(|heard| *heard + every <= now)
}

/// The stop feeds, unless they were read just now.
pub(super) async fn stops(context: &Context<'_>, campaign: &Campaign) -> Result<(), ReconcileError> {
    listen(context, campaign, &STOPS, STOPS_EVERY).await.map(|_| ())
}

#[tracing::instrument(name = "listen", skip_all, fields(campaign = campaign.number, provider = campaign.provider))]
async fn listen(
    context: &Context<'_>,
    campaign: &Campaign,
    feeds: &[Feed],
    every: TimeDelta,
) -> Result<TakenIn, ReconcileError> {
    let mut taken = TakenIn::default();
    if !settings_of(context, campaign)?.kind.keeps_campaigns() {
        return Ok(taken);
    }
    let Some(known) = remote::load(context.store, campaign.number, &campaign.provider).await? else {
        return Ok(taken);
    };
    let now = context.clock.now();
    let due: Vec<Feed> = feeds.iter().copied().filter(|feed| is_due(&known, *feed, every, now)).collect();
    let Some(id) = known.remote_id.as_deref().filter(|_| !due.is_empty()) else { return Ok(taken) };
    let (provider, _) = unleased(context, campaign)?;
    let Some(keeper) = provider.remote() else { return Ok(taken) };
    for feed in due {
        let heard = read(context, campaign, keeper, &known, id, feed).await?;
        taken += heard;
    }
    if taken != TakenIn::default() {
        info!(
            campaign = campaign.number,
            moved = taken.moved,
            stopped = taken.stopped,
            "listened to the provider"
        );
    }
    Ok(taken)
}

async fn read(
    context: &Context<'_>,
    campaign: &Campaign,
    keeper: &dyn Remote,
    known: &RemoteCampaign,
    id: &str,
    feed: Feed,
) -> Result<TakenIn, ReconcileError> {
    let started = context.clock.now();
    let whole = format!("{}, whole", name(feed));
    let reads_all = known.heard.get(&whole).is_none_or(|heard| *heard + whole_after(feed) <= started);
    let since = known.heard.get(name(feed)).filter(|_| !reads_all).map(|heard| *heard - OVERLAP);
    let mut taken = TakenIn::default();
    let mut from = Some(0);
    while let Some(offset) = from {
        let page = keeper.news(id, feed, since, offset).await.map_err(|error| failed(campaign, error))?;
        let sayings = sayings(&page.news);
        taken += feedback::take_in(context.store, source(context, campaign), &sayings).await?;
        from = page.next;
    }
    remote::heard(context.store, campaign.number, name(feed), started).await?;
    if reads_all {
        remote::heard(context.store, campaign.number, &whole, started).await?;
    }
    Ok(taken)
}

/// Takes in what was learnt otherwise.
pub(super) async fn take_in(
    context: &Context<'_>,
    campaign: &Campaign,
    news: &[News],
) -> Result<TakenIn, ReconcileError> {
    Ok(feedback::take_in(context.store, source(context, campaign), &sayings(news)).await?)
}

fn failed(campaign: &Campaign, error: CallError) -> ReconcileError {
    ReconcileError::Provider { provider: campaign.provider.clone(), source: error.into() }
}

fn source<'a>(context: &Context<'_>, campaign: &'a Campaign) -> Source<'a> {
    let stop_on = campaign.remote.as_ref().map(|remote| remote.stop_on).unwrap_or_default();
    Source {
        number: campaign.number,
        provider: &campaign.provider,
        stops_on_reply: stop_on == StopOn::Reply,
        now: context.clock.now(),
    }
}

fn sayings(news: &[News]) -> Vec<Saying> {
    news.iter()
        .map(|news| Saying {
            email: news.email.clone(),
            kind: news.kind.as_str(),
            at: news.at,
            step: news.step.and_then(|step| i32::try_from(step).ok()),
        })
        .collect()
}

/// Why a webhook is not taken.
#[derive(Debug, thiserror::Error)]
pub enum WebhookFault {
    /// To be answered with 404, 401 or 400: saying it again would not help.
    #[error(transparent)]
    Refused(#[from] WebhookError),
    /// To be answered with 500: it is delivered again.
    #[error(transparent)]
    Later(#[from] ReconcileError),
}

/// What became of a webhook that is genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Webhook {
    TakenIn(TakenIn),
    /// It was delivered before.
    Repeated,
    /// It is about a campaign that is not ours.
    NotOurs,
}

/// Verifies, reads and takes in a webhook of a provider. The answer may be sent once this returns.
pub async fn webhook(
    context: &Context<'_>,
    provider: &str,
    headers: &Headers,
    body: &[u8],
) -> Result<Webhook, WebhookFault> {
    let settings: &ProviderSettings =
        context.manifest.project.providers.get(provider).ok_or(WebhookError::NotExpected)?;
    let told = provider::read_webhook(settings, context.root, headers, body)?;
    let number =
        remote::number_of(context.store, provider, &told.remote).await.map_err(ReconcileError::from)?;
    let declared = |number: i32| context.manifest.campaigns.iter().find(|campaign| campaign.number == number);
    let Some(campaign) = number.and_then(declared) else {
        debug!(provider, "a webhook of a campaign that is not ours");
        return Ok(Webhook::NotOurs);
    };
    let taken =
        feedback::take_in_once(context.store, source(context, campaign), &told.key, &sayings(&told.news))
            .await
            .map_err(ReconcileError::from)?;
    Ok(taken.map_or(Webhook::Repeated, Webhook::TakenIn))
}
