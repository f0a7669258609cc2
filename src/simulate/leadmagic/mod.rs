//! A stand-in for LeadMagic's API that keeps state: what it does is what is known of the real one.
//!
//! Same paths and answers, credits that are counted to the last hundredth, 402 when they are gone, a request limit with
//! its headers, bulk jobs on a clock of its own, and faults by seed. Where sources disagree both readings can be
//! had. It remembers what it was really asked, and how often.

mod jobs;
mod readings;
mod routes;
mod world;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::SimulateError;
use super::smartlead::connection::{Breakable, Cut};
use super::smartlead::faults::Fault;
use super::smartlead::{Faults, Rate};
use crate::model::Clock;
use readings::Errors;
use routes::Request;
use world::{Call, World};

pub use readings::Readings;

const CONTROL: &str = "/_sim";
/// How often the state file is looked after.
const TICK: Duration = Duration::from_millis(50);
/// Longest that a call that is never answered is held open.
const FOR_EVER: Duration = Duration::from_mins(10);

/// How the stand-in behaves.
#[derive(Debug, Clone)]
pub struct Options {
    pub listen: SocketAddr,
    /// Where it remembers everything between two runs.
    pub state: Option<PathBuf>,
    pub faults: Faults,
    pub seed: u64,
    pub rate: Rate,
    /// Credits that the account begins with.
    pub credits: Decimal,
    /// Rows of each job that are worked on in a second.
    pub rows_per_second: u32,
    pub readings: Readings,
    /// The only key that is let in; any, if none is given.
    pub key: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            state: None,
            faults: Faults::default(),
            seed: 1,
            rate: Rate { requests: 3000, seconds: 60 },
            credits: Decimal::from(1000),
            rows_per_second: 100,
            readings: Readings::default(),
            key: None,
        }
    }
}

struct Shared {
    world: Mutex<World>,
    taken: Mutex<VecDeque<DateTime<Utc>>>,
    faults: Mutex<Faults>,
    clock: Arc<dyn Clock>,
    options: Options,
}

/// Bound, and serving once [`Simulator::serve`] is awaited.
pub struct Simulator {
    listener: TcpListener,
    shared: Arc<Shared>,
    url: String,
}

/// Looks into a stand-in that runs in this process.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl Handle {
    /// A call to `/_sim/...`.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        self.0.control(method, path, body)
    }
}

/// What the caller gets to see of a call.
enum Outcome {
    Answered {
        status: u16,
        body: Value,
        headers: Vec<(&'static str, String)>,
    },
    /// No answer, for ever.
    Silent,
    /// The connection breaks.
    Broken,
}

impl Simulator {
    /// Takes the port, and the state of an earlier run.
    pub async fn bind(options: Options, clock: Arc<dyn Clock>) -> Result<Self, SimulateError> {
        let world = match options.state.as_deref().map(load).transpose()?.flatten() {
            Some(world) => world,
            None => World::new(options.seed, options.credits, options.readings, clock.now()),
        };
        let failed = |source| SimulateError::Listen { address: options.listen.to_string(), source };
        let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let shared = Shared {
            world: Mutex::new(world),
            taken: Mutex::default(),
            faults: Mutex::new(options.faults.clone()),
            clock,
            options,
        };
        Ok(Self { listener, shared: Arc::new(shared), url })
    }

    /// `http://127.0.0.1:PORT`; the API begins there.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Answers until it is dropped.
    pub async fn serve(self) -> Result<(), SimulateError> {
        let router = Router::new().fallback(call).with_state(Arc::clone(&self.shared));
        let service = router.into_make_service_with_connect_info::<Cut>();
        tokio::select! {
            served = axum::serve(Breakable(self.listener), service) => served.map_err(SimulateError::Serve),
            failed = remember(&self.shared) => Err(failed),
        }
    }
}

fn load(path: &Path) -> Result<Option<World>, SimulateError> {
    let name = || path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|source| SimulateError::Foreign { path: name(), source }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SimulateError::State { path: name(), source }),
    }
}

