//! What the daemon answers over HTTP: the operators' side (pages, API, metrics) and what strangers may reach
//! (webhooks of providers, unsubscribe links), which may have a listener of its own.
//!
//! Reads through `read`, acts through `deeds`, and decides nothing. No personal data stands in a URL or a log.

mod access;
mod api;
mod asked;
mod chart;
mod deeds;
mod fault;
mod files;
mod headers;
mod hooks;
mod limit;
mod live;
mod metrics;
mod outlook;
mod pages;
mod read;
mod span;
mod unsubscribe;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::timeout;
use uuid::Uuid;

use crate::manifest::Manifest;
use crate::model::{Health, Stop};
use crate::reconcile::Context;
use crate::store::{DatabaseClock, Store};

use files::Files;
use limit::Limiter;
use live::Live;
use outlook::Outlooks;

pub use api::openapi;
pub use metrics::METRICS;

/// The loop comes round at least every ten seconds.
const LONGEST_SILENCE: Duration = Duration::from_mins(1);
/// Connections wait this long for the first answer after a start.
const WARM_UP: Duration = Duration::from_secs(2);
/// A form or a command of an operator.
const OPERATOR_BODY: usize = 64 * 1024;
/// A provider's webhook tells of a batch.
const WEBHOOK_BODY: usize = 2 * 1024 * 1024;
/// Without a listener of its own, strangers share this one.
const PUBLIC_PER_MINUTE: u32 = 600;

/// What every answer is made from.
struct Shared {
    store: Store,
    clock: DatabaseClock,
    files: Files,
    holder: Uuid,
    health: Health,
    outlooks: Outlooks,
    live: Live,
    past: read::Past,
}

impl Shared {
    fn context<'c>(&'c self, manifest: &'c Manifest) -> Context<'c> {
        Context {
            store: &self.store,
            manifest,
            clock: &self.clock,
            root: self.files.root(),
            holder: self.holder,
            revision: None,
            stop: Stop::never(),
        }
    }
}

/// The operators' side and what strangers may reach, ready to be served.
pub struct Web {
    shared: Arc<Shared>,
    per_minute: u32,
}

/// What the listeners need.
pub struct Parts {
    pub store: Store,
    pub clock: DatabaseClock,
    pub root: PathBuf,
    pub holder: Uuid,
    pub health: Health,
    /// The files as they are at the start.
    pub manifest: Manifest,
}

impl Web {
    pub fn new(parts: Parts) -> Self {
        let Parts { store, clock, root, holder, health, manifest } = parts;
        let public = manifest.project.http.as_ref().and_then(|http| http.public.as_ref());
        let per_minute = public.map_or(PUBLIC_PER_MINUTE, |public| public.per_minute);
        let files = Files::new(root, manifest);
        let (outlooks, live) = (Outlooks::default(), Live::default());
        let shared =
            Shared { store, clock, files, holder, health, outlooks, live, past: read::Past::default() };
        Self { shared: Arc::new(shared), per_minute }
    }

    /// Serves until dropped; an error is a listener's own. Where `public` is a listener, what strangers may reach
    /// answers there, and on the operators' side as before.
    pub async fn serve(self, operators: TcpListener, public: Option<TcpListener>) -> std::io::Result<()> {
        let strangers = strangers(&self.shared, self.per_minute);
        let inside = operators_side(&self.shared)
            .merge(strangers.clone())
            .layer(from_fn(headers::guard))
            .layer(from_fn(span::around));
        let outside = strangers.layer(from_fn(headers::guard)).layer(from_fn(span::around));
        let inside = inside.into_make_service_with_connect_info::<SocketAddr>();
        let outside = outside.into_make_service_with_connect_info::<SocketAddr>();
        let exposed = async {
            match public {
                Some(listener) => axum::serve(listener, outside).await,
                None => std::future::pending().await,
            }
        };
        // Whoever comes first finds the past days counted; a database that is away is no reason to be silent.
        let _ = timeout(WARM_UP, read::count_days(&self.shared)).await;
        tokio::select! {
            ended = axum::serve(operators, inside) => ended,
            ended = exposed => ended,
            () = self.shared.live.watch(&self.shared.store) => Ok(()),
            () = read::keep_counting(&self.shared) => Ok(()),
            () = read::keep_making(&self.shared) => Ok(()),
        }
    }
}

fn operators_side(shared: &Arc<Shared>) -> Router {
    let guarded = pages::router()
        .merge(api::router())
        .merge(metrics::router())
        .merge(live::router())
        .layer(from_fn_with_state(Arc::clone(shared), access::guard));
    guarded
        .merge(pages::open_router())
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .fallback(asked::nothing)
        .layer(DefaultBodyLimit::max(OPERATOR_BODY))
        .with_state(Arc::clone(shared))
}

/// Signed webhooks and unsubscribe links. Who sends neither is refused, and at a rate.
fn strangers(shared: &Arc<Shared>, per_minute: u32) -> Router {
    let limiter = Arc::new(Limiter::per_minute(per_minute));
    hooks::router(Arc::clone(&limiter))
        .merge(unsubscribe::router(shared, limiter))
        .layer(DefaultBodyLimit::max(WEBHOOK_BODY))
        .with_state(Arc::clone(shared))
}

async fn alive(State(shared): State<Arc<Shared>>) -> (StatusCode, String) {
    let silent = shared.health.silent_for();
    if silent <= LONGEST_SILENCE {
        (StatusCode::OK, "alive\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("the loop has been silent for {} s\n", silent.as_secs()))
    }
}

async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, String) {
    match shared.health.wanting() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(wanting) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {wanting}\n")),
    }
}
