//! One campaign: what is declared beside what is live, its limits today, its plan, forecast and passes.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Now;
use super::days::days;
use super::overview::{CampaignLine, line};
use crate::model::CampaignPlan;
use crate::reconcile::forecast::{Portion, forecast as play};
use crate::reconcile::{Planner, ReconcileError};
use crate::store::approvals::{self, Approval};
use crate::store::engagement::Day;
use crate::store::events::{self, Event};
use crate::store::history::{self, Entry};
use crate::store::remote::{self, Sighting};
use crate::store::{StoreError, campaigns, conditions, status};
use crate::web::Shared;
use crate::web::fault::Fault;
use crate::web::outlook::{About, Told};

/// Actions of each kind that a plan shows.
const SAMPLES: i64 = 5;
/// Days that a forecast looks ahead.
const AHEAD: u32 = 30;
const EVENTS: i64 = 20;
/// Passes of a page.
pub(super) const PASSES: i64 = 20;

/// What is left of the limits today.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct LimitsView {
    /// Of today; `None` is no limit.
    pub per_day: Option<u32>,
    pub per_domain_per_day: Option<u32>,
    pub handed_over_today: i64,
    pub left_today: Option<i64>,
    /// Days since the first contact entered.
    pub day: u32,
    /// What a limit will be when its ramp is through.
    pub full: Option<u32>,
    pub window_open: bool,
}

/// What the database knows to be live.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct LiveView {
    pub name: String,
    pub provider: String,
    pub declared_at: DateTime<Utc>,
    /// The campaign at its provider, where that keeps one.
    pub remote_id: Option<String>,
    /// What was last written to the campaign at its provider, by setting.
    pub written: Value,
    /// How it differed from what is declared, when a pass last looked there.
    pub seen: Option<Sighting>,
}

/// One campaign.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct CampaignView {
    pub as_of: DateTime<Utc>,
    pub line: CampaignLine,
    /// Path below the project folder.
    pub file: String,
    /// What stands in it.
    pub text: String,
    pub segment: String,
    pub live: Option<LiveView>,
    pub limits: LimitsView,
    pub approval: Option<Approval>,
    pub history: Vec<Entry>,
    pub events: Vec<Event>,
    pub days: Vec<Day>,
    /// Errors in the files; those before them are in force, this campaign's too.
    pub problems: usize,
}

pub(in crate::web) async fn campaign(shared: &Shared, number: i32) -> Result<CampaignView, Fault> {
    let now = Now::of(shared).await?;
    let campaign = now.campaign(number).ok_or(Fault::Unknown("campaign"))?;
    let store = &shared.store;
    let subject = format!("campaign:{number}");
    let handed = async {
        let mut connection =
            store.begin().await.map_err(StoreError::on("count what was handed over today"))?;
        let mails = now.sends_mails(campaign);
        campaigns::handed(&mut connection, number, campaign.day_start(now.at), mails).await
    };
    let numbers = [number];
    let (figures, standing, handed, live, seen, approval, history, events) = tokio::try_join!(
        status::campaigns(store, &numbers),
        conditions::list(store),
        handed,
        campaigns::live(store, number),
        remote::last_seen(store, number),
        approvals::standing(store, number),
        history::list(store, Some(number), PASSES),
        events::list(store, Some(&subject), EVENTS),
    )?;
    let days = days(shared, now.at, now.manifest.project.defaults.timezone).await?;
    let day = handed.first.map_or(0, |first| campaign.days_between(first, now.at));
    let per_day = campaign.limits.on_day(day);
    let full = campaign.limits.ramp.and(campaign.limits.per_day);
    let limits = LimitsView {
        per_day,
        per_domain_per_day: campaign.limits.per_domain_per_day,
        handed_over_today: handed.today,
        left_today: per_day.map(|limit| (i64::from(limit) - handed.today).max(0)),
        day,
        full,
        window_open: campaign.is_open(now.at),
    };
    let live = live.map(|live| LiveView {
        name: live.name,
        provider: live.provider,
        declared_at: live.declared_at,
        remote_id: live.remote_id,
        written: live.written.unwrap_or_default(),
        seen,
    });
    Ok(CampaignView {
        as_of: now.at,
        line: line(campaign, &now, &figures, &standing),
        file: campaign.file.clone(),
        text: now.manifest.text(&campaign.file).unwrap_or_default().to_owned(),
        segment: campaign.segment.clone(),
        live,
        limits,
        approval,
        history,
        events,
        problems: now.problems(),
        days: days.into_iter().filter(|day| day.campaign_number == number).collect(),
    })
}

