//! Calls that only read: the roster, look-ups, statistics, the export.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::answer::{Reply, Request};
use super::hooks::instant;
use super::readings::{Roster, Statistics};
use super::world::{CATEGORIES, Campaign, LEAD_FIELDS, Lead, Member, World};

type Answered = Result<Reply, Reply>;

impl World {
    pub(super) fn roster(&self, id: i64, request: &Request) -> Answered {
        let campaign = self.campaigns.get(&id).ok_or_else(Reply::no_campaign)?;
        let offset = request.number("offset", 0, 0, i64::MAX)?;
        let limit = request.number("limit", 100, 1, 100)?;
        let instants = ["created_at_gt", "last_sent_time_gt", "event_time_gt"]
            .map(|name| request.text(name).map(|text| after(name, text)).transpose());
        let [created, last_sent, event] = instants;
        let (created, last_sent, event) = (created?, last_sent?, event?);
        let status = request.text("status");
        let email_status = request.text("emailStatus");
        let mut found: Vec<(&i64, &Member)> = campaign
            .members
            .iter()
            .filter(|(_, member)| member.visible_at <= self.now)
            .filter(|(_, member)| status.is_none_or(|status| member.status.as_str() == status))
            .filter(|(lead, member)| email_status.is_none_or(|wanted| self.has(wanted, **lead, member)))
            .filter(|(_, member)| created.is_none_or(|at| member.created_at > at))
            .filter(|(_, member)| {
                last_sent.is_none_or(|at| member.last_sent_at.is_some_and(|sent| sent > at))
            })
            .filter(|(_, member)| event.is_none_or(|at| member.event_at > at))
            .collect();
        found.sort_by_key(|(_, member)| std::cmp::Reverse(member.map_id));
        let rows: Vec<Value> = found
            .iter()
            .skip(offset as usize)
            .take(limit as usize)
            .filter_map(|(lead, member)| Some(Self::row(**lead, self.leads.get(lead)?, member)))
            .collect();
        Ok(Reply::ok(match self.readings.roster {
            Roster::Data => json!({
                "total_leads": self.number(found.len()), "offset": offset, "limit": limit, "data": rows,
            }),
            Roster::Leads => json!({ "total": self.number(found.len()), "leads": rows }),
        }))
    }

    fn has(&self, wanted: &str, lead: i64, member: &Member) -> bool {
        match wanted {
            "is_replied" => member.replied_at.is_some(),
            "not_replied" => member.replied_at.is_none(),
            "is_bounced" => member.bounced,
            "is_unsubscribed" => {
                member.unsubscribed || self.leads.get(&lead).is_some_and(|lead| lead.unsubscribed)
            }
            _ => false,
        }
    }

    fn row(id: i64, lead: &Lead, member: &Member) -> Value {
        let mut record = record(id, lead);
        // The lead's own mark is set by either kind of unsubscription.
        record["is_unsubscribed"] = json!(lead.unsubscribed || member.unsubscribed);
        json!({
            "campaign_lead_map_id": member.map_id,
            "lead_category_id": member.category,
            "status": member.status.as_str(),
            "created_at": instant(member.created_at),
            "lead": record,
        })
    }

    /// `GET /leads/?email=`: an unknown address is an empty object.
    pub(super) fn look_up(&self, request: &Request) -> Answered {
        let Some(email) = request.text("email") else {
            return Err(Reply::invalid("query", "email", "is required"));
        };
        let Some((id, lead)) = self.lead_of(email).and_then(|id| Some((id, self.leads.get(&id)?))) else {
            return Ok(Reply::ok(json!({})));
        };
        let mut found = record(id, lead);
        let campaigns: Vec<Value> = self
            .campaigns
            .iter()
            .filter_map(|(campaign_id, campaign)| {
                let member = campaign.members.get(&id)?;
                Some(json!({
                    "campaign_id": campaign_id,
                    "campaign_name": campaign.name,
                    "campaign_lead_map_id": member.map_id.to_string(),
                    "lead_category_id": member.category,
                    "last_sent_at": member.last_sent_at.map(instant),
                    "last_reply_at": member.replied_at.map(instant),
                    "last_activity_at": instant(member.event_at),
                    "client_id": null,
                    "client_email": null,
                }))
            })
            .collect();
        found["lead_campaign_data"] = json!(campaigns);
        Ok(Reply::ok(found))
    }

