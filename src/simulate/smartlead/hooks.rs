//! Webhooks: what is announced, how it is signed, and how often it is tried.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::faults::{Fault, Faults};
use super::readings::Events;
use super::world::{Delivery, Mail, World};

/// What every webhook is signed with, unless told otherwise.
pub const HOOK_SECRET: &str = "simulated-hook-secret";
/// How often a webhook is tried; the real count is not known.
pub(super) const ATTEMPTS: u32 = 5;

/// Something that happened to a lead in a campaign.
#[derive(Debug, Clone)]
pub(super) struct Event {
    kind: &'static str,
    campaign: i64,
    lead: i64,
    step: usize,
    at: DateTime<Utc>,
    pub(super) more: Map<String, Value>,
}

impl Event {
    pub(super) fn new(kind: &'static str, campaign: i64, lead: i64, step: usize, at: DateTime<Utc>) -> Self {
        Self { kind, campaign, lead, step, at, more: Map::new() }
    }

    pub(super) fn sent(campaign: i64, lead: i64, step: usize, at: DateTime<Utc>, mail: &Mail) -> Self {
        let mut event = Self::new("EMAIL_SENT", campaign, lead, step, at);
        event.more.insert("time_sent".to_owned(), json!(instant(at)));
        event.more.insert("custom_subject".to_owned(), json!(mail.subject));
        event
    }
}

/// Most instants end in `+00:00`; that of an unsubscription in `Z`.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, false)
}

impl World {
    /// Puts the event's webhooks on their way.
    pub(super) fn announce(&mut self, event: &Event) {
        let Some(campaign) = self.campaigns.get(&event.campaign) else { return };
        let wanted: Vec<_> = campaign
            .hooks
            .iter()
            .filter(|hook| hook.events.iter().any(|known| known == event.kind))
            .cloned()
            .collect();
        let (name, status) = (campaign.name.clone(), campaign.status.clone());
        let map_id = campaign.members.get(&event.lead).map(|member| member.map_id);
        let Some(lead) = self.leads.get(&event.lead) else { return };
        let email = lead.email.clone();
        for hook in wanted {
            let kind = match (self.readings.events, event.kind) {
                (Events::Page, "EMAIL_REPLY") => "EMAIL_REPLIED",
                (Events::Page, "EMAIL_BOUNCE") => "EMAIL_BOUNCED",
                (_, kind) => kind,
            };
            let mut body = json!({
                "event_type": kind,
                "event_timestamp": instant(event.at),
                "webhook_id": hook.id,
                "webhook_name": hook.name,
                "webhook_url": hook.url,
                "secret_key": HOOK_SECRET,
                "campaign_id": event.campaign,
                "campaign_name": name,
                "campaign_status": status,
                "to_email": email,
                "sequence_number": event.step,
                "message_id": format!("<{}-{}-{}@sender.example>", event.campaign, event.lead, event.step),
            });
            let Some(fields) = body.as_object_mut() else { continue };
            fields.extend(event.more.clone());
            match event.kind {
                "LEAD_UNSUBSCRIBED" => {
                    let at = event.at.to_rfc3339_opts(SecondsFormat::Millis, true);
                    fields.insert("lead_email".to_owned(), json!(email));
                    fields.insert("event_timestamp".to_owned(), json!(at));
                }
                "EMAIL_BOUNCE" => {
                    fields.insert("is_bounced".to_owned(), json!(true));
                    fields.insert("is_sender_originated_bounce".to_owned(), json!(false));
                }
                "EMAIL_REPLY" => {
                    fields.insert("time_replied".to_owned(), json!(instant(event.at)));
                }
                _ => {}
            }
            if event.kind == "LEAD_CATEGORY_UPDATED" {
                fields.insert("lead_id".to_owned(), json!(event.lead));
            } else if event.kind != "LEAD_UNSUBSCRIBED" {
                fields.insert("sl_email_lead_id".to_owned(), json!(event.lead.to_string()));
                fields.insert("sl_email_lead_map_id".to_owned(), json!(map_id));
                fields.insert("sl_lead_email".to_owned(), json!(email));
            }
            let request_id = format!("req-{}", self.id());
            self.deliveries.push(Delivery {
                url: hook.url,
                request_id,
                body: body.to_string(),
                attempts: 0,
                not_before: DateTime::UNIX_EPOCH,
            });
        }
    }

    /// Takes the deliveries that are due by the machine's clock.
    pub(super) fn take_due_deliveries(&mut self, now: DateTime<Utc>, faults: &Faults) -> Vec<Delivery> {
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.deliveries).into_iter().partition(|delivery| delivery.not_before <= now);
        self.deliveries = later;
        let mut taken = Vec::new();
        for delivery in due {
            match faults.of_hook(self.dice.throw(10_000)) {
                Some(Fault::HookLost) => {}
                Some(_) => taken.extend([delivery.clone(), delivery]),
                None => taken.push(delivery),
            }
        }
        taken
    }

    /// Answers of 500 and more and no answer are tried again; other answers are final.
    pub(super) fn settle_delivery(
        &mut self,
        mut delivery: Delivery,
        status: Option<u16>,
        now: DateTime<Utc>,
    ) {
        delivery.attempts += 1;
        if status.is_none_or(|status| status >= 500) && delivery.attempts < ATTEMPTS {
            delivery.not_before = now + TimeDelta::seconds(1 << delivery.attempts.min(10));
            self.deliveries.push(delivery);
        }
    }
}

/// `sha256=` and the HMAC-SHA256 of the body in hex.
pub(super) fn signature(body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(HOOK_SECRET.as_bytes()) else { return String::new() };
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}
