//! HTTP to Smartlead: one request at a time on the account's budget, and what its answer means.
//!
//! The key travels in the query, so no URL and no error of the HTTP library ever leaves this file. A 429 was
//! refused before anything was done: it is waited out, as the budget is. Nothing else that writes is said twice.

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

/// An export of a hundred thousand leads with long fields stays below.
const MAX_ANSWER_BYTES: usize = 256 << 20;
/// How long a call waits for its turn before it is given back.
const PATIENCE: Duration = Duration::from_mins(2);
/// The same for a call that hands new contacts over.
const AT_ONCE: Duration = Duration::from_secs(3);
/// How often a call that was over the limit is made again.
const TURNS: u32 = 5;
/// How often something that only reads is asked.
const READS: u32 = 3;
/// When a 429 does not say: longer than the shortest window known.
const COME_BACK: TimeDelta = TimeDelta::seconds(10);
/// No header puts the whole account off for longer.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(10);

pub(crate) struct Client<'c> {
    http: reqwest::Client,
    base: Url,
    key: SecretString,
    clock: &'c dyn Clock,
    pace: Box<dyn Pace + 'c>,
    look: LastLook,
    timeout: Duration,
}

/// An answer that is none to be worried about.
pub(super) enum Answer {
    Json(Value),
    Text(String),
}

/// One call.
pub(super) struct Call<'a> {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<&'a Value>,
    /// Given back rather than waited with: a stop may come in meanwhile.
    at_once: bool,
}

impl<'a> Call<'a> {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), query: Vec::new(), body: None, at_once: false }
    }

    pub(super) fn post(path: impl Into<String>, body: &'a Value) -> Self {
        Self { method: Method::POST, path: path.into(), query: Vec::new(), body: Some(body), at_once: false }
    }

    pub(super) fn delete(path: impl Into<String>, body: Option<&'a Value>) -> Self {
        Self { method: Method::DELETE, path: path.into(), query: Vec::new(), body, at_once: false }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        self.query.push((name, format!("{value}")));
        self
    }

    pub(super) fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    fn reads(&self) -> bool {
        self.method == Method::GET
    }
}

impl<'c> Client<'c> {
    pub(crate) fn new(
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
            // A default agent is turned away at the door (error 1010).
            .user_agent(concat!("outreachd/", env!("CARGO_PKG_VERSION")))
            .timeout(timeout)
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .redirect(Policy::none())
            .build()
            .map_err(|error| ProviderError::Client(error.without_url()))?;
        Ok(Self { http, base, key, clock, pace, look, timeout })
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The answer as JSON.
    pub(super) async fn json(&self, call: Call<'_>) -> Result<Value, CallError> {
        match self.call(call).await? {
            Answer::Json(value) => Ok(value),
            Answer::Text(_) => Err(CallError::InDoubt("Smartlead's answer is no JSON".to_owned())),
        }
    }

    pub(super) async fn text(&self, call: Call<'_>) -> Result<String, CallError> {
        match self.call(call).await? {
            Answer::Json(value) => Ok(value.to_string()),
            Answer::Text(text) => Ok(text),
        }
    }

    async fn call(&self, call: Call<'_>) -> Result<Answer, CallError> {
        let mut asked = 1;
        loop {
            match self.in_turn(&call).await {
                Err(CallError::InDoubt(_)) if call.reads() && asked < READS => asked += 1,
                Err(CallError::InDoubt(reason)) if call.reads() => {
                    return Err(CallError::Later { after: None, reason });
                }
                other => return other,
            }
        }
    }

    /// One request, made again while the account is over its limit.
    async fn in_turn(&self, call: &Call<'_>) -> Result<Answer, CallError> {
        let (patience, turns) = if call.at_once { (AT_ONCE, 1) } else { (PATIENCE, TURNS) };
        for turn in 1.. {
            if !self.pace.turn(patience).await {
                let reason = "the account's requests are used up for now".to_owned();
                return Err(CallError::Later { after: Some(patience), reason });
            }
            match self.once(call).await {
                Err(CallError::Later { after: Some(after), .. }) if turn < turns && after < PATIENCE => {}
                other => return other,
            }
        }
        Err(CallError::InDoubt("no answer".to_owned()))
    }

    async fn once(&self, call: &Call<'_>) -> Result<Answer, CallError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(call.path.split('/').filter(|part| !part.is_empty()));
        }
        url.query_pairs_mut().append_pair("api_key", self.key.expose_secret());
        for (name, value) in &call.query {
            url.query_pairs_mut().append_pair(name, value);
        }
        let mut request = self.http.request(call.method.clone(), url);
        let too_late = || CallError::Later { after: None, reason: HELD_BACK.to_owned() };
        // What only reads does no harm, and what has no body is asked for here.
        let look = self.look.for_call();
        if !call.reads() && look.is_too_late() {
            return Err(too_late());
        }
        if let Some(body) = call.body {
            request = request.header(CONTENT_TYPE, "application/json");
            request = look.body(request, body.to_string().into_bytes());
        }
        match request.send().await {
            Ok(response) => self.read(response).await,
            Err(_) if !call.reads() && look.held_back() => Err(too_late()),
            Err(error) if error.is_connect() => {
                Err(CallError::Later { after: None, reason: "could not connect to Smartlead".to_owned() })
            }
            Err(error) if error.is_timeout() => {
                Err(CallError::InDoubt("Smartlead did not answer in time".to_owned()))
            }
            Err(_) => Err(CallError::InDoubt("the connection broke before Smartlead answered".to_owned())),
        }
    }

