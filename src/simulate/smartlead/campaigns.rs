//! Calls about campaigns: what is written in one vocabulary is read in another.

use serde_json::{Map, Value, json};

use super::answer::{Reply, Request, fields, ids, list, required};
use super::hooks::instant;
use super::readings::ScheduleShape;
use super::world::{Campaign, Hook, Schedule, Step, World};

const SETTINGS: [&str; 13] = [
    "track_settings",
    "stop_lead_settings",
    "unsubscribe_text",
    "send_as_plain_text",
    "force_plain_text",
    "follow_up_percentage",
    "client_id",
    "enable_ai_esp_matching",
    "auto_pause_domain_leads_on_reply",
    "bounce_autopause_threshold",
    "domain_level_rate_limit",
    "out_of_office_detection_settings",
    "add_unsubscribe_tag",
];
const STOPS: [&str; 3] = ["REPLY_TO_AN_EMAIL", "CLICK_ON_A_LINK", "OPEN_AN_EMAIL"];
const TRACKS: [(&str, &str); 3] = [
    ("DONT_TRACK_EMAIL_OPEN", "DONT_EMAIL_OPEN"),
    ("DONT_TRACK_LINK_CLICK", "DONT_LINK_CLICK"),
    ("DONT_TRACK_REPLY_TO_AN_EMAIL", "DONT_REPLY_TO_AN_EMAIL"),
];
const EVENTS: [&str; 12] = [
    "EMAIL_SENT",
    "FIRST_EMAIL_SENT",
    "EMAIL_OPEN",
    "EMAIL_LINK_CLICK",
    "EMAIL_REPLY",
    "EMAIL_BOUNCE",
    "LEAD_UNSUBSCRIBED",
    "LEAD_CATEGORY_UPDATED",
    "CAMPAIGN_STATUS_CHANGED",
    "UNTRACKED_REPLIES",
    "MANUAL_STEP_REACHED",
    "EMAIL_ACCOUNT_DISCONNECTED",
];

type Answered = Result<Reply, Reply>;

impl World {
    pub(super) fn create_campaign(&mut self, request: &Request) -> Answered {
        let body = request.object(&["name", "client_id"])?;
        let name = match body.get("name") {
            None => "Untitled Campaign",
            Some(_) => required(body, "name", "")?,
        };
        let (id, now) = (self.id(), self.now);
        let campaign = Campaign {
            name: name.to_owned(),
            status: "DRAFTED".to_owned(),
            created_at: now,
            updated_at: now,
            settings: Map::new(),
            schedule: Schedule::default(),
            steps: Vec::new(),
            mailboxes: std::collections::BTreeSet::new(),
            members: std::collections::BTreeMap::new(),
            hooks: Vec::new(),
            begun: Default::default(),
        };
        self.campaigns.insert(id, campaign);
        Ok(Reply::ok(json!({ "ok": true, "id": id, "name": name, "created_at": instant(now) })))
    }

    /// Newest first, all of them.
    pub(super) fn list_campaigns(&self) -> Reply {
        Reply::ok(self.campaigns.iter().rev().map(|(id, campaign)| shown(*id, campaign)).collect())
    }

    pub(super) fn show_campaign(&self, id: i64) -> Answered {
        Ok(Reply::ok(shown(id, self.campaigns.get(&id).ok_or_else(Reply::no_campaign)?)))
    }

    pub(super) fn delete_campaign(&mut self, id: i64) -> Answered {
        self.campaigns.remove(&id).ok_or_else(Reply::no_campaign)?;
        Ok(Reply::ok(json!({ "ok": true })))
    }

    fn campaign(&mut self, id: i64) -> Result<&mut Campaign, Reply> {
        let now = self.now;
        let campaign = self.campaigns.get_mut(&id).ok_or_else(Reply::no_campaign)?;
        campaign.updated_at = now;
        Ok(campaign)
    }

