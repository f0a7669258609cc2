//! HTTP to LeadMagic: one request on the account's budget, and what its answer means.
//!
//! A 429 was refused before anything was done: it is waited out. Nothing else that costs is said twice.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::wire;
use crate::model::Clock;
use crate::provider::last_look::{HELD_BACK, LastLook};
use crate::provider::{CallError, Pace, ProviderError};

/// A page of results with every field of a company stays far below.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// How long a call waits for its turn before it is given back.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often a call that was over the limit is made again.
const TURNS: u32 = 5;
/// How often something that costs nothing is asked.
const READS: u32 = 4;
/// When a 429 does not say: a minute's limit.
const COME_BACK: TimeDelta = TimeDelta::seconds(10);
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(10);

pub(super) struct Client<'c> {
    http: reqwest::Client,
    base: Url,
    key: SecretString,
    clock: &'c dyn Clock,
    pace: Box<dyn Pace + 'c>,
    timeout: Duration,
    look: LastLook,
}

impl<'c> Client<'c> {
    pub(super) fn new(
        url: &str,
        key: SecretString,
        timeout: Duration,
        clock: &'c dyn Clock,
        pace: Box<dyn Pace + 'c>,
        look: LastLook,
    ) -> Result<Self, ProviderError> {
        let base = super::super::webhook::check_url(url).map_err(|_| ProviderError::Url)?;
        // A second installation fails and changes nothing: one process, one provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("outreachd/", env!("CARGO_PKG_VERSION")))
            .timeout(timeout)
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .redirect(Policy::none())
            .build()
            .map_err(|error| ProviderError::Client(error.without_url()))?;
        Ok(Self { http, base, key, clock, pace, timeout, look })
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Reads what costs nothing, again if need be.
    pub(super) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, CallError> {
        let mut asked = 1;
        loop {
            match self.in_turn(&Method::GET, path, query, None).await {
                Err(CallError::InDoubt(_)) if asked < READS => asked += 1,
                Err(CallError::InDoubt(reason)) => return Err(CallError::Later { after: None, reason }),
                other => return other,
            }
        }
    }

    /// Asks what may cost: once.
    pub(super) async fn pay(&self, path: &str, body: &Value) -> Result<Value, CallError> {
        self.in_turn(&Method::POST, path, &[], Some(body)).await
    }

    async fn in_turn(
        &self,
        method: &Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Value, CallError> {
        let mut turn = 1;
        loop {
            if !self.pace.turn(PATIENCE).await {
                let reason = "the account's requests are used up for now".to_owned();
                return Err(CallError::Later { after: Some(PATIENCE), reason });
            }
            match self.once(method, path, query, body).await {
                Err(CallError::Later { after: Some(after), .. }) if turn < TURNS && after < PATIENCE => {
                    turn += 1;
                }
                other => return other,
            }
        }
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Value, CallError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        for (name, value) in query {
            url.query_pairs_mut().append_pair(name, value);
        }
        let mut request =
            self.http.request(method.clone(), url).header("X-API-Key", self.key.expose_secret());
        let look = self.look.for_call();
        if let Some(body) = body {
            let request_of = request.header(CONTENT_TYPE, "application/json");
            request = look.body(request_of, body.to_string().into_bytes());
        }
        match request.send().await {
            Ok(response) => self.read(response).await,
            // Another process has taken over, and asks for itself.
            Err(_) if look.held_back() => Err(CallError::Later { after: None, reason: HELD_BACK.to_owned() }),
            Err(error) if error.is_connect() => {
                Err(CallError::Later { after: None, reason: "could not connect to LeadMagic".to_owned() })
            }
            Err(error) if error.is_timeout() => {
                Err(CallError::InDoubt("LeadMagic did not answer in time".to_owned()))
            }
            Err(_) => Err(CallError::InDoubt("the connection broke before LeadMagic answered".to_owned())),
        }
    }

    async fn read(&self, mut response: Response) -> Result<Value, CallError> {
        let status = response.status();
        let wait = wait(response.headers(), self.clock.now());
        let left = number(response.headers(), &["ratelimit-remaining", "x-ratelimit-remaining"]);
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= MAX_ANSWER_BYTES => {
                    bytes.extend_from_slice(&chunk);
                }
                Ok(None) => break,
                _ => {
                    let reason = "LeadMagic's answer broke off or is too large".to_owned();
                    return Err(CallError::InDoubt(reason));
                }
            }
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            let after = wait.unwrap_or(COME_BACK).to_std().unwrap_or_default();
            self.pace.pause(after).await;
            let reason = "the account is over its request limit".to_owned();
            return Err(CallError::Later { after: Some(after), reason });
        }
        if left == Some(0)
            && let Some(wait) = wait
        {
            self.pace.pause(wait.to_std().unwrap_or_default()).await;
        }
        meaning(status, &bytes)
    }
}

