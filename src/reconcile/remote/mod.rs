//! The campaign at a provider that keeps one: looked at before the plan, brought to what is declared around the
//! pushes. No transaction and no planning lease is held while the provider is asked.

mod compare;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;
use tracing::info;

use super::{
    Account, Context, Planner, ReconcileError, feedback, held, open_provider, settings_of, unleased,
};
use crate::model::{Blocked, Campaign, CampaignPlan, Guard, OnDrift, RemotePlan};
use crate::provider::{CallError, Remote, RemoteState, STATUS};
use crate::store::remote::{self, RemoteCampaign, Written};
use compare::{Compared, compare};

/// A lost answer to a creation may still come about at the provider for as long as this, beyond its timeout.
const STRAGGLING: Duration = Duration::from_secs(5);

/// What a look at the campaign brought.
#[derive(Debug, Clone, Default)]
pub enum Look {
    /// Its provider keeps no campaigns.
    #[default]
    None,
    Seen(Box<Sight>),
    /// Nothing can be said, and why.
    Failed(String),
}

impl Look {
    /// Adds how the campaign differs at its provider. What cannot be read there holds everything back but stops.
    pub(super) fn added_to(&self, mut plan: CampaignPlan) -> CampaignPlan {
        match self {
            Self::None => {}
            Self::Failed(message) => {
                plan.blocked = Some(Blocked { guard: Guard::RemoteUnknown, message: message.clone() });
            }
            Self::Seen(sight) => {
                let remote = sight.plan(&plan);
                // Made with the first contact.
                if remote.id.is_some() || plan.enroll + plan.keep + plan.in_flight > 0 {
                    let mut hasher = Sha256::new();
                    hasher.update(&plan.digest);
                    hasher.update(serde_json::to_vec(&remote).unwrap_or_default());
                    plan.digest = hex::encode(&hasher.finalize()[..16]);
                    plan.remote = Some(remote);
                }
            }
        }
        plan
    }
}

impl<'a> Planner<'a> {
    /// Looks at the campaigns at their providers, then opens a snapshot.
    pub async fn open_for(context: &Context<'a>, campaigns: &[&'a Campaign]) -> Result<Self, ReconcileError> {
        let mut looks = HashMap::new();
        for campaign in campaigns {
            looks.insert(campaign.number, look(context, campaign).await?);
        }
        let mut planner = Self::open(context).await?;
        planner.looks = looks;
        Ok(planner)
    }

    /// Takes in what a look at the campaign brought.
    pub fn seen(&mut self, campaign: &Campaign, look: Look) {
        self.looks.insert(campaign.number, look);
    }
}

/// The campaign as it is and as it should be.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    known: Option<RemoteCampaign>,
    wanted: BTreeMap<String, Value>,
    state: RemoteState,
    on_drift: OnDrift,
}

impl Sight {
    fn id(&self) -> Option<&str> {
        self.known.as_ref().and_then(|known| known.remote_id.as_deref())
    }

    fn compared(&self, people: [bool; 2]) -> Compared {
        let nothing = BTreeMap::new();
        let written = self.known.as_ref().map_or(&nothing, |known| &known.written);
        compare(&self.wanted, &self.state.values, written, self.on_drift, people)
    }

    /// How it differs from what is declared, given what the plan does.
    pub(super) fn plan(&self, plan: &CampaignPlan) -> RemotePlan {
        let live = plan.keep + plan.update + plan.in_flight > 0;
        let mut compared = self.compared([live || plan.enroll > 0, plan.enroll > 0]);
        match self.id() {
            Some(id) => compared.plan.id = Some(id.to_owned()),
            // Every setting of a campaign that is to be made is new: it says enough that it is made.
            None => compared.plan.changes.clear(),
        }
        compared.plan
    }
}

/// Stops first, in both directions; then the campaign itself. Without what the provider has to tell, nobody is handed
/// over.
pub(super) async fn observe(context: &Context<'_>, campaign: &Campaign) -> Result<Look, ReconcileError> {
    let stops = async {
        tell_stops(context, campaign).await?;
        feedback::stops(context, campaign).await
    };
    match stops.await {
        Ok(()) => look(context, campaign).await,
        Err(error @ (ReconcileError::Provider { .. } | ReconcileError::Misconfigured { .. })) => {
            Ok(Look::Failed(format!("stops could not be exchanged: {}", error.chain())))
        }
        Err(error) => Err(error),
    }
}

