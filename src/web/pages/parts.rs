//! Parts of pages that are dear to make: loaded after the page, each with its age, and a page of its own for whoever
//! opens it without script. None is waited for.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use uuid::Uuid;

use super::words::Words;
use super::{Frame, PAGES, page};
use crate::model::Clock as _;
use crate::web::Shared;
use crate::web::access::{Visitor, may_look};
use crate::web::asked::{Path, Query};
use crate::web::chart;
use crate::web::fault::PageFault;
use crate::web::outlook::{Making, Told};
use crate::web::read::{self, ForecastView, PlanView, VerdictsView};

type Answer = Result<Response, PageFault>;

#[derive(Template)]
#[template(path = "alone.html", config = ".askama.toml")]
struct Alone<'a> {
    frame: Frame,
    back: &'a str,
    fragment: &'a str,
    again: bool,
}

/// For a page that loads it, or as a page of its own, which asks again by itself as long as something is to come.
fn part(headers: &HeaderMap, frame: Frame, back: &str, making: Making, template: &impl Template) -> Response {
    if headers.contains_key("x-fragment") {
        return page(template);
    }
    match template.render() {
        Ok(fragment) => page(&Alone { frame, back, fragment: &fragment, again: making != Making::Made }),
        Err(error) => {
            tracing::warn!(%error, "a part of a page could not be made");
            (StatusCode::INTERNAL_SERVER_ERROR, "this page could not be made\n").into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "plan.html", config = ".askama.toml")]
struct PlanPart<'a> {
    frame: Frame,
    t: Words,
    making: Making,
    as_of: Option<DateTime<Utc>>,
    view: Option<&'a PlanView>,
}

/// Ask the provider as well: whoever does, waits for it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Look {
    look: bool,
}

pub(super) async fn plan(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<i32>,
    Query(query): Query<Look>,
    headers: HeaderMap,
) -> Answer {
    let told = if query.look {
        may_look(&visitor, &headers)?;
        Told { answer: Some(read::plan(&shared, number, true).await?), making: Making::Made }
    } else {
        read::last_plan(&shared, number).await?
    };
    let frame = Frame::new("Plan", visitor.clone(), "");
    let t = Words { now: shared.clock.now() };
    let view = told.answer.as_deref();
    let as_of = view.map(|view| view.as_of);
    let template = PlanPart { frame, t, making: told.making, as_of, view };
    let around = Frame { live: false, ..Frame::new("Plan", visitor, "") };
    Ok(part(&headers, around, &format!("/campaigns/{number}"), told.making, &template))
}

/// A forecast, drawn.
struct Drawn<'a> {
    view: &'a ForecastView,
    sum: i64,
    days: Vec<(NaiveDate, i64)>,
    chart: String,
}

impl<'a> Drawn<'a> {
    fn new(view: &'a ForecastView) -> Self {
        let zone: Tz = view.timezone.parse().unwrap_or(Tz::UTC);
        let days = chart::by_day(&view.portions, zone);
        let sum = days.iter().map(|(_, count)| count).sum();
        Self { view, sum, chart: chart::forecast(&days, view.as_of, zone, view.days), days }
    }
}

#[derive(Template)]
#[template(path = "forecast.html", config = ".askama.toml")]
struct ForecastPart<'a> {
    t: Words,
    making: Making,
    as_of: Option<DateTime<Utc>>,
    drawn: Option<Drawn<'a>>,
}

pub(super) async fn forecast(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<i32>,
    headers: HeaderMap,
) -> Answer {
    let told = read::last_forecast(&shared, number).await?;
    let t = Words { now: shared.clock.now() };
    let view = told.answer.as_deref();
    let as_of = view.map(|view| view.as_of);
    let template = ForecastPart { t, making: told.making, as_of, drawn: view.map(Drawn::new) };
    let frame = Frame { live: false, ..Frame::new("Forecast", visitor, "") };
    Ok(part(&headers, frame, &format!("/campaigns/{number}"), told.making, &template))
}

#[derive(Template)]
#[template(path = "verdicts.html", config = ".askama.toml")]
struct VerdictsPart<'a> {
    t: Words,
    making: Making,
    as_of: Option<DateTime<Utc>>,
    view: Option<&'a VerdictsView>,
}

pub(super) async fn verdicts(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Answer {
    let told = read::last_verdicts(&shared, id).await?;
    let t = Words { now: shared.clock.now() };
    let view = told.answer.as_deref();
    let as_of = view.map(|view| view.as_of);
    let template = VerdictsPart { t, making: told.making, as_of, view };
    let frame = Frame { live: false, ..Frame::new("Where it stands", visitor, "") };
    Ok(part(&headers, frame, &format!("/contacts/{id}"), told.making, &template))
}