/// What applying the campaign would do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct PlanView {
    pub as_of: DateTime<Utc>,
    pub plan: CampaignPlan,
}

/// The plan as it was worked out last, at once.
pub(in crate::web) async fn last_plan(shared: &Shared, number: i32) -> Result<Told<PlanView>, Fault> {
    let now = Now::of(shared).await?;
    now.campaign(number).ok_or(Fault::Unknown("campaign"))?;
    let world = now.world(shared).await?;
    Ok(shared.outlooks.at_once(&shared.outlooks.plans, About::Plan(number), &world).await)
}

/// The plan; `asks_provider` also looks at the campaign at its provider, which costs calls.
pub(in crate::web) async fn plan(
    shared: &Shared,
    number: i32,
    asks_provider: bool,
) -> Result<std::sync::Arc<PlanView>, Fault> {
    let now = Now::of(shared).await?;
    let world = now.world(shared).await?;
    let campaign = now.campaign(number).ok_or(Fault::Unknown("campaign"))?;
    let context = shared.context(&now.manifest);
    let make = async {
        let mut planner = if asks_provider {
            Planner::open_for(&context, &[campaign]).await?
        } else {
            Planner::open(&context).await?
        };
        let mut twin = planner.twin(&context).await?;
        let (plan, funnel) = tokio::join!(planner.campaign(campaign, SAMPLES), twin.funnel(campaign));
        let mut plan = plan?;
        if plan.is_told() {
            plan.funnel = funnel?;
        }
        Ok::<_, ReconcileError>(PlanView { as_of: planner.as_of(), plan })
    };
    if asks_provider {
        let busy = Fault::Busy("its provider is being asked for somebody else: try again in a moment");
        let _looking = shared.outlooks.look(number).ok_or(busy)?;
        return Ok(std::sync::Arc::new(make.await?));
    }
    Ok(shared.outlooks.plans.get(About::Plan(number), &world, make).await?)
}

/// What will be handed over when.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct ForecastView {
    pub as_of: DateTime<Utc>,
    pub timezone: String,
    pub days: u32,
    /// Who waits to enter; `None` where nothing can be said.
    pub waiting: Option<i64>,
    pub portions: Vec<Portion>,
    /// Why nothing can be said.
    pub error: Option<String>,
}

/// The forecast as it was worked out last, at once.
pub(in crate::web) async fn last_forecast(shared: &Shared, number: i32) -> Result<Told<ForecastView>, Fault> {
    let now = Now::of(shared).await?;
    now.campaign(number).ok_or(Fault::Unknown("campaign"))?;
    let world = now.world(shared).await?;
    Ok(shared.outlooks.at_once(&shared.outlooks.forecasts, About::Forecast(number), &world).await)
}

pub(in crate::web) async fn forecast(
    shared: &Shared,
    number: i32,
) -> Result<std::sync::Arc<ForecastView>, Fault> {
    let now = Now::of(shared).await?;
    let world = now.world(shared).await?;
    let campaign = now.campaign(number).ok_or(Fault::Unknown("campaign"))?;
    let context = shared.context(&now.manifest);
    let make = async {
        let mut planner = Planner::open(&context).await?;
        let view = ForecastView {
            as_of: now.at,
            timezone: campaign.timezone.name().to_owned(),
            days: AHEAD,
            waiting: None,
            portions: Vec::new(),
            error: None,
        };
        Ok::<_, ReconcileError>(match planner.waiting(campaign).await? {
            Ok(waiting) => ForecastView {
                waiting: Some(waiting.domains.iter().map(|kind| kind.waiting * kind.domains).sum()),
                portions: play(campaign, &waiting, now.at, AHEAD),
                ..view
            },
            Err(message) => ForecastView { error: Some(message), ..view },
        })
    };
    Ok(shared.outlooks.forecasts.get(About::Forecast(number), &world, make).await?)
}

/// Passes, newest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct HistoryView {
    pub passes: Vec<Entry>,
}

pub(in crate::web) async fn history(
    shared: &Shared,
    number: Option<i32>,
    limit: i64,
) -> Result<HistoryView, Fault> {
    Ok(HistoryView { passes: history::list(&shared.store, number, limit.clamp(1, 1000)).await? })
}
