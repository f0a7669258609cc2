//! An endpoint of chat completions, as many vendors and local servers offer them: one call, one text.
//!
//! Never says again what may have been paid for, and never logs a prompt or an answer.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::last_look::{HELD_BACK, LastLook};
use super::{CallError, Pace, ProviderError, resolve_secret};
use crate::model::{Clock, DraftingSettings, Term, printable};

/// A field is a paragraph; this is a book.
const MAX_ANSWER_BYTES: usize = 4 << 20;
/// How long a call waits for its turn before it is given back.
const PATIENCE: Duration = Duration::from_mins(2);
const TURNS: u32 = 5;
const COME_BACK: TimeDelta = TimeDelta::seconds(10);
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(10);

/// The endpoint, opened.
pub struct Chat<'c> {
    http: reqwest::Client,
    url: Url,
    key: Option<SecretString>,
    clock: &'c dyn Clock,
    pace: Box<dyn Pace + 'c>,
    look: LastLook,
}

/// What a model said.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    pub text: String,
    /// The mean probability of its words, from 0 to 1, where the endpoint tells.
    pub confidence: Option<f64>,
}

impl<'c> Chat<'c> {
    /// Opens the declared endpoint. `root` is the project folder; nothing is asked after `until`.
    pub fn open(
        settings: &DraftingSettings,
        root: &Path,
        clock: &'c dyn Clock,
        pace: Box<dyn Pace + 'c>,
        until: Option<Term>,
    ) -> Result<Self, ProviderError> {
        let base = resolve_secret::text(&settings.url)?;
        let mut url = super::webhook::check_url(&base).map_err(|_| ProviderError::Url)?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["chat", "completions"]);
        }
        let key = settings.key.as_ref().map(|key| resolve_secret::reference(key, root)).transpose()?;
        // A second installation fails and changes nothing: one process, one provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("outreachd/", env!("CARGO_PKG_VERSION")))
            .timeout(settings.timeout)
            .connect_timeout(settings.timeout.min(Duration::from_secs(10)))
            .redirect(Policy::none())
            .build()
            .map_err(|error| ProviderError::Client(error.without_url()))?;
        Ok(Self { http, url, key, clock, pace, look: LastLook::new(until) })
    }

    /// Asks once. An error other than doubt was surely not paid for.
    pub async fn complete(&self, request: &Value, id: &str) -> Result<Completion, CallError> {
        let mut turn = 1;
        loop {
            if !self.pace.turn(PATIENCE).await {
                let reason = "the endpoint's requests are used up for now".to_owned();
                return Err(CallError::Later { after: Some(PATIENCE), reason });
            }
            match self.once(request, id).await {
                Err(CallError::Later { after: Some(after), .. }) if turn < TURNS && after < PATIENCE => {
                    turn += 1;
                }
                other => return other,
            }
        }
    }

    async fn once(&self, request: &Value, id: &str) -> Result<Completion, CallError> {
        // Where the endpoint honours it, a second delivery is the first one.
        let look = self.look.for_call();
        let call = self.http.post(self.url.clone()).header("Idempotency-Key", id);
        let call = call.header(CONTENT_TYPE, "application/json");
        let mut call = look.body(call, request.to_string().into_bytes());
        if let Some(key) = &self.key {
            call = call.bearer_auth(key.expose_secret());
        }
        match call.send().await {
            Ok(response) => self.read(response).await,
            // Another process has taken over, and asks for itself.
            Err(_) if look.held_back() => Err(CallError::Later { after: None, reason: HELD_BACK.to_owned() }),
            Err(error) if error.is_connect() => {
                Err(CallError::Later { after: None, reason: "could not connect to the endpoint".to_owned() })
            }
            Err(error) if error.is_timeout() => {
                Err(CallError::InDoubt("the endpoint did not answer in time".to_owned()))
            }
            Err(_) => Err(CallError::InDoubt("the connection broke before the endpoint answered".to_owned())),
        }
    }

    async fn read(&self, mut response: Response) -> Result<Completion, CallError> {
        let status = response.status();
        let wait = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .and_then(TimeDelta::try_seconds);
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= MAX_ANSWER_BYTES => {
                    bytes.extend_from_slice(&chunk);
                }
                Ok(None) => break,
                _ => {
                    let reason = "the endpoint's answer broke off or is too large".to_owned();
                    return Err(CallError::InDoubt(reason));
                }
            }
        }
        let body: Option<Value> = serde_json::from_slice(&bytes).ok();
        if status == StatusCode::TOO_MANY_REQUESTS && !is_quota(body.as_ref()) {
            let wait = wait.unwrap_or(COME_BACK).clamp(TimeDelta::zero(), LONGEST_PAUSE);
            let after = wait.to_std().unwrap_or_default();
            self.pace.pause(after).await;
            tracing::debug!(at = %self.clock.now(), "the endpoint is over its limit");
            return Err(CallError::Later {
                after: Some(after),
                reason: "the endpoint is over its limit".to_owned(),
            });
        }
        meaning(status, body.as_ref())
    }
}

