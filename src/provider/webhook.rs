//! Provider `webhook`: signed batches over HTTP, after Standard Webhooks (standardwebhooks.com).
//!
//! The receiver answers item by item and dedupes by item key, so an item whose answer was lost may
//! be sent again under its key, unless the provider is declared `idempotent: false`.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use standardwebhooks::Webhook;
use uuid::Uuid;

use super::last_look::{HELD_BACK, LastLook};
use super::{Answer, Destination, Item, Presence, Provider, ProviderError};
use crate::model::{ActionKind, Clock, Verdict};

/// An answer larger than this is no answer: 400 items with long reasons stay far below.
const MAX_ANSWER_BYTES: usize = 4 << 20;

pub(super) struct Settings {
    pub(super) url: String,
    pub(super) secret: SecretString,
    pub(super) idempotent: bool,
    pub(super) look_up: bool,
    pub(super) timeout: Duration,
}

pub(super) struct WebhookProvider<'c> {
    client: Client,
    url: Url,
    signer: Webhook,
    idempotent: bool,
    look_up: bool,
    timeout: Duration,
    clock: &'c dyn Clock,
    look: LastLook,
}

#[derive(Serialize)]
struct Push<'a> {
    r#type: &'static str,
    timestamp: String,
    data: PushData<'a>,
}

#[derive(Serialize)]
struct PushData<'a> {
    campaign: &'a str,
    number: i32,
    items: Vec<PushItem<'a>>,
}

#[derive(Serialize)]
struct PushItem<'a> {
    key: String,
    action: ActionKind,
    email: &'a str,
    employee_id: Uuid,
    fields: &'a Value,
}

#[derive(Deserialize)]
struct Results {
    results: Vec<ItemResult>,
}

#[derive(Deserialize)]
struct ItemResult {
    key: String,
    status: String,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Found {
    found: bool,
}

/// Https, or http to this machine; never with a password in it.
pub(super) fn check_url(text: &str) -> Result<Url, ProviderError> {
    let url = Url::parse(text).map_err(|_| ProviderError::WebhookUrl)?;
    let local = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let safe = url.scheme() == "https" || (url.scheme() == "http" && local);
    let plain = url.username().is_empty() && url.password().is_none();
    if safe && plain { Ok(url) } else { Err(ProviderError::WebhookUrl) }
}

impl<'c> WebhookProvider<'c> {
    pub(super) fn new(
        settings: Settings,
        clock: &'c dyn Clock,
        look: LastLook,
    ) -> Result<Self, ProviderError> {
        let Settings { url, secret, idempotent, look_up, timeout } = settings;
        let secret = secret.expose_secret();
        if !secret.starts_with("whsec_") {
            return Err(ProviderError::WebhookSecret);
        }
        // A second installation fails and changes nothing: one process, one provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            client: Client::builder()
                .user_agent(concat!("outreachd/", env!("CARGO_PKG_VERSION")))
                .timeout(timeout)
                .connect_timeout(timeout.min(Duration::from_secs(10)))
                .redirect(Policy::none())
                .build()
                .map_err(ProviderError::Client)?,
            url: check_url(&url)?,
            signer: Webhook::new(secret).map_err(|_| ProviderError::WebhookSecret)?,
            idempotent,
            look_up,
            timeout,
            clock,
            look,
        })
    }

    async fn push(&self, to: &Destination, items: &[Item]) -> Answer {
        let now = self.clock.now();
        let body = match body(to, items, now) {
            Ok(body) => body,
            Err(error) => {
                return Answer::Whole(Verdict::Refused(format!("cannot be written as JSON: {error}")));
            }
        };
        // New for each call: the receiver tells deliveries apart by item, not by message.
        let mut hasher = Sha256::new();
        hasher.update(&body);
        let id = format!("msg_{}", hex::encode(&hasher.finalize()[..16]));
        let signature = match self.signer.sign(&id, now.timestamp(), &body) {
            Ok(signature) => signature,
            Err(error) => return Answer::Whole(Verdict::Misconfigured(format!("cannot sign: {error}"))),
        };
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(standardwebhooks::HEADER_WEBHOOK_ID, id)
            .header(standardwebhooks::HEADER_WEBHOOK_TIMESTAMP, now.timestamp())
            .header(standardwebhooks::HEADER_WEBHOOK_SIGNATURE, signature);
        let look = self.look.for_call();
        match look.body(request, body).send().await {
            Ok(response) => self.read(response, items).await,
            Err(_) if look.held_back() => {
                Answer::Whole(Verdict::Retry { after: None, reason: HELD_BACK.to_owned() })
            }
            Err(error) if error.is_connect() => Answer::Whole(Verdict::Retry {
                after: None,
                reason: "could not connect to the webhook".to_owned(),
            }),
            Err(error) if error.is_timeout() => lost("the webhook did not answer in time", items),
            Err(_) => lost("the connection broke before the answer", items),
        }
    }

    async fn read(&self, response: Response, items: &[Item]) -> Answer {
        let status = response.status();
        let after = retry_after(&response, self.clock.now());
        let reason = format!("the webhook answered with HTTP status {}", status.as_u16());
        match status {
            StatusCode::TOO_MANY_REQUESTS => Answer::Whole(Verdict::Retry { after, reason }),
            StatusCode::SERVICE_UNAVAILABLE if after.is_some() => {
                Answer::Whole(Verdict::Retry { after, reason })
            }
            StatusCode::UNAUTHORIZED
            | StatusCode::PAYMENT_REQUIRED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::GONE => Answer::Whole(Verdict::Misconfigured(reason)),
            status if status.is_redirection() => Answer::Whole(Verdict::Misconfigured(reason)),
            StatusCode::REQUEST_TIMEOUT => lost(&reason, items),
            status if status.is_client_error() => Answer::Whole(Verdict::Refused(reason)),
            status if !status.is_success() => lost(&reason, items),
            _ => match read_bounded(response).await {
                Some(body) => results(&body, items),
                None => lost("the webhook's answer broke off or is too large", items),
            },
        }
    }

    async fn ask(&self, key: &str) -> Result<Presence, ProviderError> {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("key", key);
        let response =
            self.client.get(url).send().await.map_err(|error| ProviderError::LookUp(error.without_url()))?;
        if !response.status().is_success() {
            return Err(ProviderError::LookUpStatus(response.status().as_u16()));
        }
        let answer = read_bounded(response).await.and_then(|body| serde_json::from_slice(&body).ok());
        Ok(match answer {
            Some(Found { found: true }) => Presence::Here,
            Some(Found { found: false }) => Presence::NotHere,
            None => Presence::Unknown,
        })
    }

    async fn presences(&self, items: &[Item]) -> Result<Vec<Presence>, ProviderError> {
        let blind = if self.idempotent { Presence::SendAgain } else { Presence::Unknown };
        if self.idempotent || !self.look_up {
            return Ok(vec![blind; items.len()]);
        }
        let mut found = Vec::with_capacity(items.len());
        for item in items {
            found.push(self.ask(&item.key.to_string()).await?);
        }
        Ok(found)
    }
}