fn number(headers: &HeaderMap, names: &[&str]) -> Option<i64> {
    names.iter().find_map(|name| headers.get(*name)?.to_str().ok()?.trim().parse().ok())
}

/// When the account may be asked again: `Retry-After`, else the seconds until the limit is reset.
fn wait(headers: &HeaderMap, now: DateTime<Utc>) -> Option<TimeDelta> {
    let date = || {
        let at = DateTime::parse_from_rfc2822(headers.get("retry-after")?.to_str().ok()?).ok()?;
        Some(at.with_timezone(&Utc) - now)
    };
    number(headers, &["retry-after"])
        .and_then(TimeDelta::try_seconds)
        .or_else(date)
        .or_else(|| {
            let reset = number(headers, &["ratelimit-reset", "x-ratelimit-reset"])?;
            // The older header may hold an instant.
            if reset > 1_000_000_000 {
                DateTime::from_timestamp(reset, 0).map(|at| at - now)
            } else {
                TimeDelta::try_seconds(reset)
            }
        })
        .map(|wait| wait.clamp(TimeDelta::zero(), LONGEST_PAUSE))
}

fn meaning(status: StatusCode, bytes: &[u8]) -> Result<Value, CallError> {
    let body: Option<Value> = serde_json::from_slice(bytes).ok();
    if status.is_success() {
        return body.ok_or_else(|| CallError::InDoubt("LeadMagic's answer is no JSON".to_owned()));
    }
    let code = status.as_u16();
    let reason = match body.as_ref().and_then(wire::message) {
        Some(said) => format!("LeadMagic answered with HTTP status {code}: {said}"),
        None => format!("LeadMagic answered with HTTP status {code}"),
    };
    Err(match status {
        StatusCode::PAYMENT_REQUIRED => {
            CallError::Misconfigured("the LeadMagic account has no credits left (402)".to_owned())
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => CallError::Misconfigured(reason),
        StatusCode::NOT_FOUND => CallError::Gone(reason),
        StatusCode::REQUEST_TIMEOUT => CallError::InDoubt(reason),
        status if status.is_redirection() => CallError::Misconfigured(reason),
        status if status.is_client_error() => CallError::Refused { status: code, reason },
        _ => CallError::InDoubt(reason),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_one_meaning() {
        for (status, text, expected) in [
            (200, "{}", "done"),
            (200, "<html>", "InDoubt"),
            (301, "", "Misconfigured"),
            (400, "{\"message\":\"no\"}", "Refused"),
            (401, "", "Misconfigured"),
            (402, "", "Misconfigured"),
            (404, "", "Gone"),
            (408, "", "InDoubt"),
            (500, "", "InDoubt"),
            (502, "", "InDoubt"),
            (503, "", "InDoubt"),
        ] {
            let found = match meaning(StatusCode::from_u16(status).unwrap(), text.as_bytes()) {
                Ok(_) => "done".to_owned(),
                Err(error) => format!("{error:?}").chars().take_while(char::is_ascii_alphabetic).collect(),
            };
            assert_eq!(found, expected, "{status} {text}");
        }
    }

    #[test]
    fn headers_say_when_to_come_back() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let of = |pairs: &[(&'static str, &str)]| {
            let headers =
                pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            wait(&headers, now).map(|wait| wait.num_seconds())
        };
        assert_eq!(of(&[("retry-after", "7"), ("ratelimit-reset", "30")]), Some(7));
        assert_eq!(of(&[("ratelimit-reset", "30")]), Some(30));
        assert_eq!(of(&[("x-ratelimit-reset", "1700000099")]), Some(99));
        assert_eq!(of(&[("retry-after", "86400")]), Some(600));
        assert_eq!(of(&[]), None);
    }
}
