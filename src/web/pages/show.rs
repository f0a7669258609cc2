//! Pages that show, and change nothing.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::words::Words;
use super::{Frame, PAGES, page};
use crate::manifest::Severity;
use crate::model::Clock as _;
use crate::web::Shared;
use crate::web::access::Visitor;
use crate::web::asked::{Path, Query};
use crate::web::chart::{self, SERIES, Total};
use crate::web::deeds::{Kind, Reason};
use crate::web::fault::PageFault;
use crate::web::read::{
    self, AnswersView, CampaignView, ContactView, DiagnosticsView, DoubtsView, Found, Overview, Problem,
    ProvidersView,
};

type Answer = Result<Response, PageFault>;

/// Days of the charts.
const DAYS: u64 = 30;
const EVENTS: i64 = 200;

/// What was just done; the words are ours.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct After {
    done: Option<String>,
}

impl After {
    fn words(&self) -> Option<&'static str> {
        Some(match self.done.as_deref()? {
            "paused" => "Paused. Stops still go out.",
            "resumed" => "It goes on with the next pass.",
            "approved" => "Let through once: the next pass does it, if the plan is still this one.",
            "suppressed" => "Suppressed. Whoever has this address is withdrawn with the next pass.",
            "decided" => "Decided. What the rules had made of it is taken back.",
            "settled" => "Settled.",
            "nothing" => "It was so already.",
            _ => return None,
        })
    }
}

struct Row {
    number: i32,
    name: String,
    sums: [i64; 5],
    spark: String,
}

