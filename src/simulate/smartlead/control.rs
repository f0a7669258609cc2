//! `/_sim/...`: what the stand-in really got and did, and the means to make things happen.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::Shared;
use super::answer::{Reply, Request};
use super::hooks::instant;
use super::world::World;

impl Shared {
    /// Answers a control call; paths are below `/_sim`.
    pub(super) fn control(&self, request: &Request) -> Reply {
        let path = request.segments();
        let body = &request.body;
        match (request.method.as_str(), path.as_slice()) {
            ("GET", []) => Reply::ok(self.world().summary()),
            ("GET", ["campaigns", id]) => match id.parse().ok().and_then(|id| self.world().inside(id)) {
                Some(inside) => Reply::ok(inside),
                None => Reply::no_campaign(),
            },
            ("GET", ["mails"]) => Reply::ok(self.world().sent()),
            ("GET", ["calls"]) => Reply::ok(json!(self.world().calls)),
            ("GET", ["entered"]) => Reply::ok(json!(self.world().entered)),
            ("DELETE", ["calls"]) => {
                self.world().calls.clear();
                Reply::ok(json!({ "ok": true }))
            }
            ("POST", ["advance"]) => {
                let seconds = body.get("seconds").and_then(Value::as_i64).unwrap_or(0);
                self.advance(TimeDelta::seconds(seconds));
                Reply::ok(json!({ "now": instant(self.world().now) }))
            }
            ("POST", ["faults"]) => {
                match body.get("spec").and_then(Value::as_str).unwrap_or_default().parse() {
                    Ok(faults) => {
                        self.set_faults(faults);
                        Reply::ok(json!({ "ok": true }))
                    }
                    Err(error) => Reply::json(400, json!({ "error": error })),
                }
            }
            ("GET", ["at-once"]) => Reply::ok(json!(self.most_at_once())),
            ("POST", ["latency"]) => {
                match body.get("ms").and_then(Value::as_str).unwrap_or_default().parse() {
                    Ok(latency) => {
                        self.set_latency(latency);
                        Reply::ok(json!({ "ok": true }))
                    }
                    Err(error) => Reply::json(400, json!({ "error": error })),
                }
            }
            ("POST", ["reading"]) => {
                let text = body.get("set").and_then(Value::as_str).unwrap_or_default();
                match self.world().readings.set(text) {
                    Ok(()) => Reply::ok(json!({ "ok": true })),
                    Err(error) => Reply::json(400, json!({ "error": error })),
                }
            }
            ("POST", ["lead-limit"]) => {
                self.world().lead_limit = body.get("left").and_then(Value::as_i64);
                Reply::ok(json!({ "ok": true }))
            }
            ("POST", ["community-bounce"]) => {
                let email = body.get("email").and_then(Value::as_str).unwrap_or_default();
                self.world().community_bounces.insert(email.to_lowercase());
                Reply::ok(json!({ "ok": true }))
            }
            ("POST", ["edit"]) => self.world().edit(body),
            ("POST", ["reply" | "unsubscribe"]) => self.world().on_behalf_of(path[0], body),
            _ => Reply::json(404, json!({ "error": "no such control" })),
        }
    }
}

impl World {
    fn summary(&self) -> Value {
        let campaigns: Vec<Value> = self
            .campaigns
            .iter()
            .map(|(id, campaign)| {
                json!({
                    "id": id,
                    "name": campaign.name,
                    "status": campaign.status,
                    "members": campaign.members.len(),
                    "sent": self.mails.iter().filter(|mail| mail.campaign == *id).count(),
                })
            })
            .collect();
        json!({
            "now": instant(self.now),
            "leads": self.leads.len(),
            "campaigns": campaigns,
            "mails": self.mails.len(),
            "blocks": self.blocks.iter().map(|block| &block.target).collect::<Vec<_>>(),
            "calls": self.calls.len(),
            "hooks_waiting": self.deliveries.len(),
        })
    }

    /// A campaign as it is inside, by address: nothing of it is late.
    fn inside(&self, id: i64) -> Option<Value> {
        let campaign = self.campaigns.get(&id)?;
        let members: serde_json::Map<String, Value> = campaign
            .members
            .iter()
            .filter_map(|(lead, member)| {
                let record = self.leads.get(lead)?;
                let entry = json!({
                    "lead_id": lead,
                    "status": member.status.as_str(),
                    "sent": member.sent,
                    "bounced": member.bounced,
                    "unsubscribed": member.unsubscribed || record.unsubscribed,
                    "unsubscribed_everywhere": record.unsubscribed,
                    "replied": member.replied_at.is_some(),
                    "created_at": instant(member.created_at),
                    "fields": record.fields,
                    "custom_fields": record.custom,
                });
                Some((record.email.clone(), entry))
            })
            .collect();
        Some(json!({
            "name": campaign.name,
            "status": campaign.status,
            "settings": campaign.settings,
            "schedule": campaign.schedule,
            "steps": campaign.steps,
            "mailboxes": campaign.mailboxes,
            "hooks": campaign.hooks,
            "members": members,
        }))
    }

    /// Every mail that left, with its address.
    fn sent(&self) -> Value {
        self.mails
            .iter()
            .map(|mail| {
                json!({
                    "campaign": mail.campaign,
                    "email": self.leads.get(&mail.lead).map(|lead| &lead.email),
                    "step": mail.step,
                    "subject": mail.subject,
                    "body": mail.body,
                    "at": instant(mail.at),
                })
            })
            .collect()
    }

    /// `{campaign, step, body}`: somebody rewrites a mail in the user interface.
    fn edit(&mut self, body: &Value) -> Reply {
        let campaign = body.get("campaign").and_then(Value::as_i64).unwrap_or_default();
        let step = body.get("step").and_then(Value::as_u64).unwrap_or_default() as usize;
        let text = body.get("body").and_then(Value::as_str).unwrap_or_default();
        let steps = self.campaigns.get_mut(&campaign).map(|campaign| &mut campaign.steps);
        let Some(step) = steps.and_then(|steps| steps.get_mut(step.checked_sub(1)?)) else {
            return Reply::no_campaign();
        };
        text.clone_into(&mut step.body);
        Reply::ok(json!({ "ok": true }))
    }

    /// `{campaign, email, category}`: somebody answers or unsubscribes now.
    fn on_behalf_of(&mut self, what: &str, body: &Value) -> Reply {
        let campaign = body.get("campaign").and_then(Value::as_i64).unwrap_or_default();
        let email = body.get("email").and_then(Value::as_str).unwrap_or_default();
        let Some(lead) = self.lead_of(email) else { return Reply::no_lead() };
        if what == "reply" {
            self.reply(campaign, lead, body.get("category").and_then(Value::as_i64).unwrap_or(1));
        } else {
            self.unsubscribe(campaign, lead, true);
        }
        Reply::ok(json!({ "ok": true }))
    }
}