/// Looks at the campaign at its provider. Changes nothing.
pub async fn look(context: &Context<'_>, campaign: &Campaign) -> Result<Look, ReconcileError> {
    // Of a campaign whose file is gone there is no sequence: it stays there as it is.
    if campaign.sequence.is_empty() || !settings_of(context, campaign)?.kind.keeps_campaigns() {
        return Ok(Look::None);
    }
    let (provider, _) = unleased(context, campaign)?;
    let Some(keeper) = provider.remote() else { return Ok(Look::None) };
    let known = remote::load(context.store, campaign.number, &campaign.provider).await?;
    let on_drift = campaign.remote.as_ref().map(|remote| remote.on_drift).unwrap_or_default();
    let mut sight = Sight { known, wanted: keeper.wanted(campaign), on_drift, ..Sight::default() };
    if let Some(id) = sight.id() {
        match keeper.read(id).await {
            Ok(state) => sight.state = state,
            Err(error) => return Ok(Look::Failed(words(&campaign.provider, id, &error))),
        }
    }
    Ok(Look::Seen(Box::new(sight)))
}

fn words(provider: &str, id: &str, error: &CallError) -> String {
    match error {
        CallError::Gone(reason) => format!(
            "campaign {id} is gone at {provider} ({reason}); take another over with `outreachd adopt`, or give this one a new number"
        ),
        error => format!("campaign {id} could not be read at {provider}: {error}"),
    }
}

/// Brings the settings to what is declared, before anybody is handed over. Makes the campaign if there is none.
pub(super) async fn prepare(
    context: &Context<'_>,
    campaign: &Campaign,
    look: &Look,
    plan: &CampaignPlan,
) -> Result<(), ReconcileError> {
    let (Look::Seen(sight), Some(remote_plan)) = (look, &plan.remote) else { return Ok(()) };
    if plan.blocked.is_some() {
        return Ok(());
    }
    let nobody = plan.enroll == 0 && plan.keep == 0 && plan.in_flight == 0;
    if sight.id().is_none() && nobody {
        // Made with the first contact.
        return Ok(());
    }
    let compared = sight.compared([!nobody, plan.enroll > 0]);
    if remote_plan.writes() == 0 {
        remote::wrote(context.store, campaign.number, &compared.settled).await?;
        return Ok(());
    }
    let account = open_provider(context, campaign).await?;
    let work = async {
        let Some(keeper) = account.provider.remote() else { return Ok(()) };
        let mut sight = (**sight).clone();
        if sight.id().is_none() {
            sight = make(context, campaign, &account, keeper, sight).await?;
        }
        let compared = sight.compared([!nobody, plan.enroll > 0]);
        let names = names_to_write(&compared.plan);
        // Started after the first contacts are in, and paused before anything else happens.
        let (status, rest): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| name == STATUS);
        let pauses = sight.wanted.get(STATUS).is_some_and(|status| status != "active");
        let names = if pauses { [status, rest].concat() } else { rest };
        write(context, campaign, keeper, &sight, &names, compared.settled).await
    };
    let result = held::while_held(context, &account.lease, work).await;
    held::give_back(context, &account.lease).await;
    result
}

/// Starts the campaign, once somebody is in it.
pub(super) async fn start(
    context: &Context<'_>,
    campaign: &Campaign,
    plan: &CampaignPlan,
) -> Result<(), ReconcileError> {
    let Some(remote_plan) = &plan.remote else { return Ok(()) };
    let starts = remote_plan.id.is_none() || names_to_write(remote_plan).iter().any(|name| name == STATUS);
    if !starts || !remote::has_contacts(context.store, campaign.number).await? {
        return Ok(());
    }
    let account = open_provider(context, campaign).await?;
    let work = async {
        let Some(keeper) = account.provider.remote() else { return Ok(()) };
        let Some(known) = remote::load(context.store, campaign.number, &campaign.provider).await? else {
            return Ok(());
        };
        let Some(id) = known.remote_id.clone() else { return Ok(()) };
        let wanted = keeper.wanted(campaign);
        if wanted.get(STATUS).is_none_or(|status| status != "active") {
            return Ok(());
        }
        keeper
            .write(&id, &RemoteState::default(), &wanted, &[STATUS.to_owned()])
            .await
            .map_err(|error| failed(campaign, error))?;
        info!(campaign = campaign.number, "started at the provider");
        let started = Written { declared: Value::from("active"), observed: Value::from("active") };
        remote::wrote(context.store, campaign.number, &BTreeMap::from([(STATUS.to_owned(), started)]))
            .await?;
        Ok(())
    };
    let result = held::while_held(context, &account.lease, work).await;
    held::give_back(context, &account.lease).await;
    result
}

fn names_to_write(plan: &RemotePlan) -> Vec<String> {
    let restored = plan.drift.iter().filter(|_| plan.restores);
    plan.changes.iter().chain(restored).map(|change| change.field.clone()).collect()
}