    pub(super) fn set_status(&mut self, id: i64, request: &Request) -> Answered {
        let body = request.object(&["status"])?;
        let status = required(body, "status", "")?.to_owned();
        let campaign = self.campaign(id)?;
        let next = match status.as_str() {
            "START" => "ACTIVE",
            "PAUSED" => "PAUSED",
            "STOPPED" => "STOPPED",
            _ => return Err(Reply::invalid("body", "status", "must be one of [START, PAUSED, STOPPED]")),
        };
        if campaign.status == "STOPPED" && next != "STOPPED" {
            return Err(Reply::refused("Campaign is stopped and cannot be changed"));
        }
        if next == "ACTIVE" {
            for (missing, what) in [
                (campaign.steps.is_empty(), "sequence"),
                (campaign.mailboxes.is_empty(), "email account"),
                (campaign.members.is_empty(), "lead"),
            ] {
                if missing {
                    return Err(Reply::refused(&format!("Campaign needs at least one {what} to start")));
                }
            }
        }
        next.clone_into(&mut campaign.status);
        if next == "ACTIVE" {
            self.wake(id);
        }
        Ok(Reply::ok(json!({ "ok": true })))
    }

    pub(super) fn set_settings(&mut self, id: i64, request: &Request) -> Answered {
        let body = request.object(&SETTINGS)?.clone();
        if let Some(tracks) = body.get("track_settings") {
            for track in tracks.as_array().into_iter().flatten() {
                if !TRACKS.iter().any(|(write, _)| track == write) {
                    return Err(Reply::invalid(
                        "body",
                        "track_settings[0]",
                        "must be one of the known settings",
                    ));
                }
            }
        }
        if let Some(stop) = body.get("stop_lead_settings")
            && !STOPS.iter().any(|known| stop == known)
        {
            return Err(Reply::invalid(
                "body",
                "stop_lead_settings",
                &format!("must be one of [{}]", STOPS.join(", ")),
            ));
        }
        if let Some(share) = body.get("follow_up_percentage")
            && !share.as_i64().is_some_and(|share| (0..=100).contains(&share))
        {
            return Err(Reply::invalid("body", "follow_up_percentage", "must be between 0 and 100"));
        }
        self.campaign(id)?.settings.extend(body);
        Ok(Reply::ok(json!({ "ok": true })))
    }

    pub(super) fn set_schedule(&mut self, id: i64, request: &Request) -> Answered {
        let flat = [
            "timezone",
            "days_of_the_week",
            "start_hour",
            "end_hour",
            "min_time_btw_emails",
            "max_new_leads_per_day",
            "schedule_start_time",
        ];
        let nested = ["timezone", "days", "start_hour", "end_hour", "min_time_btw_emails"];
        let (body, days) = match self.readings.schedule {
            ScheduleShape::Flat => (request.object(&flat)?.clone(), "days_of_the_week"),
            ScheduleShape::Nested => {
                let outer = request.object(&["schedule"])?;
                let inner = outer.get("schedule").unwrap_or(&Value::Null);
                (fields(inner, "schedule", &nested)?.clone(), "days")
            }
        };
        let timezone = required(&body, "timezone", "")?.to_owned();
        if timezone.parse::<chrono_tz::Tz>().is_err() {
            return Err(Reply::invalid("body", "timezone", "must be a valid timezone"));
        }
        let days = ids(&body, days)?;
        if days.iter().any(|day| !(0..=6).contains(day)) {
            return Err(Reply::invalid("body", "days_of_the_week", "must be between 0 and 6"));
        }
        let start = required(&body, "start_hour", "")?.to_owned();
        let end = required(&body, "end_hour", "")?.to_owned();
        let number = |name: &str| match body.get(name) {
            None => Err(Reply::invalid("body", name, "is required")),
            Some(value) => value.as_i64().ok_or_else(|| Reply::invalid("body", name, "must be a number")),
        };
        let gap = number("min_time_btw_emails")?;
        let new_leads = match self.readings.schedule {
            ScheduleShape::Flat => number("max_new_leads_per_day")?,
            ScheduleShape::Nested => i64::MAX,
        };
        let start_time = body.get("schedule_start_time").and_then(Value::as_str).map(ToOwned::to_owned);
        self.campaign(id)?.schedule = Schedule { timezone, days, start, end, gap, new_leads, start_time };
        Ok(Reply::ok(json!({ "ok": true })))
    }