/// The items may have arrived.
fn lost(reason: &str, items: &[Item]) -> Answer {
    Answer::Items(vec![lost_item(reason); items.len()])
}

fn lost_item(reason: &str) -> Verdict {
    Verdict::InDoubt(reason.to_owned())
}

fn results(body: &[u8], items: &[Item]) -> Answer {
    let Ok(Results { results }) = serde_json::from_slice(body) else {
        return lost("the webhook's answer is not {\"results\": [...]}", items);
    };
    let mut by_key: HashMap<String, ItemResult> =
        results.into_iter().map(|result| (result.key.clone(), result)).collect();
    let verdict = |item: &Item| {
        let Some(result) = by_key.remove(&item.key.to_string()) else {
            return lost_item("the webhook's answer does not mention the item");
        };
        let reason = result.reason.unwrap_or_else(|| "no reason given".to_owned());
        match result.status.as_str() {
            "accepted" => Verdict::Accepted,
            "refused" => Verdict::Refused(reason),
            "retry" => Verdict::Retry { after: None, reason },
            _ => lost_item("the webhook's answer has an unknown status"),
        }
    };
    Answer::Items(items.iter().map(verdict).collect())
}

fn body(to: &Destination, items: &[Item], now: DateTime<Utc>) -> Result<Vec<u8>, serde_json::Error> {
    let items = items.iter().map(|item| PushItem {
        key: item.key.to_string(),
        action: item.action,
        email: &item.email,
        employee_id: item.employee_id(),
        fields: &item.fields,
    });
    serde_json::to_vec(&Push {
        r#type: "outreach.push",
        timestamp: now.to_rfc3339_opts(SecondsFormat::Millis, true),
        data: PushData { campaign: &to.campaign, number: to.number, items: items.collect() },
    })
}

/// `Retry-After` in seconds or as an HTTP date (RFC 9110 10.2.3).
fn retry_after(response: &Response, now: DateTime<Utc>) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some((date.with_timezone(&Utc) - now).to_std().unwrap_or_default())
}

async fn read_bounded(mut response: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

impl Provider for WebhookProvider<'_> {
    fn perform<'a>(&'a self, to: &'a Destination, items: &'a [Item]) -> BoxFuture<'a, Answer> {
        Box::pin(self.push(to, items))
    }

    fn look_up<'a>(
        &'a self,
        _to: &'a Destination,
        items: &'a [Item],
    ) -> BoxFuture<'a, Result<Vec<Presence>, ProviderError>> {
        Box::pin(self.presences(items))
    }

    fn dedupes(&self) -> bool {
        self.idempotent
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }
}
