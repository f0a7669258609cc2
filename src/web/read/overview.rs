//! All campaigns at a glance: condition, next ticks, what is in doubt or blocked, and what became of people.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::days::days;
use super::{Now, SILENCE};
use crate::model::{Campaign, Orphan, State};
use crate::reconcile::in_rank;
use crate::store::conditions::{self, Standing};
use crate::store::daemons::{self, Daemon};
use crate::store::engagement::Day;
use crate::store::pauses::Pause;
use crate::store::status::{self, CampaignStatus};
use crate::store::{StoreError, campaigns};
use crate::web::Shared;

/// Ticks shown of each campaign.
const TICKS: usize = 3;

/// One campaign.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct CampaignLine {
    pub campaign: String,
    pub number: i32,
    pub provider: String,
    /// As its file says.
    pub state: State,
    pub timezone: String,
    /// By hand, beside the file.
    pub pause: Option<Pause>,
    pub conditions: Vec<Standing>,
    pub next_ticks: Vec<DateTime<Utc>>,
    pub figures: CampaignStatus,
}

impl CampaignLine {
    /// The condition that a person wants to see first.
    pub(in crate::web) fn condition(&self) -> (&str, Option<&Standing>) {
        for kind in ["blocked", "degraded", "paused"] {
            if let Some(standing) = self.conditions.iter().find(|one| one.holds && one.kind == kind) {
                return (kind, Some(standing));
            }
        }
        match self.conditions.iter().find(|one| one.kind == "ready") {
            _ if self.pause.is_some() => ("paused", None),
            Some(ready) if ready.holds => ("ready", Some(ready)),
            Some(ready) => ("not ready", Some(ready)),
            None => ("not looked at yet", None),
        }
    }

    pub(in crate::web) const fn state_word(&self) -> &'static str {
        match self.state {
            State::Active => "active",
            State::Paused => "paused",
            State::Archived => "archived",
        }
    }
}

/// Everything.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct Overview {
    pub as_of: DateTime<Utc>,
    /// In order of rank.
    pub campaigns: Vec<CampaignLine>,
    /// What happened in the last 30 days, by campaign and day.
    pub days: Vec<Day>,
    pub daemons: Vec<Daemon>,
    /// Campaigns that no file declares.
    pub orphaned: Vec<Orphan>,
    /// Errors in the files; those before them are in force.
    pub problems: usize,
}

/// One campaign's line, from what was read of all.
pub(super) fn line(
    campaign: &Campaign,
    now: &Now,
    figures: &[CampaignStatus],
    conditions: &[Standing],
) -> CampaignLine {
    let number = campaign.number;
    let declared = now.declared.manifest.campaigns.iter().find(|known| known.number == number);
    let ticks = campaign.schedule.as_ref().map(|schedule| {
        schedule.ticks_after(number, campaign.timezone, now.at).take(TICKS).map(|tick| tick.due).collect()
    });
    CampaignLine {
        campaign: campaign.name.clone(),
        number,
        provider: campaign.provider.clone(),
        state: declared.map_or(campaign.state, |declared| declared.state),
        timezone: campaign.timezone.name().to_owned(),
        pause: now.pause_of(number).cloned(),
        conditions: conditions.iter().filter(|one| one.campaign_number == number).cloned().collect(),
        next_ticks: ticks.unwrap_or_default(),
        figures: figures.iter().find(|one| one.number == number).cloned().unwrap_or_default(),
    }
}

pub(in crate::web) async fn overview(shared: &Shared) -> Result<Overview, StoreError> {
    let now = Now::of(shared).await?;
    let store = &shared.store;
    let numbers: Vec<i32> = now.manifest.campaigns.iter().map(|campaign| campaign.number).collect();
    let zone = now.manifest.project.defaults.timezone;
    let orphans = async {
        let mut connection = store.begin().await.map_err(StoreError::on("read the status"))?;
        campaigns::orphans(&mut connection, &numbers).await
    };
    let (figures, standing, days, daemons, orphaned) = tokio::try_join!(
        status::campaigns(store, &numbers),
        conditions::list(store),
        days(shared, now.at, zone),
        daemons::alive(store, now.at - SILENCE),
        orphans,
    )?;
    let lines = in_rank(&now.manifest.campaigns)
        .into_iter()
        .map(|campaign| line(campaign, &now, &figures, &standing))
        .collect();
    let problems = now.problems();
    Ok(Overview { as_of: now.at, campaigns: lines, days, daemons, orphaned, problems })
}
