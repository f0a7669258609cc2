//! An endpoint that drafts, and does what any text in its prompt tells it to: the worst that a model can be.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

pub(crate) const KEY: &str = "chat-key-that-must-not-leak";

/// What it does with the next calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Answers,
    /// Paid for, and never answered.
    Hangs,
    /// Paid for, and answered with 500.
    Fails,
    /// Nothing done.
    TooMany,
    Refuses,
    /// Every third call, in turn.
    Mixed,
}

#[derive(Default)]
struct Inside {
    mood: Mood,
    /// Prompts that were paid for.
    paid: Vec<String>,
    calls: usize,
    wrong_keys: usize,
}

pub(crate) struct Chat {
    url: String,
    inside: Arc<Mutex<Inside>>,
    server: JoinHandle<()>,
}

impl Chat {
    pub(crate) async fn start() -> Self {
        let inside = Arc::new(Mutex::new(Inside::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/v1/chat/completions", axum::routing::post(complete))
            .with_state(Arc::clone(&inside));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inside, server }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn mood(&self, mood: Mood) {
        self.inside.lock().unwrap().mood = mood;
    }

    /// Prompts that were paid for, in order.
    pub(crate) fn paid(&self) -> Vec<String> {
        let inside = self.inside.lock().unwrap();
        assert_eq!(inside.wrong_keys, 0);
        inside.paid.clone()
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn complete(State(inside): State<Arc<Mutex<Inside>>>, headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let prompt = request["messages"][1]["content"].as_str().unwrap().to_owned();
    let mood = {
        let mut inside = inside.lock().unwrap();
        if headers["authorization"] != format!("Bearer {KEY}").as_str() {
            inside.wrong_keys += 1;
        }
        inside.calls += 1;
        let mood = match inside.mood {
            Mood::Mixed => [Mood::Answers, Mood::Fails, Mood::TooMany, Mood::Answers][inside.calls % 4],
            mood => mood,
        };
        if matches!(mood, Mood::Answers | Mood::Hangs | Mood::Fails) {
            inside.paid.push(prompt.clone());
        }
        mood
    };
    let error = |status: u16, message: &str| {
        let status = axum::http::StatusCode::from_u16(status).unwrap();
        (status, [("retry-after", "0")], json!({ "error": { "message": message } }).to_string())
            .into_response()
    };
    match mood {
        Mood::Answers | Mood::Mixed => {
            let content = answer(&prompt);
            let words = json!([{ "logprob": -0.1 }, { "logprob": -0.1 }]);
            json!({ "id": "x", "choices": [{ "message": { "content": content }, "logprobs": { "content": words } }] })
                .to_string()
                .into_response()
        }
        Mood::Hangs => std::future::pending().await,
        Mood::Fails => error(500, "out of order"),
        Mood::TooMany => error(429, "slow down"),
        Mood::Refuses => error(401, "who are you"),
    }
}

/// Says what it is told to, by whomever.
fn answer(prompt: &str) -> String {
    if let Some((_, order)) = prompt.split_once("SAY: ") {
        return order.trim_end_matches('⟧').to_owned();
    }
    let about = prompt.split('⟦').nth(1).and_then(|rest| rest.split('⟧').next()).unwrap_or("you");
    format!("We read with pleasure that {about} is doing well this year.")
}
