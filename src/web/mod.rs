//! What the daemon answers over HTTP: whether it is alive and ready, webhooks of providers, and unsubscribe links.
//!
//! Tells nothing of contacts, campaigns or files.

mod hooks;
mod unsubscribe;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::model::Health;

pub use hooks::Hooks;

/// The loop comes round at least every ten seconds.
const LONGEST_SILENCE: Duration = Duration::from_mins(1);

/// Serves until dropped; an error is the listener's own.
pub async fn serve(listener: TcpListener, health: Health, hooks: Hooks) -> std::io::Result<()> {
    axum::serve(listener, router(health).merge(hooks::router(hooks))).await
}

fn router(health: Health) -> Router {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready)).with_state(health)
}

async fn alive(State(health): State<Health>) -> (StatusCode, String) {
    let silent = health.silent_for();
    if silent <= LONGEST_SILENCE {
        (StatusCode::OK, "alive\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("the loop has been silent for {} s\n", silent.as_secs()))
    }
}

async fn ready(State(health): State<Health>) -> (StatusCode, String) {
    match health.wanting() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(wanting) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {wanting}\n")),
    }
}
