//! Webhooks from Smartlead: whether one is genuine, and what it says. Pure.

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{news, wire};
use crate::model::normalize_address;
use crate::provider::{News, NewsKind, ProviderError};

pub(crate) const SIGNATURE: &str = "x-smartlead-signature";
const REQUEST_ID: &str = "x-request-id";

/// Why a webhook is not taken.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("the provider takes no webhooks: declare `webhook_secret`")]
    NotExpected,
    #[error("the webhook's secret cannot be read")]
    Secret(#[source] ProviderError),
    #[error("the webhook is not signed with our secret")]
    Forged,
    #[error("the webhook is no JSON object of a known kind")]
    Unreadable,
}

/// What a webhook says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookNews {
    /// Tells a delivery from the same one again.
    pub key: String,
    /// The provider's campaign.
    pub remote: String,
    /// Nothing, when it is of a kind that says nothing to us.
    pub news: Vec<News>,
}

/// Verifies and reads a webhook.
pub(crate) fn read(
    secret: &SecretString,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<WebhookNews, WebhookError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| WebhookError::Unreadable)?;
    if !is_genuine(secret, headers, body, &value) {
        return Err(WebhookError::Forged);
    }
    let kind = wire::text(&value, "event_type").ok_or(WebhookError::Unreadable)?;
    let remote = value.get("campaign_id").and_then(wire::id).ok_or(WebhookError::Unreadable)?;
    let address =
        ["sl_lead_email", "lead_email", "to_email"].iter().find_map(|name| wire::text(&value, name));
    let email = address.map(normalize_address).unwrap_or_default();
    let stamp = wire::text(&value, "event_timestamp").unwrap_or_default();
    let at = ["time_sent", "time_replied", "event_timestamp"]
        .iter()
        .find_map(|name| value.get(*name).and_then(wire::instant));
    let step = value.get("sequence_number").and_then(wire::number).and_then(|step| u32::try_from(step).ok());
    // `message_id` is shared by all events of a mail, so it tells no event from another.
    let key = match headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty()) {
        Some(id) => id.to_owned(),
        None => {
            let mut hasher = Sha256::new();
            for part in [&remote, &email, kind, stamp] {
                hasher.update(part.as_bytes());
                hasher.update([0]);
            }
            hex::encode(&hasher.finalize()[..16])
        }
    };
    let what = match kind {
        "EMAIL_SENT" | "FIRST_EMAIL_SENT" => Some(NewsKind::Sent),
        "EMAIL_REPLY" | "EMAIL_REPLIED" => {
            let category = wire::text(&value, "reply_category");
            category.map_or(Some(NewsKind::Replied), news::of_category)
        }
        // A bounce of our own mailbox's making says nothing about the address.
        "EMAIL_BOUNCE" | "EMAIL_BOUNCED" => {
            let ours = value.get("is_sender_originated_bounce").and_then(Value::as_bool) == Some(true);
            (!ours).then_some(NewsKind::Bounced)
        }
        "LEAD_UNSUBSCRIBED" => Some(NewsKind::Unsubscribed),
        "LEAD_CATEGORY_UPDATED" => of_category(value.get("lead_category")),
        _ => None,
    };
    let news = what.filter(|_| !email.is_empty()).map(|kind| News { email, kind, at, step });
    Ok(WebhookNews { key, remote, news: news.into_iter().collect() })
}

/// The name decides; where only the id is given, those that every account has.
fn of_category(category: Option<&Value>) -> Option<NewsKind> {
    let category = category?;
    let kind = match wire::text(category, "new_name") {
        Some(name) => news::of_category(name),
        None => match category.get("new_id").and_then(wire::number) {
            Some(5) => Some(NewsKind::AskedForInformation),
            Some(4) => Some(NewsKind::Unsubscribed),
            _ => None,
        },
    };
    // Being sorted is not replying.
    kind.filter(|kind| *kind != NewsKind::Replied)
}

