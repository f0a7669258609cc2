//! A webhook receiver as somebody else would write one: checks signatures, tells items apart by key,
//! answers item by item. Lives as long as the demo, on this machine only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio::net::TcpListener;

/// Whom it will not take: one contact of the sample data.
const TAKEN: &str = "@c57.example";
const REFUSAL: &str = "a colleague is talking to them already";

/// What came in so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Received {
    /// Calls with a good signature.
    pub calls: u64,
    /// Items that were new and taken.
    pub taken: u64,
    /// Items that came a second time under their key.
    pub repeated: u64,
    /// Calls turned away for their signature.
    pub forged: u64,
    /// New items that were not taken.
    pub refused: u64,
    /// The answer to each key.
    answers: HashMap<String, Value>,
}

struct Shared {
    signer: Webhook,
    received: Mutex<Received>,
}

/// Bound, and serving once [`Receiver::serve`] is awaited.
pub(super) struct Receiver {
    listener: TcpListener,
    shared: Arc<Shared>,
    pub url: String,
}

/// Looks at what a receiver got.
#[derive(Clone)]
pub(super) struct Window(Arc<Shared>);

#[derive(Deserialize)]
struct Push {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    key: String,
    action: String,
    email: String,
}

impl Receiver {
    pub(super) async fn bind(secret: &str) -> anyhow::Result<Self> {
        let signer = Webhook::new(secret).context("could not make the receiver's secret")?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("could not open a local port")?;
        let url = format!("http://{}/push", listener.local_addr().context("could not read the local port")?);
        Ok(Self { listener, shared: Arc::new(Shared { signer, received: Mutex::default() }), url })
    }

    pub(super) fn window(&self) -> Window {
        Window(Arc::clone(&self.shared))
    }

    /// Answers until it is dropped.
    pub(super) async fn serve(self) -> std::io::Result<()> {
        let router = Router::new().route("/push", post(take)).with_state(self.shared);
        axum::serve(self.listener, router).await
    }
}

impl Window {
    pub(super) fn received(&self) -> Received {
        lock(&self.0).clone()
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Received> {
    shared.received.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, StatusCode> {
    let mut received = lock(&shared);
    if shared.signer.verify(&body, &headers).is_err() {
        received.forged += 1;
        return Err(StatusCode::UNAUTHORIZED);
    }
    let push: Push = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    received.calls += 1;
    let results: Vec<Value> = push.data.items.iter().map(|item| received.answer(item)).collect();
    Ok(Json(json!({ "results": results })))
}

impl Received {
    /// The same key always gets the same answer, and does something only once.
    fn answer(&mut self, item: &Item) -> Value {
        if let Some(answer) = self.answers.get(&item.key) {
            self.repeated += 1;
            return answer.clone();
        }
        let answer = if item.email.ends_with(TAKEN) && item.action != "withdraw" {
            self.refused += 1;
            json!({ "key": item.key, "status": "refused", "reason": REFUSAL })
        } else {
            self.taken += 1;
            json!({ "key": item.key, "status": "accepted" })
        };
        self.answers.insert(item.key.clone(), answer.clone());
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_contact_is_refused_and_a_key_counts_once() {
        let item =
            |key: &str, email: &str| Item { key: key.into(), action: "enroll".into(), email: email.into() };
        let mut received = Received::default();
        let status = |answer: Value| answer["status"].as_str().map(ToOwned::to_owned).unwrap();
        assert_eq!(status(received.answer(&item("20:a:1", "a@c57.example"))), "refused");
        assert_eq!(status(received.answer(&item("20:b:1", "b@x.example"))), "accepted");
        assert_eq!(status(received.answer(&item("20:b:1", "b@x.example"))), "accepted");
        assert_eq!((received.taken, received.refused, received.repeated), (1, 1, 1));
    }
}