/// Makes the campaign, or finds it where an earlier answer was lost.
async fn make(
    context: &Context<'_>,
    campaign: &Campaign,
    account: &Account<'_>,
    keeper: &dyn Remote,
    mut sight: Sight,
) -> Result<Sight, ReconcileError> {
    let number = campaign.number;
    // With its number, so that it is told from one of the same name that somebody made by hand.
    let name = sight
        .known
        .as_ref()
        .map_or_else(|| format!("{} #{number}", campaign.name), |known| known.name.clone());
    let found = keeper.find(&name).await.map_err(|error| failed(campaign, error))?;
    let id = match (found.as_slice(), &sight.known) {
        ([id], Some(_)) => id.clone(),
        ([], Some(known)) if context.clock.now() < known.asked_at + straggling(account) => {
            let reason = format!("whether `{name}` was created is not known yet");
            return Err(failed(campaign, CallError::Later { after: None, reason }));
        }
        ([], _) => create(context, campaign, account, keeper, &name).await?,
        _ => {
            let message =
                format!("there is a campaign `{name}` already; take it over with `outreachd adopt`");
            return Err(ReconcileError::Misconfigured { provider: campaign.provider.clone(), message });
        }
    };
    remote::created(context.store, number, &id, context.clock.now()).await?;
    info!(campaign = number, remote = id, "made at the provider");
    sight.known = remote::load(context.store, number, &campaign.provider).await?;
    sight.state = RemoteState::default();
    Ok(sight)
}

async fn create(
    context: &Context<'_>,
    campaign: &Campaign,
    account: &Account<'_>,
    keeper: &dyn Remote,
    name: &str,
) -> Result<String, ReconcileError> {
    let store = context.store;
    remote::intend(store, campaign.number, &campaign.provider, name, context.clock.now()).await?;
    match keeper.create(name).await {
        Ok(id) => Ok(id),
        Err(CallError::InDoubt(reason)) => {
            // Looked up by name before anything is said twice.
            sleep(account.provider.timeout().min(STRAGGLING)).await;
            match keeper.find(name).await.map_err(|error| failed(campaign, error))?.as_slice() {
                [id] => Ok(id.clone()),
                _ => Err(failed(campaign, CallError::Later { after: None, reason })),
            }
        }
        Err(error) => {
            remote::not_created(store, campaign.number).await?;
            Err(failed(campaign, error))
        }
    }
}

fn straggling(account: &Account<'_>) -> TimeDelta {
    TimeDelta::from_std(account.provider.timeout() + STRAGGLING).unwrap_or(TimeDelta::minutes(5))
}

/// Writes settings, reads them back, and remembers both.
async fn write(
    context: &Context<'_>,
    campaign: &Campaign,
    keeper: &dyn Remote,
    sight: &Sight,
    names: &[String],
    mut written: BTreeMap<String, Written>,
) -> Result<(), ReconcileError> {
    let Some(id) = sight.id() else { return Ok(()) };
    if !names.is_empty() {
        // Settings that are not written stand as they are there: some calls carry several at once.
        let mut target = sight.state.values.clone();
        for name in names {
            match sight.wanted.get(name) {
                Some(value) => target.insert(name.clone(), value.clone()),
                None => target.remove(name),
            };
        }
        for (name, value) in &sight.wanted {
            target.entry(name.clone()).or_insert_with(|| value.clone());
        }
        keeper.write(id, &sight.state, &target, names).await.map_err(|error| failed(campaign, error))?;
        let there = keeper.read(id).await.map_err(|error| failed(campaign, error))?;
        for name in names {
            let declared = sight.wanted.get(name).cloned().unwrap_or_default();
            let observed = there.values.get(name).cloned().unwrap_or_default();
            written.insert(name.clone(), Written { declared, observed });
        }
        info!(campaign = campaign.number, settings = names.len(), "written to the provider");
    }
    remote::wrote(context.store, campaign.number, &written).await?;
    Ok(())
}

fn failed(campaign: &Campaign, error: CallError) -> ReconcileError {
    match error {
        error if error.is_temporary() => {
            ReconcileError::Provider { provider: campaign.provider.clone(), source: error.into() }
        }
        error => {
            ReconcileError::Misconfigured { provider: campaign.provider.clone(), message: error.to_string() }
        }
    }
}

/// Tells the provider of stops that it does not know; gives their number.
pub(super) async fn tell_stops(context: &Context<'_>, campaign: &Campaign) -> Result<usize, ReconcileError> {
    /// As many as go into a few requests: the rest follows at the next pass.
    const MOST: i64 = 1000;
    if !settings_of(context, campaign)?.kind.keeps_campaigns() {
        return Ok(0);
    }
    let targets = remote::stops_to_tell(context.store, &campaign.provider, context.clock.now(), MOST).await?;
    if targets.is_empty() {
        return Ok(0);
    }
    let account = open_provider(context, campaign).await?;
    let work = async {
        let Some(keeper) = account.provider.remote() else { return Ok(0) };
        keeper.stop(&targets).await.map_err(|error| failed(campaign, error))?;
        remote::stops_told(context.store, &campaign.provider, &targets, context.clock.now()).await?;
        Ok(targets.len())
    };
    let result = held::while_held(context, &account.lease, work).await;
    held::give_back(context, &account.lease).await;
    result
}