#[derive(Template)]
#[template(path = "overview.html", config = ".askama.toml")]
struct OverviewPage {
    frame: Frame,
    t: Words,
    view: Overview,
    series: [&'static str; 5],
    funnel: String,
    chart: String,
    totals: Vec<Total>,
    rows: Vec<Row>,
}

pub(super) async fn overview(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Query(after): Query<After>,
) -> Answer {
    let view = read::overview(&shared).await?;
    let zone = shared.files.declared().await.manifest.project.defaults.timezone;
    let today = view.as_of.with_timezone(&zone).date_naive();
    let totals = chart::totals(&view.days, None, today, DAYS);
    let mut numbers: Vec<i32> = view.days.iter().map(|day| day.campaign_number).collect();
    numbers.extend(view.campaigns.iter().map(|line| line.number));
    numbers.sort_unstable();
    numbers.dedup();
    let rows = numbers.into_iter().map(|number| {
        let own = chart::totals(&view.days, Some(number), today, DAYS);
        let line = view.campaigns.iter().find(|line| line.number == number);
        Row {
            number,
            name: line.map_or_else(String::new, |line| line.campaign.clone()),
            sums: chart::sums(&own),
            spark: chart::spark(&own),
        }
    });
    let rows = rows.collect();
    let frame = Frame { done: after.words(), ..Frame::new("Overview", visitor, "/") };
    Ok(page(&OverviewPage {
        frame,
        t: Words { now: view.as_of },
        series: SERIES,
        funnel: chart::funnel(chart::sums(&totals)),
        chart: chart::engagement(&totals),
        totals,
        rows,
        view,
    }))
}

#[derive(Template)]
#[template(path = "campaign.html", config = ".askama.toml")]
struct CampaignPage {
    frame: Frame,
    t: Words,
    view: CampaignView,
    written: Vec<(String, String)>,
    series: [&'static str; 5],
    chart: String,
    totals: Vec<Total>,
}

pub(super) async fn campaign(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<i32>,
    Query(after): Query<After>,
) -> Answer {
    let view = read::campaign(&shared, number).await?;
    let zone = shared.files.declared().await.manifest.project.defaults.timezone;
    let totals = chart::totals(&view.days, None, view.as_of.with_timezone(&zone).date_naive(), DAYS);
    let t = Words { now: view.as_of };
    let written = match view.live.as_ref().map(|live| &live.written) {
        // `{"setting": {"declared": ..., "observed": ...}}`; only the setting and its value are for people.
        Some(Value::Object(settings)) => settings
            .iter()
            .map(|(name, value)| (name.clone(), t.value(value.get("declared").unwrap_or(value))))
            .collect(),
        _ => Vec::new(),
    };
    let frame = Frame { done: after.words(), ..Frame::new(view.line.campaign.clone(), visitor, "") };
    Ok(page(&CampaignPage {
        frame,
        t,
        written,
        series: SERIES,
        chart: chart::engagement(&totals),
        totals,
        view,
    }))
}

#[derive(Template)]
#[template(path = "contacts.html", config = ".askama.toml")]
struct ContactsPage {
    frame: Frame,
    t: Words,
    form_key: String,
    found: Option<Vec<Found>>,
}

pub(super) async fn contacts(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    found(&shared, visitor, None)
}

/// The form, with what was found.
pub(super) fn found(shared: &Shared, visitor: Visitor, found: Option<Vec<Found>>) -> Response {
    let form_key = visitor.form_key.clone();
    let frame = Frame { live: false, ..Frame::new("Contacts", visitor, "/contacts") };
    page(&ContactsPage { frame, t: Words { now: shared.clock.now() }, form_key, found })
}

#[derive(Template)]
#[template(path = "contact.html", config = ".askama.toml")]
struct ContactPage {
    frame: Frame,
    t: Words,
    view: ContactView,
    reasons: [&'static str; 4],
}

pub(super) async fn contact(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<Uuid>,
    Query(after): Query<After>,
) -> Answer {
    let view = read::contact(&shared, id).await?;
    let title = view.contact.full_name.clone().unwrap_or_else(|| "Contact".to_owned());
    let frame = Frame { done: after.words(), ..Frame::new(title, visitor, "") };
    let reasons = Reason::ALL.map(Reason::as_str);
    Ok(page(&ContactPage { frame, t: Words { now: view.as_of }, view, reasons }))
}

#[derive(Template)]
#[template(path = "replies.html", config = ".askama.toml")]
struct RepliesPage {
    frame: Frame,
    t: Words,
    view: AnswersView,
    kinds: [(&'static str, &'static str); 8],
}

pub(super) async fn replies(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Query(after): Query<After>,
) -> Answer {
    let view = read::answers(&shared).await?;
    let frame = Frame { done: after.words(), ..Frame::new("Answers to decide", visitor, "/replies") };
    let kinds = Kind::ALL.map(|(_, word, words)| (word, words));
    Ok(page(&RepliesPage { frame, t: Words { now: view.as_of }, view, kinds }))
}

#[derive(Template)]
#[template(path = "doubts.html", config = ".askama.toml")]
struct DoubtsPage {
    frame: Frame,
    t: Words,
    view: DoubtsView,
}

pub(super) async fn doubts(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Query(after): Query<After>,
) -> Answer {
    let view = read::doubts(&shared).await?;
    let frame = Frame { done: after.words(), ..Frame::new("In doubt", visitor, "/doubts") };
    Ok(page(&DoubtsPage { frame, t: Words { now: view.as_of }, view }))
}

#[derive(Template)]
#[template(path = "providers.html", config = ".askama.toml")]
struct ProvidersPage {
    frame: Frame,
    t: Words,
    view: ProvidersView,
}

pub(super) async fn providers(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Query(after): Query<After>,
) -> Answer {
    let view = read::providers(&shared).await?;
    let frame = Frame { done: after.words(), ..Frame::new("Providers and mailboxes", visitor, "/providers") };
    Ok(page(&ProvidersPage { frame, t: Words { now: view.as_of }, view }))
}

impl Problem {
    fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

#[derive(Template)]
#[template(path = "files.html", config = ".askama.toml")]
struct FilesPage {
    frame: Frame,
    view: DiagnosticsView,
}

pub(super) async fn files(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let view = read::diagnostics(&shared).await;
    page(&FilesPage { frame: Frame::new("Files", visitor, "/files"), view })
}

#[derive(Template)]
#[template(path = "events.html", config = ".askama.toml")]
struct EventsPage {
    frame: Frame,
    t: Words,
    view: read::EventsView,
}

pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
) -> Answer {
    let view = read::events(&shared, EVENTS).await?;
    let frame = Frame::new("What people did", visitor, "/events");
    Ok(page(&EventsPage { frame, t: Words { now: shared.clock.now() }, view }))
}
