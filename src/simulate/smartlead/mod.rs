//! A stand-in for Smartlead's API v1 that keeps state: what it does is what is known of the real one.
//!
//! Same paths, same validation, a vocabulary to write and another one to read, counters that mislead, leads that
//! belong to the account, a roster that is late, a request limit, mails on a clock of its own, webhooks, and faults
//! by seed. Where sources disagree both readings can be had. It remembers what it really got.

mod answer;
mod campaigns;
pub(super) mod connection;
mod control;
pub(super) mod faults;
mod hooks;
mod latency;
mod leads;
mod rate;
mod read;
mod readings;
mod routes;
mod send;
mod state;
mod world;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body as HttpBody, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{Method, Uri};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::SimulateError;
use crate::model::Clock;
use answer::{Body, Reply, Request};
use connection::{Breakable, Cut};
use faults::Fault;
use latency::Answering;
use rate::Limiter;
use world::{Call, World};

pub use faults::Faults;
pub use hooks::HOOK_SECRET;
pub use latency::Latency;
pub use rate::Rate;
pub use readings::Readings;

/// Where the API begins.
pub const BASE: &str = "/api/v1";
const CONTROL: &str = "/_sim";
/// How often the clock moves and webhooks leave.
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
    pub latency: Latency,
    /// How much faster than the machine's its own clock goes.
    pub speed: u32,
    /// How long a lead takes to show up in the roster, by its own clock.
    pub roster_delay: TimeDelta,
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
            rate: Rate::default(),
            latency: Latency::default(),
            speed: 1,
            roster_delay: TimeDelta::zero(),
            readings: Readings::default(),
            key: None,
        }
    }
}

struct Shared {
    world: Mutex<World>,
    limiter: Mutex<Limiter>,
    answering: Mutex<Answering>,
    faults: Mutex<Faults>,
    clock: Arc<dyn Clock>,
    /// Instants of the machine's clock and of our own that belong together.
    started: (DateTime<Utc>, Mutex<DateTime<Utc>>),
    speed: u32,
    key: Option<String>,
    state: Option<PathBuf>,
    client: reqwest::Client,
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
    pub fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let request = request(method, path, "", body);
        match self.0.control(&request).body {
            Body::Json(value) => value,
            Body::Text(text) => Value::String(text),
        }
    }
}

impl Simulator {
    /// Takes the port, and the state of an earlier run.
    pub async fn bind(options: Options, clock: Arc<dyn Clock>) -> Result<Self, SimulateError> {
        let now = clock.now();
        let world = match options.state.as_ref().map(|path| state::load(path)).transpose()?.flatten() {
            Some(world) => world,
            None => World::new(now, options.seed, options.readings, options.roster_delay),
        };
        let failed = |source| SimulateError::Listen { address: options.listen.to_string(), source };
        let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        // A second installation fails and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .build()
            .map_err(SimulateError::Client)?;
        let shared = Shared {
            started: (now, Mutex::new(world.now)),
            world: Mutex::new(world),
            limiter: Mutex::new(Limiter::new(options.rate)),
            answering: Mutex::new(Answering::new(options.latency, options.seed)),
            faults: Mutex::new(options.faults),
            clock,
            speed: options.speed.max(1),
            key: options.key,
            state: options.state,
            client,
        };
        Ok(Self { listener, shared: Arc::new(shared), url })
    }

    /// `http://127.0.0.1:PORT`; the API is below [`BASE`].
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Answers, sends and announces until it is dropped.
    pub async fn serve(self) -> Result<(), SimulateError> {
        let router = Router::new().fallback(call).with_state(Arc::clone(&self.shared));
        let service = router.into_make_service_with_connect_info::<Cut>();
        tokio::select! {
            served = axum::serve(Breakable(self.listener), service) => served.map_err(SimulateError::Serve),
            failed = keep_going(&self.shared) => Err(failed),
        }
    }
}

