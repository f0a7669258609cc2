//! What pages and the API show: read once, shown twice. Never writes.

mod answers;
mod behind;
mod campaign;
mod contact;
mod days;
mod overview;
mod trouble;

use chrono::{DateTime, TimeDelta, Utc};

pub(super) use answers::{AnswersView, answers};
pub(super) use behind::keep_making;
pub(super) use campaign::{
    CampaignView, ForecastView, HistoryView, PlanView, campaign, forecast, history, last_forecast, last_plan,
    plan,
};
pub(super) use contact::{ContactView, Found, VerdictsView, contact, find, last_verdicts, verdicts};
pub(super) use days::{Past, count_days, keep_counting};
pub(super) use overview::{Overview, overview};
pub(super) use trouble::{
    DiagnosticsView, DoubtsView, EventsView, Problem, ProvidersView, diagnostics, doubts, events, providers,
};

use super::{Shared, files::Declared};
use crate::manifest::Manifest;
use crate::model::{Campaign, Clock as _};
use crate::store::pauses::{self, Pause};
use crate::store::{StoreError, campaigns};

/// A daemon gives a sign of life every ten seconds.
const SILENCE: TimeDelta = TimeDelta::seconds(45);

/// The files, the instant, and what a person has paused beside the files.
pub(super) struct Now {
    pub declared: Declared,
    /// With what is paused by hand.
    pub manifest: Manifest,
    pub at: DateTime<Utc>,
    pub pauses: Vec<Pause>,
}

impl Now {
    pub(super) async fn of(shared: &Shared) -> Result<Self, StoreError> {
        let declared = shared.files.declared().await;
        let at = shared.clock.now();
        let pauses = pauses::holding(&shared.store, at).await?;
        let paused: Vec<i32> = pauses.iter().map(|pause| pause.campaign_number).collect();
        let manifest = Manifest::clone(&declared.manifest).with_paused(&paused);
        Ok(Self { declared, manifest, at, pauses })
    }

    pub(super) fn campaign(&self, number: i32) -> Option<&Campaign> {
        self.manifest.campaigns.iter().find(|campaign| campaign.number == number)
    }

    /// Whether we send each mail of the campaign ourselves.
    pub(super) fn sends_mails(&self, campaign: &Campaign) -> bool {
        self.manifest.project.mails(campaign).is_some()
    }

    /// Errors in the files; those before them are in force.
    fn problems(&self) -> usize {
        self.declared.diagnostics.iter().filter(|one| one.is_error()).count()
    }

    fn pause_of(&self, number: i32) -> Option<&Pause> {
        self.pauses.iter().find(|pause| pause.campaign_number == number)
    }

    /// What plans are made from; time counts by the minute.
    async fn world(&self, shared: &Shared) -> Result<String, StoreError> {
        let changes = campaigns::changes(&shared.store).await?;
        let paused: Vec<i32> = self.pauses.iter().map(|pause| pause.campaign_number).collect();
        Ok(format!("{}:{changes}:{paused:?}:{}", self.manifest.digest, self.at.timestamp() / 60))
    }
}