    pub(super) fn show_lead(&self, id: i64) -> Answered {
        Ok(Reply::ok(record(id, self.leads.get(&id).ok_or_else(Reply::no_lead)?)))
    }

    pub(super) fn campaigns_of(&self, lead: i64) -> Answered {
        self.leads.get(&lead).ok_or_else(Reply::no_lead)?;
        let of_lead = self.campaigns.iter().filter(|(_, campaign)| campaign.members.contains_key(&lead));
        Ok(Reply::ok(
            of_lead
                .map(|(id, campaign)| {
                    json!({ "campaign_id": id, "campaign_name": campaign.name, "status": campaign.status })
                })
                .collect(),
        ))
    }

    /// The whole roster as CSV.
    pub(super) fn export(&self, id: i64) -> Answered {
        let campaign = self.campaigns.get(&id).ok_or_else(Reply::no_campaign)?;
        let mut text = String::from(
            "id,campaign_lead_map_id,status,created_at,first_name,last_name,email,phone_number,company_name,website,location,custom_fields,linkedin_profile,company_url,is_unsubscribed,last_email_sequence_sent,is_interested,open_count,click_count,reply_count,category\n",
        );
        for (lead, member) in campaign.members.iter().filter(|(_, member)| member.visible_at <= self.now) {
            let Some(record) = self.leads.get(lead) else { continue };
            let field =
                |name: &str| record.fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let category = member.category.and_then(category_name).unwrap_or_default();
            let cells = [
                lead.to_string(),
                member.map_id.to_string(),
                member.status.as_str().to_owned(),
                instant(member.created_at),
                field("first_name"),
                field("last_name"),
                record.email.clone(),
                field("phone_number"),
                field("company_name"),
                field("website"),
                field("location"),
                Value::Object(record.custom.clone()).to_string(),
                field("linkedin_profile"),
                field("company_url"),
                (record.unsubscribed || member.unsubscribed).to_string(),
                member.sent.to_string(),
                "false".to_owned(),
                "0".to_owned(),
                "0".to_owned(),
                usize::from(member.replied_at.is_some()).to_string(),
                category.to_owned(),
            ];
            let quoted: Vec<String> =
                cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
            let _ = writeln!(text, "{}", quoted.join(","));
        }
        Ok(Reply::text(200, text))
    }