/// Moves the clock, delivers webhooks, keeps the state file; ends only when that fails.
async fn keep_going(shared: &Shared) -> SimulateError {
    let mut saved = 0;
    loop {
        tokio::time::sleep(TICK).await;
        shared.catch_up();
        let now = shared.clock.now();
        let faults = lock(&shared.faults).clone();
        let due = shared.world().take_due_deliveries(now, &faults);
        futures_util::future::join_all(due.into_iter().map(|delivery| async {
            let sent = shared
                .client
                .post(&delivery.url)
                .header("content-type", "application/json")
                .header("x-smartlead-signature", hooks::signature(&delivery.body))
                .header("x-request-id", &delivery.request_id)
                .header("x-webhook-level", "campaign")
                .body(delivery.body.clone())
                .send()
                .await;
            let status = sent.ok().map(|response| response.status().as_u16());
            shared.world().settle_delivery(delivery, status, shared.clock.now());
        }))
        .await;
        if let Some(path) = &shared.state
            && let Err(error) = state::save(path, &shared.world(), &mut saved)
        {
            return error;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    fn set_faults(&self, faults: Faults) {
        *lock(&self.faults) = faults;
    }

    /// Moves our own clock on by a jump.
    fn advance(&self, by: TimeDelta) {
        *lock(&self.started.1) += by;
        self.catch_up();
    }

    /// Moves our own clock to where the machine's says it is.
    fn catch_up(&self) {
        let passed = (self.clock.now() - self.started.0) * self.speed as i32;
        let now = *lock(&self.started.1) + passed;
        self.world().go_on_to(now);
    }

    /// One API call.
    fn api(&self, request: &Request, key: Option<&str>) -> Outcome {
        self.catch_up();
        let now = self.clock.now();
        let mut world = self.world();
        let (answer, fault) = self.behave(&mut world, request, key, now);
        let status = match &answer {
            Outcome::Answered(reply) => reply.status,
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
        let (headers, over) = lock(&self.limiter).take(now);
        if key.is_none() || self.key.as_deref().is_some_and(|wanted| key != Some(wanted)) {
            return (Outcome::Answered(Reply::json(401, json!({ "message": "Invalid API Key" }))), None);
        }
        if over {
            let reply = lock(&self.limiter).refusal(world.readings.limit, headers);
            return (Outcome::Answered(reply), None);
        }
        let fault = lock(&self.faults).of_request(world.dice.throw(10_000));
        let answered = |world: &mut World, partial| {
            let mut reply = world.answer(request, partial);
            reply.headers.extend(headers.clone());
            nested(&mut reply, world.readings.errors);
            reply
        };
        let failure = || Reply::refused("Something went wrong, please try again");
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
                let mut reply = lock(&self.limiter).refusal(world.readings.limit, headers);
                reply.headers.retain(|(name, _)| *name != "retry-after");
                reply.headers.push(("retry-after", "1".to_owned()));
                Outcome::Answered(reply)
            }
            Some(Fault::Refusal) => Outcome::Answered(failure()),
            Some(Fault::RefusalAfter) => {
                answered(world, false);
                Outcome::Answered(failure())
            }
            Some(Fault::Away) => Outcome::Answered(Reply::text(503, "Service Unavailable")),
            Some(Fault::Partial) => Outcome::Answered(answered(world, true)),
            Some(Fault::HookTwice | Fault::HookLost) | None => Outcome::Answered(answered(world, false)),
        };
        (answer, fault)
    }
}

/// What the caller gets to see of a call.
enum Outcome {
    Answered(Reply),
    /// No answer, for ever.
    Silent,
    /// The connection breaks.
    Broken,
}

/// Errors as the guide shows them, where that reading is asked for.
fn nested(reply: &mut Reply, errors: readings::Errors) {
    if errors == readings::Errors::Nested
        && let Body::Json(body) = &mut reply.body
        && reply.status >= 400
        && let Some(message) = body.get("error").or_else(|| body.get("message")).cloned()
    {
        *body = json!({ "error": { "code": "ERROR", "message": message, "details": {} } });
    }
}

fn request(method: &str, path: &str, query: &str, body: Value) -> Request {
    Request {
        method: method.to_owned(),
        path: path.split('/').filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect(),
        query: url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect(),
        body,
    }
}

async fn call(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let body = if body.is_empty() { Ok(json!({})) } else { serde_json::from_slice(&body) };
    let Ok(body) = body else {
        return http(Reply::json(400, json!({ "message": "Unexpected token in JSON" })));
    };
    let query = uri.query().unwrap_or_default();
    if let Some(path) = uri.path().strip_prefix(CONTROL) {
        return http(shared.control(&request(method.as_str(), path, query, body)));
    }
    let Some(path) = uri.path().strip_prefix(BASE) else {
        return http(Reply::json(404, json!({ "error": "Resource not found" })));
    };
    let mut request = request(method.as_str(), path, query, body);
    let key = request.query.remove("api_key");
    let (_under_way, takes) = shared.begin();
    let outcome = shared.api(&request, key.as_deref());
    tokio::time::sleep(takes).await;
    match outcome {
        Outcome::Answered(reply) => http(reply),
        Outcome::Silent => {
            tokio::time::sleep(FOR_EVER).await;
            http(Reply::text(504, ""))
        }
        Outcome::Broken => {
            cut.cut();
            http(Reply::text(500, ""))
        }
    }
}

fn http(reply: Reply) -> Response {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    let (kind, body) = match reply.body {
        Body::Json(value) => ("application/json", value.to_string()),
        Body::Text(text) => ("text/plain; charset=utf-8", text),
    };
    response.header("content-type", kind).body(HttpBody::from(body)).unwrap_or_default()
}