    async fn read(&self, mut response: Response) -> Result<Answer, CallError> {
        let status = response.status();
        let limit = Limit::of(response.headers(), self.clock.now());
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= MAX_ANSWER_BYTES => {
                    bytes.extend_from_slice(&chunk);
                }
                Ok(None) => break,
                _ => {
                    return Err(CallError::InDoubt(
                        "Smartlead's answer broke off or is too large".to_owned(),
                    ));
                }
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if status == StatusCode::TOO_MANY_REQUESTS {
            let until = limit.come_back(wire::retry_after(&text), self.clock.now());
            let after = (until - self.clock.now()).to_std().unwrap_or_default();
            self.pace.pause(after).await;
            let reason = "the account is over its request limit".to_owned();
            return Err(CallError::Later { after: Some(after), reason });
        }
        if limit.left == Some(0)
            && let Some(reset) = limit.reset
        {
            let length = (reset - self.clock.now()).clamp(TimeDelta::zero(), LONGEST_PAUSE);
            self.pace.pause(length.to_std().unwrap_or_default()).await;
        }
        meaning(status, text)
    }
}

fn meaning(status: StatusCode, text: String) -> Result<Answer, CallError> {
    let body: Option<Value> = serde_json::from_str(&text).ok();
    if status.is_success() {
        return Ok(body.map_or(Answer::Text(text), Answer::Json));
    }
    let said = body.as_ref().and_then(wire::message);
    let code = status.as_u16();
    let reason = match &said {
        Some(said) => format!("Smartlead answered with HTTP status {code}: {said}"),
        None => format!("Smartlead answered with HTTP status {code}"),
    };
    Err(match status {
        StatusCode::NOT_FOUND => CallError::Gone(said.unwrap_or(reason)),
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN => {
            CallError::Misconfigured(reason)
        }
        StatusCode::REQUEST_TIMEOUT => CallError::InDoubt(reason),
        status if status.is_redirection() => CallError::Misconfigured(reason),
        status if status.is_client_error() => CallError::Refused { status: code, reason },
        // Refusals in the course of business come as 500 too; of the others nobody knows how far they got.
        StatusCode::INTERNAL_SERVER_ERROR if said.as_deref().is_some_and(wire::is_business) => {
            CallError::Refused { status: code, reason }
        }
        _ => CallError::InDoubt(reason),
    })
}

/// What the headers say of the account's limit.
struct Limit {
    left: Option<i64>,
    reset: Option<DateTime<Utc>>,
    retry_after: Option<TimeDelta>,
}

impl Limit {
    fn of(headers: &HeaderMap, now: DateTime<Utc>) -> Self {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
        let date = |name: &str| {
            DateTime::parse_from_rfc2822(headers.get(name)?.to_str().ok()?)
                .ok()
                .map(|at| at.with_timezone(&Utc) - now)
        };
        Self {
            left: number("x-ratelimit-remaining"),
            // Unix seconds; a small number is taken for seconds from now.
            reset: number("x-ratelimit-reset").and_then(|at| match at {
                at if at > 1_000_000_000 => DateTime::from_timestamp(at, 0),
                at => now.checked_add_signed(TimeDelta::try_seconds(at)?),
            }),
            retry_after: number("retry-after")
                .and_then(TimeDelta::try_seconds)
                .or_else(|| date("retry-after")),
        }
    }

    fn come_back(&self, in_body: Option<i64>, now: DateTime<Utc>) -> DateTime<Utc> {
        let wait = self
            .retry_after
            .or_else(|| in_body.and_then(TimeDelta::try_seconds))
            .or_else(|| self.reset.map(|reset| reset - now))
            .unwrap_or(COME_BACK);
        now + wait.clamp(TimeDelta::zero(), LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_one_meaning() {
        let of = |status: u16, text: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            match meaning(status, text.to_owned()) {
                Ok(_) => "done".to_owned(),
                Err(error) => format!("{error:?}").chars().take_while(char::is_ascii_alphabetic).collect(),
            }
        };
        for (status, text, expected) in [
            (200, "{\"ok\":true}", "done"),
            (301, "", "Misconfigured"),
            (400, "{\"message\":\"\\\"x\\\" is not allowed\"}", "Refused"),
            (401, "{\"message\":\"Invalid API Key\"}", "Misconfigured"),
            (402, "", "Misconfigured"),
            (404, "{\"error\":\"Campaign not found - Invalid campaign_id.\"}", "Gone"),
            (409, "", "Refused"),
            (422, "{\"error\":\"no\"}", "Refused"),
            (500, "{\"error\":\"Lead is on the last sequence and cannot be resumed\"}", "Refused"),
            (500, "{\"error\":\"Something went wrong\"}", "InDoubt"),
            (500, "<html>", "InDoubt"),
            (502, "", "InDoubt"),
            (503, "Service Unavailable", "InDoubt"),
        ] {
            assert_eq!(of(status, text), expected, "{status} {text}");
        }
    }

    #[test]
    fn headers_say_when_to_come_back() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let limit = |pairs: &[(&'static str, &str)]| {
            let headers =
                pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            Limit::of(&headers, now)
        };
        let wait =
            |pairs: &[(&'static str, &str)], body| (limit(pairs).come_back(body, now) - now).num_seconds();
        assert_eq!(wait(&[("retry-after", "7"), ("x-ratelimit-reset", "1700000099")], Some(30)), 7);
        assert_eq!(wait(&[("x-ratelimit-reset", "1700000099")], Some(30)), 30);
        assert_eq!(wait(&[("x-ratelimit-reset", "1700000099")], None), 99);
        assert_eq!(wait(&[], None), 10);
        assert_eq!(wait(&[("retry-after", "86400")], None), 600);
        assert_eq!(limit(&[("x-ratelimit-remaining", "0")]).left, Some(0));
    }
}
