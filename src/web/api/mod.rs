//! The JSON API under `/api/v1`, and its OpenAPI document from the same list of routes and types.

mod openapi;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::access::{Visitor, may_look};
use super::asked::{Path, Query, nothing};
use super::deeds::{self, Approve, Correct, Done, Pause, Resolve, Resume, Suppress};
use super::fault::{ApiFault, Fault};
use super::read::{
    self, AnswersView, CampaignView, ContactView, DiagnosticsView, DoubtsView, EventsView, ForecastView,
    Found, HistoryView, Overview, PlanView, ProvidersView, VerdictsView,
};
use super::{Shared, read::Now};
use crate::model::PushKey;

pub use openapi::openapi;

type Answer<T> = Result<Json<T>, ApiFault>;

/// A body that is read as JSON whatever is wrong with it becomes words.
struct Body<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiFault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| Fault::Unfit("the body is too large".to_owned()))?;
        // A list of its fields' values would be read as the object.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(Fault::Unfit("the body is no JSON object".to_owned()).into());
        }
        match Json::<T>::from_bytes(&bytes) {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(Fault::Unfit(rejection.body_text()).into()),
        }
    }
}

/// How many to list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Page {
    /// From 1 to 1000; 100 unless given.
    limit: Option<i64>,
}

impl Page {
    fn limit(&self) -> i64 {
        self.limit.unwrap_or(100)
    }
}

/// Look at the campaign at its provider as well.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Look {
    /// True asks the provider, which costs calls of its budget and wants role `operate`.
    look: bool,
}

/// Whom to look for. In the body, so that no address stands in a URL.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Find {
    /// An address or an id.
    who: String,
}

/// Contacts that were found.
#[derive(Debug, Serialize, JsonSchema)]
struct FoundList {
    contacts: Vec<Found>,
}

/// Who asks.
#[derive(Debug, Serialize, JsonSchema)]
struct Me {
    name: String,
    role: crate::model::Role,
}

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/openapi.json", get(document))
        .route("/api/v1/me", get(me))
        .route("/api/v1/overview", get(overview))
        .route("/api/v1/campaigns/{number}", get(campaign))
        .route("/api/v1/campaigns/{number}/plan", get(plan))
        .route("/api/v1/campaigns/{number}/forecast", get(forecast))
        .route("/api/v1/campaigns/{number}/history", get(history))
        .route("/api/v1/campaigns/{number}/pause", post(pause))
        .route("/api/v1/campaigns/{number}/resume", post(resume))
        .route("/api/v1/campaigns/{number}/approve", post(approve))
        .route("/api/v1/contacts/find", post(find))
        .route("/api/v1/contacts/{employee_id}", get(contact))
        .route("/api/v1/contacts/{employee_id}/verdicts", get(verdicts))
        .route("/api/v1/pushes/in-doubt", get(doubts))
        .route("/api/v1/pushes/{key}/resolve", post(resolve))
        .route("/api/v1/replies", get(replies))
        .route("/api/v1/replies/{id}/correct", post(correct))
        .route("/api/v1/suppressions", post(suppress))
        .route("/api/v1/providers", get(providers))
        .route("/api/v1/mailboxes/{name}/resume", post(resume_mailbox))
        .route("/api/v1/diagnostics", get(diagnostics))
        .route("/api/v1/events", get(events))
        .route("/api/v1/{*rest}", axum::routing::any(nothing))
}

async fn document() -> Json<serde_json::Value> {
    Json(openapi())
}

async fn me(Extension(visitor): Extension<Visitor>) -> Json<Me> {
    Json(Me { name: visitor.name, role: visitor.role })
}

async fn overview(State(shared): State<Arc<Shared>>) -> Answer<Overview> {
    Ok(Json(read::overview(&shared).await?))
}

async fn campaign(State(shared): State<Arc<Shared>>, Path(number): Path<i32>) -> Answer<CampaignView> {
    Ok(Json(read::campaign(&shared, number).await?))
}