    /// A row a mail, oldest first.
    pub(super) fn statistics(&self, id: i64, request: &Request) -> Answered {
        let campaign = self.campaigns.get(&id).ok_or_else(Reply::no_campaign)?;
        let offset = request.number("offset", 0, 0, i64::MAX)?;
        let limit = request.number("limit", 100, 1, 1000)?;
        if self.readings.statistics == Statistics::Steps {
            return Ok(Reply::ok(self.sums(id, campaign)));
        }
        let from = request
            .text("sent_time_start_date")
            .map(|text| after("sent_time_start_date", text))
            .transpose()?;
        let to =
            request.text("sent_time_end_date").map(|text| after("sent_time_end_date", text)).transpose()?;
        let step = request.number("email_sequence_number", 0, 1, 20)?;
        let wanted = request.text("email_status");
        let rows: Vec<Value> = self
            .mails
            .iter()
            .filter(|mail| mail.campaign == id)
            .filter(|mail| from.is_none_or(|from| mail.at >= from) && to.is_none_or(|to| mail.at <= to))
            .filter(|mail| step == 0 || mail.step as i64 == step)
            .filter_map(|mail| {
                let (lead, member) = (self.leads.get(&mail.lead)?, campaign.members.get(&mail.lead)?);
                let unsubscribed = member.unsubscribed || lead.unsubscribed;
                let fits = match wanted {
                    None => true,
                    Some("replied") => member.replied_at.is_some(),
                    Some("bounced") => member.bounced,
                    Some("unsubscribed") => unsubscribed,
                    Some(_) => false,
                };
                let name = |field: &str| lead.fields.get(field).and_then(Value::as_str).unwrap_or_default();
                let lead_name = format!("{} {}", name("first_name"), name("last_name"));
                // An answer belongs to the last mail.
                let last = mail.step == member.sent;
                fits.then(|| {
                    json!({
                        "lead_name": lead_name.trim(),
                        "lead_email": lead.email,
                        "lead_category": member.category.and_then(category_name),
                        "sequence_number": mail.step,
                        "email_subject": mail.subject,
                        "email_message": mail.body,
                        "sent_time": instant(mail.at),
                        "open_time": null,
                        "click_time": null,
                        "reply_time": member.replied_at.filter(|_| last).map(instant),
                        "open_count": 0,
                        "click_count": 0,
                        "is_unsubscribed": unsubscribed,
                        "is_bounced": member.bounced,
                    })
                })
            })
            .collect();
        let page: Vec<&Value> = rows.iter().skip(offset as usize).take(limit as usize).collect();
        Ok(Reply::ok(json!({
            "total_stats": self.number(rows.len()), "offset": offset, "limit": limit, "data": page,
        })))
    }

    fn sums(&self, id: i64, campaign: &Campaign) -> Value {
        (1..=campaign.steps.len())
            .map(|step| {
                let sent = self.mails.iter().filter(|mail| mail.campaign == id && mail.step == step).count();
                json!({ "sequence_number": step, "sent_count": sent })
            })
            .collect()
    }

    pub(super) fn blocks(&self, request: &Request) -> Answered {
        let offset = request.number("offset", 0, 0, i64::MAX)? as usize;
        let limit = request.number("limit", 100, 1, 1000)? as usize;
        let wanted = request.text("filter_email_or_domain");
        let found = self.blocks.iter().filter(|block| wanted.is_none_or(|wanted| block.target == wanted));
        Ok(Reply::ok(
            found
                .skip(offset)
                .take(limit)
                .map(|block| {
                    json!({
                        "id": block.id,
                        "email_or_domain": block.target,
                        "created_at": instant(block.created_at),
                        "source": block.source,
                        "client_id": null,
                    })
                })
                .collect(),
        ))
    }

    pub(super) fn categories() -> Reply {
        Reply::ok(CATEGORIES.iter().map(|(id, name)| json!({ "id": id, "name": name })).collect())
    }
}

fn category_name(id: i64) -> Option<&'static str> {
    CATEGORIES.iter().find(|(known, _)| *known == id).map(|(_, name)| *name)
}

fn record(id: i64, lead: &Lead) -> Value {
    let mut found = json!({
        "id": id.to_string(),
        "email": lead.email,
        "custom_fields": lead.custom,
        "created_at": instant(lead.created_at),
        "is_unsubscribed": lead.unsubscribed,
        "unsubscribed_client_id_map": null,
    });
    for name in LEAD_FIELDS {
        found[name] = lead.fields.get(name).cloned().unwrap_or(Value::Null);
    }
    found
}

/// An instant, or the start of a day.
fn after(name: &str, text: &str) -> Result<DateTime<Utc>, Reply> {
    let day = || Some(text.parse::<chrono::NaiveDate>().ok()?.and_hms_opt(0, 0, 0)?.and_utc());
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|at| at.with_timezone(&Utc))
        .or_else(day)
        .ok_or_else(|| Reply::invalid("query", name, "must be a valid ISO 8601 date"))
}