    pub(super) fn set_sequences(&mut self, id: i64, request: &Request) -> Answered {
        let body = request.object(&["sequences"])?;
        let mut steps: Vec<(i64, Step)> = Vec::new();
        for (index, step) in list(body, "sequences")?.clone().iter().enumerate() {
            let path = format!("sequences[{index}]");
            let allowed = [
                "id",
                "seq_number",
                "seq_delay_details",
                "subject",
                "email_body",
                "seq_variants",
                "variant_distribution_type",
            ];
            let step = fields(step, &path, &allowed)?;
            let number = step
                .get("seq_number")
                .and_then(Value::as_i64)
                .ok_or_else(|| Reply::invalid("body", &format!("{path}.seq_number"), "is required"))?;
            let nothing = json!({});
            let delay = step.get("seq_delay_details").unwrap_or(&nothing);
            let delay = fields(delay, &format!("{path}.seq_delay_details"), &["delay_in_days"])?;
            let text = |name: &str| step.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            steps.push((
                number,
                Step {
                    id: step.get("id").and_then(Value::as_i64).unwrap_or_else(|| self.id()),
                    delay_days: delay.get("delay_in_days").and_then(Value::as_i64).unwrap_or(0),
                    subject: text("subject"),
                    body: text("email_body"),
                },
            ));
        }
        steps.sort_by_key(|(number, _)| *number);
        let campaign = self.campaign(id)?;
        campaign.steps = steps.into_iter().map(|(_, step)| step).collect();
        let made: Vec<Value> = campaign
            .steps
            .iter()
            .enumerate()
            .map(|(index, step)| json!({ "seqNumber": index + 1, "id": step.id }))
            .collect();
        Ok(Reply::ok(json!({ "ok": true, "data": { "sequences": made } })))
    }

    pub(super) fn show_sequences(&self, id: i64) -> Answered {
        let campaign = self.campaigns.get(&id).ok_or_else(Reply::no_campaign)?;
        Ok(Reply::ok(
            campaign
                .steps
                .iter()
                .enumerate()
                .map(|(index, step)| {
                    json!({
                        "id": step.id,
                        "email_campaign_id": id,
                        "seq_number": index + 1,
                        "seq_delay_details": { "delayInDays": step.delay_days },
                        "subject": step.subject,
                        "email_body": step.body,
                        "sequence_variants": null,
                    })
                })
                .collect(),
        ))
    }

    pub(super) fn show_mailboxes(&self, id: i64) -> Answered {
        let campaign = self.campaigns.get(&id).ok_or_else(Reply::no_campaign)?;
        Ok(Reply::ok(
            campaign
                .mailboxes
                .iter()
                .map(|mailbox| json!({ "id": mailbox, "from_email": self.mailboxes.get(mailbox) }))
                .collect(),
        ))
    }

    pub(super) fn change_mailboxes(&mut self, id: i64, request: &Request, attach: bool) -> Answered {
        let mailboxes = ids(request.object(&["email_account_ids"])?, "email_account_ids")?;
        if attach && let Some(unknown) = mailboxes.iter().find(|id| !self.mailboxes.contains_key(id)) {
            return Err(Reply::refused(&format!("Email account {unknown} does not exist")));
        }
        let campaign = self.campaign(id)?;
        let before = campaign.mailboxes.len();
        for mailbox in &mailboxes {
            if attach {
                campaign.mailboxes.insert(*mailbox);
            } else {
                campaign.mailboxes.remove(mailbox);
            }
        }
        if attach && campaign.mailboxes.len() == before {
            let message = "Email account already associated - nothing was changed";
            return Ok(Reply::ok(json!({ "ok": true, "result": [], "message": message })));
        }
        Ok(Reply::ok(json!({ "ok": true, "result": mailboxes })))
    }