/// Keeps the state file; ends only when that fails.
async fn remember(shared: &Shared) -> SimulateError {
    let mut saved = 0;
    loop {
        tokio::time::sleep(TICK).await;
        let Some(path) = &shared.options.state else { continue };
        let world = shared.world();
        let happened = world.calls.len() + world.jobs_open();
        if happened == saved {
            continue;
        }
        saved = happened;
        let text = serde_json::to_vec(&*world).map_err(std::io::Error::from);
        drop(world);
        // A crash leaves the old state or the new one.
        let partial = path.with_extension("partial");
        let written = text
            .and_then(|text| std::fs::write(&partial, text))
            .and_then(|()| std::fs::rename(&partial, path));
        if let Err(source) = written {
            return SimulateError::State { path: path.display().to_string(), source };
        }
    }
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The headers of an answer, and whether the request is over the limit.
    fn limit(&self, now: DateTime<Utc>) -> (Vec<(&'static str, String)>, bool) {
        let Rate { requests, seconds } = self.options.rate;
        let window = TimeDelta::seconds(i64::from(seconds));
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while taken.front().is_some_and(|first| *first + window <= now) {
            taken.pop_front();
        }
        let over = taken.len() >= requests as usize;
        if !over {
            taken.push_back(now);
        }
        let reset = taken.front().map_or(0, |first| (*first + window - now).num_milliseconds() / 1000 + 1);
        let mut headers = vec![
            ("ratelimit-limit", requests.to_string()),
            ("ratelimit-remaining", (requests as usize - taken.len()).to_string()),
            ("ratelimit-reset", reset.to_string()),
        ];
        if over {
            headers.push(("retry-after", reset.to_string()));
        }
        (headers, over)
    }

    fn api(&self, request: &Request, key: Option<&str>) -> Outcome {
        let now = self.clock.now();
        let mut world = self.world();
        world.work(now, self.options.rows_per_second);
        let (answer, fault) = self.behave(&mut world, request, key, now);
        let status = match &answer {
            Outcome::Answered { status, .. } => *status,
            Outcome::Silent | Outcome::Broken => 0,
        };
        world.calls.push(Call {
            method: request.method.clone(),
            path: format!("/{}", request.path.join("/")),
            at_ms: now.timestamp_millis(),
            status,
            fault: fault.map(|fault| format!("{fault:?}")),
        });
        answer
    }

    fn behave(
        &self,
        world: &mut World,
        request: &Request,
        key: Option<&str>,
        now: DateTime<Utc>,
    ) -> (Outcome, Option<Fault>) {
        let (mut headers, over) = self.limit(now);
        let errors = world.readings.errors;
        if key.is_none() || self.options.key.as_deref().is_some_and(|wanted| key != Some(wanted)) {
            return (problem(errors, 401, "Invalid API key", headers), None);
        }
        if over {
            return (problem(errors, 429, "Too many requests", headers), None);
        }
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let fault = faults.of_request(world.dice.throw(10_000));
        let answered = |world: &mut World, fails| match world.route(request, fails) {
            Ok(body) => {
                let mut headers = headers.clone();
                headers.push(("x-credits-remaining", world.credits.to_string()));
                Outcome::Answered { status: 200, body, headers }
            }
            Err((status, why)) => problem(errors, status, why, headers.clone()),
        };
        let answer = match fault {
            Some(Fault::Drop) => Outcome::Broken,
            Some(Fault::DropAfter) => {
                answered(world, false);
                Outcome::Broken
            }
            Some(Fault::Timeout) => {
                answered(world, false);
                Outcome::Silent
            }
            Some(Fault::TooMany) => {
                headers.push(("retry-after", "1".to_owned()));
                problem(errors, 429, "Too many requests", headers)
            }
            Some(Fault::Refusal) => problem(errors, 500, "Internal error", headers),
            Some(Fault::RefusalAfter) => {
                answered(world, false);
                problem(errors, 502, "Upstream error", headers)
            }
            Some(Fault::Away) => problem(errors, 503, "Service unavailable", headers),
            Some(Fault::Partial) => answered(world, true),
            Some(Fault::HookTwice | Fault::HookLost) | None => answered(world, false),
        };
        (answer, fault)
    }

    /// `/_sim/...`: what it was really asked, and the means to make things happen.
    fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut world = self.world();
        world.work(self.clock.now(), self.options.rows_per_second);
        match (method, path.trim_matches('/')) {
            ("GET", "") => json!({
                "credits": world.credits.normalize().to_string(),
                "spent": world.spent.normalize().to_string(),
                "answered": world.answered.values().sum::<u64>(),
                "charged": world.charged.values().sum::<u64>(),
                "jobs": world.jobs.len(),
                "jobs_open": world.jobs_open(),
                "hasty": world.hasty,
                "calls": world.calls.len(),
            }),
            ("GET", "answered") => json!(world.answered),
            ("GET", "charged") => json!(world.charged),
            ("GET", "calls") => json!(world.calls),
            ("POST", "faults") => match body["spec"].as_str().unwrap_or_default().parse() {
                Ok(faults) => {
                    *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
                    json!({ "ok": true })
                }
                Err(error) => json!({ "error": error }),
            },
            ("POST", "credits") => {
                let credits = body["credits"].as_str().and_then(|text| text.parse().ok());
                world.credits = credits.unwrap_or(world.credits);
                json!({ "ok": true })
            }
            ("POST", "reading") => match world.readings.set(body["set"].as_str().unwrap_or_default()) {
                Ok(()) => json!({ "ok": true }),
                Err(error) => json!({ "error": error }),
            },
            _ => json!({ "error": "no such control" }),
        }
    }
}

/// An error in the shape that is asked for.
fn problem(errors: Errors, status: u16, why: &str, headers: Vec<(&'static str, String)>) -> Outcome {
    let body = match errors {
        Errors::Problem => {
            json!({ "title": why, "status": status, "detail": why, "trace": { "request_id": "r-1" } })
        }
        Errors::Listed => json!({ "success": false, "errors": [{ "title": why, "status": status }] }),
        Errors::Flat => json!({ "error": why, "message": why }),
    };
    Outcome::Answered { status, body, headers }
}

async fn call(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| json!({}));
    if let Some(path) = uri.path().strip_prefix(CONTROL) {
        return http(200, &shared.control(method.as_str(), path, &body), &[]);
    }
    let query = uri.query().unwrap_or_default().as_bytes();
    let request = Request {
        method: method.as_str().to_owned(),
        path: uri.path().split('/').filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect(),
        query: url::form_urlencoded::parse(query)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect(),
        body,
    };
    let key = headers.get("x-api-key").and_then(|key| key.to_str().ok());
    match shared.api(&request, key) {
        Outcome::Answered { status, body, headers } => http(status, &body, &headers),
        Outcome::Silent => {
            tokio::time::sleep(FOR_EVER).await;
            http(504, &json!({}), &[])
        }
        Outcome::Broken => {
            cut.cut();
            http(500, &json!({}), &[])
        }
    }
}

fn http(status: u16, body: &Value, headers: &[(&'static str, String)]) -> Response {
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(body.to_string())).unwrap_or_default()
}