/// By the signature over the body; a delivery without one must carry the secret itself, as older ones do.
fn is_genuine(secret: &SecretString, headers: &HeaderMap, body: &[u8], value: &Value) -> bool {
    let secret = secret.expose_secret().as_bytes();
    if let Some(signature) = headers.get(SIGNATURE) {
        let hexed = signature.to_str().ok().map(|text| text.trim().trim_start_matches("sha256=").to_owned());
        let Some(given) = hexed.and_then(|text| hex::decode(text).ok()) else { return false };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
        mac.update(body);
        // Compares in constant time.
        return mac.verify_slice(&given).is_ok();
    }
    // Digests are compared, so that the time taken tells nothing about the secret.
    wire::text(value, "secret_key")
        .is_some_and(|given| Sha256::digest(given.as_bytes()) == Sha256::digest(secret))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn signed(body: &Value, id: Option<&str>) -> (HeaderMap, Vec<u8>) {
        let body = body.to_string().into_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret").unwrap();
        mac.update(&body);
        let mut headers = HeaderMap::new();
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        headers.insert(SIGNATURE, signature.parse().unwrap());
        if let Some(id) = id {
            headers.insert(REQUEST_ID, id.parse().unwrap());
        }
        (headers, body)
    }

    fn secret() -> SecretString {
        SecretString::from("s3cret".to_owned())
    }

    #[test]
    fn only_what_is_signed_with_our_secret_is_read() {
        let event = json!({ "event_type": "EMAIL_SENT", "campaign_id": 7, "to_email": "A@B.example",
            "event_timestamp": "2026-11-24T10:00:00+00:00", "message_id": "<m>", "sequence_number": 1 });
        let (headers, body) = signed(&event, Some("r-1"));
        let read_ok = read(&secret(), &headers, &body).unwrap();
        assert_eq!((read_ok.key.as_str(), read_ok.remote.as_str()), ("r-1", "7"));
        assert_eq!(read_ok.news[0].email, "a@b.example");
        let mut other = body.clone();
        other[20] ^= 1;
        assert!(matches!(
            read(&secret(), &headers, &other),
            Err(WebhookError::Forged | WebhookError::Unreadable)
        ));
        assert!(matches!(
            read(&SecretString::from("x".to_owned()), &headers, &body),
            Err(WebhookError::Forged)
        ));
        assert!(matches!(read(&secret(), &HeaderMap::new(), &body), Err(WebhookError::Forged)));
        let mut older = event.clone();
        older["secret_key"] = json!("s3cret");
        assert!(read(&secret(), &HeaderMap::new(), older.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn without_a_request_id_the_event_itself_is_the_key() {
        let event = |kind: &str, at: &str| json!({ "event_type": kind, "campaign_id": 7, "to_email": "a@b.example", "event_timestamp": at, "message_id": "<m>" });
        let key = |event: &Value| {
            let (headers, body) = signed(event, None);
            read(&secret(), &headers, &body).unwrap().key
        };
        let first = key(&event("EMAIL_SENT", "2026-11-24T10:00:00+00:00"));
        assert_eq!(first, key(&event("EMAIL_SENT", "2026-11-24T10:00:00+00:00")));
        assert_ne!(first, key(&event("EMAIL_OPEN", "2026-11-24T10:00:00+00:00")), "one mail, another event");
    }

    #[test]
    fn each_event_says_what_it_says() {
        let kind = |mut event: Value| {
            event["campaign_id"] = json!(7);
            event["to_email"] = json!("a@b.example");
            let (headers, body) = signed(&event, Some("r"));
            read(&secret(), &headers, &body).unwrap().news.first().map(|news| news.kind)
        };
        for name in ["EMAIL_REPLY", "EMAIL_REPLIED"] {
            assert_eq!(kind(json!({ "event_type": name })), Some(NewsKind::Replied));
        }
        assert_eq!(
            kind(json!({ "event_type": "EMAIL_BOUNCE", "is_bounced": true })),
            Some(NewsKind::Bounced)
        );
        assert_eq!(kind(json!({ "event_type": "EMAIL_BOUNCE", "is_sender_originated_bounce": true })), None);
        assert_eq!(kind(json!({ "event_type": "EMAIL_OPEN" })), None);
        let sorted = |id: i64| {
            kind(json!({ "event_type": "LEAD_CATEGORY_UPDATED", "lead_category": { "new_id": id } }))
        };
        assert_eq!(
            [sorted(5), sorted(4), sorted(1)],
            [Some(NewsKind::AskedForInformation), Some(NewsKind::Unsubscribed), None]
        );
    }
}