/// A 429 that no waiting ends.
fn is_quota(body: Option<&Value>) -> bool {
    let error = body.and_then(|body| body.get("error"));
    let is = |name: &str| {
        error.and_then(|error| error.get(name)).and_then(Value::as_str) == Some("insufficient_quota")
    };
    is("code") || is("type")
}

fn meaning(status: StatusCode, body: Option<&Value>) -> Result<Completion, CallError> {
    let code = status.as_u16();
    if status.is_success() {
        let completion = body.and_then(completion);
        return completion
            .ok_or_else(|| CallError::InDoubt("the endpoint's answer holds no text".to_owned()));
    }
    let said = body.and_then(|body| {
        let error = body.get("error").unwrap_or(body);
        error.get("message").or(Some(error))?.as_str().map(printable)
    });
    let reason = match said {
        // Some endpoints quote what was sent.
        Some(said) => {
            format!(
                "the endpoint answered with HTTP status {code}: {}",
                said.chars().take(200).collect::<String>()
            )
        }
        None => format!("the endpoint answered with HTTP status {code}"),
    };
    Err(match status {
        StatusCode::UNAUTHORIZED
        | StatusCode::PAYMENT_REQUIRED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::TOO_MANY_REQUESTS => CallError::Misconfigured(reason),
        StatusCode::REQUEST_TIMEOUT => CallError::InDoubt(reason),
        status if status.is_redirection() => CallError::Misconfigured(reason),
        status if status.is_client_error() => CallError::Refused { status: code, reason },
        _ => CallError::InDoubt(reason),
    })
}

/// The text of the first choice: a string, or parts of one.
fn completion(body: &Value) -> Option<Completion> {
    let choice = body.get("choices")?.get(0)?;
    let content = choice.get("message")?.get("content")?;
    let text = match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part.get("text")?.as_str()).collect::<Vec<_>>().concat()
        }
        _ => return None,
    };
    let words = choice.get("logprobs").and_then(|probabilities| probabilities.get("content")?.as_array());
    let logs: Vec<f64> =
        words.into_iter().flatten().filter_map(|word| word.get("logprob")?.as_f64()).collect();
    let confidence = (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp());
    Some(Completion { text, confidence: confidence.map(|share| share.clamp(0.0, 1.0)) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_has_one_meaning() {
        for (status, body, expected) in [
            (200, json!({ "choices": [{ "message": { "content": "hi" } }] }), "done"),
            (200, json!({ "choices": [] }), "InDoubt"),
            (400, json!({ "error": { "message": "no" } }), "Refused"),
            (401, json!({}), "Misconfigured"),
            (404, json!({ "error": { "message": "no such model" } }), "Misconfigured"),
            (500, json!({}), "InDoubt"),
            (503, json!({}), "InDoubt"),
        ] {
            let found = match meaning(StatusCode::from_u16(status).unwrap(), Some(&body)) {
                Ok(_) => "done".to_owned(),
                Err(error) => format!("{error:?}").chars().take_while(char::is_ascii_alphabetic).collect(),
            };
            assert_eq!(found, expected, "{status}");
        }
        assert!(is_quota(Some(&json!({ "error": { "code": "insufficient_quota" } }))));
        assert!(!is_quota(Some(&json!({ "error": { "code": "rate_limit_exceeded" } }))));
    }

    #[test]
    fn parts_and_probabilities_are_read() {
        let body = json!({ "choices": [{
            "message": { "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] },
            "logprobs": { "content": [{ "logprob": 0.0 }, { "logprob": -1.386_294_361 }] },
        }] });
        let said = completion(&body).unwrap();
        assert_eq!(said.text, "ab");
        assert!((said.confidence.unwrap() - 0.5).abs() < 0.001);
    }
}