    pub(super) fn put_hook(&mut self, id: i64, request: &Request) -> Answered {
        let body = request.object(&["id", "name", "webhook_url", "event_types", "categories"])?;
        let name = required(body, "name", "")?.to_owned();
        let url = required(body, "webhook_url", "")?.to_owned();
        let events: Vec<String> =
            list(body, "event_types")?.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect();
        if let Some(unknown) = events.iter().find(|event| !EVENTS.contains(&event.as_str())) {
            return Err(Reply::invalid("body", "event_types", &format!("does not know {unknown}")));
        }
        if list(body, "categories")?.is_empty() {
            return Err(Reply::invalid("body", "categories", "must contain at least 1 items"));
        }
        let known = body.get("id").and_then(Value::as_i64);
        let hook = Hook { id: known.unwrap_or_else(|| self.id()), name, url, events };
        let campaign = self.campaign(id)?;
        campaign.hooks.retain(|other| other.id != hook.id);
        let reply = json!({ "ok": true, "id": hook.id, "name": hook.name, "webhook_url": hook.url });
        campaign.hooks.push(hook);
        Ok(Reply::ok(reply))
    }

    pub(super) fn show_hooks(&self, id: i64) -> Answered {
        let campaign = self.campaigns.get(&id).ok_or_else(Reply::no_campaign)?;
        Ok(Reply::ok(
            campaign
                .hooks
                .iter()
                .map(|hook| {
                    json!({ "id": hook.id, "name": hook.name, "webhook_url": hook.url, "event_types": hook.events })
                })
                .collect(),
        ))
    }

    pub(super) fn delete_hook(&mut self, id: i64, request: &Request) -> Answered {
        let hook = request.object(&["id"])?.get("id").and_then(Value::as_i64);
        self.campaign(id)?.hooks.retain(|other| Some(other.id) != hook);
        Ok(Reply::ok(json!({ "ok": true })))
    }
}

fn shown(id: i64, campaign: &Campaign) -> Value {
    let setting = |name: &str| campaign.settings.get(name).cloned().unwrap_or(Value::Null);
    let tracks: Vec<&str> = setting("track_settings")
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|track| TRACKS.iter().find(|(write, _)| track == write).map(|(_, read)| *read))
        .collect();
    let schedule = &campaign.schedule;
    json!({
        "id": id,
        "user_id": 7,
        "name": campaign.name,
        "status": campaign.status,
        "created_at": instant(campaign.created_at),
        "updated_at": instant(campaign.updated_at),
        "track_settings": tracks,
        "scheduler_cron_value": {
            "tz": schedule.timezone,
            "days": schedule.days,
            "startHour": schedule.start,
            "endHour": schedule.end,
        },
        "min_time_btwn_emails": schedule.gap,
        "max_leads_per_day": schedule.new_leads,
        "schedule_start_time": schedule.start_time,
        "stop_lead_settings": campaign.settings.get("stop_lead_settings").cloned().unwrap_or(json!("REPLY_TO_AN_EMAIL")),
        "enable_ai_esp_matching": setting("enable_ai_esp_matching"),
        "send_as_plain_text": campaign.settings.get("send_as_plain_text").cloned().unwrap_or(json!(false)),
        "follow_up_percentage": setting("follow_up_percentage"),
        "unsubscribe_text": setting("unsubscribe_text"),
        "parent_campaign_id": null,
        "client_id": setting("client_id"),
        "tags": [],
    })
}