async fn plan(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<i32>,
    Query(query): Query<Look>,
    headers: HeaderMap,
) -> Answer<PlanView> {
    if query.look {
        may_look(&visitor, &headers)?;
    }
    Ok(Json(read::plan(&shared, number, query.look).await?.as_ref().clone()))
}

async fn forecast(State(shared): State<Arc<Shared>>, Path(number): Path<i32>) -> Answer<ForecastView> {
    Ok(Json(read::forecast(&shared, number).await?.as_ref().clone()))
}

async fn history(
    State(shared): State<Arc<Shared>>,
    Path(number): Path<i32>,
    Query(page): Query<Page>,
) -> Answer<HistoryView> {
    let now = Now::of(&shared).await?;
    now.campaign(number).ok_or(Fault::Unknown("campaign"))?;
    Ok(Json(read::history(&shared, Some(number), page.limit()).await?))
}

async fn pause(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<i32>,
    Body(deed): Body<Pause>,
) -> Answer<Done> {
    Ok(Json(deeds::pause(&shared, &visitor, number, &deed).await?))
}

async fn resume(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<i32>,
    Body(deed): Body<Resume>,
) -> Answer<Done> {
    Ok(Json(deeds::resume(&shared, &visitor, number, &deed).await?))
}

async fn approve(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<i32>,
    Body(deed): Body<Approve>,
) -> Answer<Done> {
    Ok(Json(deeds::approve(&shared, &visitor, number, &deed).await?))
}

async fn find(State(shared): State<Arc<Shared>>, Body(body): Body<Find>) -> Answer<FoundList> {
    Ok(Json(FoundList { contacts: read::find(&shared, &body.who).await? }))
}

async fn contact(State(shared): State<Arc<Shared>>, Path(id): Path<Uuid>) -> Answer<ContactView> {
    Ok(Json(read::contact(&shared, id).await?))
}

async fn verdicts(State(shared): State<Arc<Shared>>, Path(id): Path<Uuid>) -> Answer<VerdictsView> {
    Ok(Json(read::verdicts(&shared, id).await?.as_ref().clone()))
}

async fn doubts(State(shared): State<Arc<Shared>>) -> Answer<DoubtsView> {
    Ok(Json(read::doubts(&shared).await?))
}

async fn resolve(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Path(key): Path<String>,
    Body(deed): Body<Resolve>,
) -> Answer<Done> {
    let key: PushKey = key.parse().map_err(|_| Fault::Unknown("push"))?;
    Ok(Json(deeds::resolve(&shared, &visitor, key, &deed).await?))
}

async fn replies(State(shared): State<Arc<Shared>>) -> Answer<AnswersView> {
    Ok(Json(read::answers(&shared).await?))
}

async fn correct(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<Uuid>,
    Body(deed): Body<Correct>,
) -> Answer<Done> {
    Ok(Json(deeds::correct(&shared, &visitor, id, &deed).await?))
}

async fn suppress(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Body(deed): Body<Suppress>,
) -> Answer<Done> {
    Ok(Json(deeds::suppress(&shared, &visitor, &deed).await?))
}

async fn providers(State(shared): State<Arc<Shared>>) -> Answer<ProvidersView> {
    Ok(Json(read::providers(&shared).await?))
}

async fn resume_mailbox(
    State(shared): State<Arc<Shared>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Body(deed): Body<Resume>,
) -> Answer<Done> {
    Ok(Json(deeds::resume_mailbox(&shared, &visitor, &name, &deed).await?))
}

async fn diagnostics(State(shared): State<Arc<Shared>>) -> Json<DiagnosticsView> {
    Json(read::diagnostics(&shared).await)
}

async fn events(State(shared): State<Arc<Shared>>, Query(page): Query<Page>) -> Answer<EventsView> {
    Ok(Json(read::events(&shared, page.limit()).await?))
}
