//! Calls about leads: counters that mislead, ids on request only, partial success without a word.

use serde_json::{Map, Value, json};

use super::answer::{Reply, Request, fields, list, required};
use super::readings::{Added, Duplicates, Repeats, Unsubscribed};
use super::world::{CATEGORIES, LEAD_FIELDS, Status, World};
use crate::model::{is_address, normalize_address};

/// Leads in one call, as documented now.
const MOST_LEADS: usize = 400;
const MOST_CUSTOM_FIELDS: usize = 200;
const FLAGS: [&str; 5] = [
    "ignore_global_block_list",
    "ignore_unsubscribe_list",
    "ignore_community_bounce_list",
    "ignore_duplicate_leads_in_other_campaign",
    "return_lead_ids",
];

type Answered = Result<Reply, Reply>;

/// What a batch came to.
#[derive(Default)]
struct Tally {
    processed: usize,
    added: Map<String, Value>,
    existing: Map<String, Value>,
    elsewhere: Map<String, Value>,
    duplicates: usize,
    invalid: Vec<String>,
    unsubscribed: Vec<String>,
    blocked: usize,
    bounced: usize,
    over_limit: usize,
}

/// One lead of a request, checked.
struct NewLead {
    email: String,
    fields: Map<String, Value>,
    custom: Map<String, Value>,
}

impl World {
    /// Adds leads; of a partial success the rows after the first half are forgotten.
    pub(super) fn add_leads(&mut self, campaign: i64, request: &Request, partial: bool) -> Answered {
        let body = request.object(&["lead_list", "settings"])?;
        let nothing = json!({});
        let settings = fields(body.get("settings").unwrap_or(&nothing), "settings", &FLAGS)?;
        let flag = |name: &str| settings.get(name).and_then(Value::as_bool).unwrap_or(false);
        let leads = list(body, "lead_list")?;
        if leads.is_empty() || leads.len() > MOST_LEADS {
            let what = format!("must contain between 1 and {MOST_LEADS} items");
            return Err(Reply::invalid("body", "lead_list", &what));
        }
        let leads = leads
            .iter()
            .enumerate()
            .map(|(index, lead)| new_lead(index, lead))
            .collect::<Result<Vec<_>, _>>()?;
        if !self.campaigns.contains_key(&campaign) {
            return Err(Reply::no_campaign());
        }
        if self.readings.repeats == Repeats::Conflict
            && leads.iter().any(|lead| self.is_member(campaign, &lead.email))
        {
            return Err(Reply::json(409, json!({ "error": "Lead already exists in campaign" })));
        }
        let taken = if partial { leads.len().div_ceil(2) } else { leads.len() };
        let mut tally = Tally::default();
        let mut seen = std::collections::BTreeSet::new();
        for lead in leads.into_iter().take(taken) {
            let email = normalize_address(&lead.email);
            if !seen.insert(email.clone()) {
                tally.duplicates += 1;
                continue;
            }
            self.add_lead(campaign, &email, lead, &flag, &mut tally);
        }
        Ok(Reply::ok(self.added(&tally, flag("return_lead_ids"))))
    }

    fn is_member(&self, campaign: i64, email: &str) -> bool {
        let lead = self.lead_of(email);
        lead.is_some_and(|lead| {
            self.campaigns.get(&campaign).is_some_and(|part| part.members.contains_key(&lead))
        })
    }

    fn add_lead(
        &mut self,
        campaign: i64,
        email: &str,
        lead: NewLead,
        flag: &impl Fn(&str) -> bool,
        tally: &mut Tally,
    ) {
        if !is_address(email) {
            tally.invalid.push(email.to_owned());
            return;
        }
        let known = self.lead_of(email);
        let unsubscribed = known.and_then(|id| self.leads.get(&id)).is_some_and(|lead| lead.unsubscribed);
        if !flag("ignore_global_block_list") && self.is_blocked(email) {
            tally.blocked += 1;
            return;
        }
        if !flag("ignore_unsubscribe_list") && unsubscribed {
            tally.unsubscribed.push(email.to_owned());
            return;
        }
        if !flag("ignore_community_bounce_list") && self.community_bounces.contains(email) {
            tally.bounced += 1;
            return;
        }
        if self.is_member(campaign, email) {
            // Counted as there, and overwritten for all campaigns all the same.
            let id = self.put_lead(email, lead.fields, lead.custom);
            tally.processed += 1;
            tally.existing.insert(email.to_owned(), json!(id.to_string()));
            return;
        }
        let elsewhere = known.is_some_and(|id| self.is_elsewhere(id, campaign));
        let skipped = match self.readings.duplicates {
            Duplicates::NewOnly => elsewhere && flag("ignore_duplicate_leads_in_other_campaign"),
            Duplicates::Allow => elsewhere && !flag("ignore_duplicate_leads_in_other_campaign"),
        };
        if skipped {
            // Nothing imported and no counter says so.
            tally.processed += 1;
            tally.elsewhere.insert(email.to_owned(), json!(known.map(|id| id.to_string())));
            return;
        }
        if let Some(left) = &mut self.lead_limit {
            if *left <= 0 {
                tally.over_limit += 1;
                return;
            }
            *left -= 1;
        }
        let id = self.put_lead(email, lead.fields, lead.custom);
        self.enter(campaign, id);
        tally.processed += 1;
        tally.added.insert(email.to_owned(), json!(id.to_string()));
    }

    fn added(&self, tally: &Tally, with_ids: bool) -> Value {
        if tally.over_limit > 0 && tally.processed == 0 {
            return json!({
                "ok": false,
                "is_lead_limit_exhausted": true,
                "lead_import_stopped_count": tally.over_limit,
                "error": "The lead credit limit has been reached for your plan",
            });
        }
        let unsubscribed = match self.readings.unsubscribed {
            Unsubscribed::Count => json!(tally.unsubscribed.len()),
            Unsubscribed::List => json!(tally.unsubscribed),
        };
        let mut reply = match self.readings.added {
            Added::Inserted => json!({
                "ok": true,
                "inserted_count": tally.added.len(),
                "duplicate_count": tally.duplicates + tally.existing.len(),
                "blocked_count": tally.blocked,
            }),
            Added::Skipped => json!({
                "added_count": tally.added.len(),
                "skipped_count": tally.existing.len() + tally.elsewhere.len(),
                "skipped_leads": [],
            }),
            Added::Counters => json!({
                "ok": true,
                "upload_count": tally.processed,
                "total_leads": tally.added.len(),
                "already_added_to_campaign": tally.existing.len(),
                "duplicate_count": tally.duplicates,
                "invalid_email_count": tally.invalid.len(),
                "invalid_emails": tally.invalid,
                "unsubscribed_leads": unsubscribed,
                "block_count": tally.blocked,
                "bounce_count": tally.bounced,
                "is_lead_limit_exhausted": tally.over_limit > 0,
                "lead_import_stopped_count": tally.over_limit,
            }),
        };
        if with_ids && self.readings.added == Added::Counters {
            reply["emailToLeadIdMap"] = json!({
                "newlyAddedLeads": tally.added,
                "existingLeads": tally.existing,
                "existingLeadsInOtherCampaigns": tally.elsewhere,
            });
        }
        reply
    }

    pub(super) fn update_lead(&mut self, campaign: i64, lead: i64, request: &Request) -> Answered {
        let allowed: Vec<&str> = ["email", "custom_fields"].into_iter().chain(LEAD_FIELDS).collect();
        let body = request.object(&allowed)?;
        required(body, "email", "")?;
        let checked = new_lead(0, &request.body)?;
        self.member(campaign, lead)?;
        let Some(record) = self.leads.get_mut(&lead) else { return Err(Reply::no_lead()) };
        record.fields.extend(checked.fields);
        record.custom.extend(checked.custom);
        Ok(Reply::ok(json!({ "ok": true })))
    }

    fn member(&mut self, campaign: i64, lead: i64) -> Result<&mut super::world::Member, Reply> {
        let now = self.now;
        let part = self.campaigns.get_mut(&campaign).ok_or_else(Reply::no_campaign)?;
        let member = part.members.get_mut(&lead).ok_or_else(Reply::no_lead)?;
        member.event_at = now;
        Ok(member)
    }

    pub(super) fn pause_lead(&mut self, campaign: i64, lead: i64) -> Answered {
        let member = self.member(campaign, lead)?;
        if member.status.goes_on() {
            member.status = Status::Paused;
        }
        Ok(Reply::ok(json!({ "ok": true, "data": "success" })))
    }

    pub(super) fn resume_lead(&mut self, campaign: i64, lead: i64, request: &Request) -> Answered {
        let body = request.object(&["resume_lead_with_delay_days"])?;
        let days = body.get("resume_lead_with_delay_days").and_then(Value::as_i64).unwrap_or(0);
        let steps = self.campaigns.get(&campaign).map_or(0, |part| part.steps.len());
        let now = self.now;
        let member = self.member(campaign, lead)?;
        if member.sent > 0 && member.sent >= steps {
            return Err(Reply::refused("Lead is on the last sequence and cannot be resumed"));
        }
        member.status = if member.sent == 0 { Status::Started } else { Status::Inprogress };
        let next = member.last_sent_at.map_or(now, |sent| sent + chrono::TimeDelta::days(days)).max(now);
        member.next_at = Some(next);
        self.due.insert((next, campaign, lead));
        Ok(Reply::ok(json!({ "ok": true, "data": "success" })))
    }

    pub(super) fn remove_lead(&mut self, campaign: i64, lead: i64) -> Answered {
        let part = self.campaigns.get_mut(&campaign).ok_or_else(Reply::no_campaign)?;
        part.members.remove(&lead).ok_or_else(Reply::no_lead)?;
        Ok(Reply::ok(json!({ "ok": true })))
    }

    pub(super) fn unsubscribe_lead(&mut self, campaign: i64, lead: i64) -> Answered {
        self.member(campaign, lead)?;
        self.unsubscribe(campaign, lead, false);
        Ok(Reply::ok(json!({ "ok": true })))
    }

    pub(super) fn unsubscribe_everywhere(&mut self, lead: i64) -> Answered {
        self.leads.get_mut(&lead).ok_or_else(Reply::no_lead)?.unsubscribed = true;
        let of_lead: Vec<i64> = self
            .campaigns
            .iter()
            .filter(|(_, part)| part.members.contains_key(&lead))
            .map(|(id, _)| *id)
            .collect();
        for campaign in of_lead {
            self.unsubscribe(campaign, lead, true);
        }
        Ok(Reply::ok(json!({ "ok": true })))
    }

    pub(super) fn categorize_lead(&mut self, campaign: i64, lead: i64, request: &Request) -> Answered {
        let body = request.object(&["category_id", "pause_lead"])?;
        let category = body.get("category_id").and_then(Value::as_i64);
        if category.is_some_and(|id| CATEGORIES.iter().all(|(known, _)| *known != id)) {
            return Err(Reply::refused("Category does not exist"));
        }
        let pause = body.get("pause_lead").and_then(Value::as_bool).unwrap_or(false);
        let member = self.member(campaign, lead)?;
        member.category = category;
        if pause {
            member.status = Status::Paused;
        }
        Ok(Reply::ok(json!({ "ok": true })))
    }

    pub(super) fn add_blocks(&mut self, request: &Request) -> Answered {
        let body = request.object(&["domain_block_list", "client_id"])?;
        let targets: Vec<String> = list(body, "domain_block_list")?
            .iter()
            .filter_map(|target| Some(target.as_str()?.to_owned()))
            .collect();
        for target in &targets {
            self.block(target, "manual");
        }
        Ok(Reply::ok(json!({ "ok": true, "uploadCount": targets.len(), "totalDomainAdded": targets.len() })))
    }
}

/// A lead as the service takes it: known keys, texts, a bounded number of custom fields.
fn new_lead(index: usize, value: &Value) -> Result<NewLead, Reply> {
    let path = format!("lead_list[{index}]");
    let allowed: Vec<&str> = ["email", "custom_fields"].into_iter().chain(LEAD_FIELDS).collect();
    let object = fields(value, &path, &allowed)?;
    let email = required(object, "email", &path)?.to_owned();
    let mut known = Map::new();
    for name in LEAD_FIELDS {
        match object.get(name) {
            None | Some(Value::Null) => {}
            Some(text @ Value::String(_)) => {
                known.insert(name.to_owned(), text.clone());
            }
            Some(_) => return Err(Reply::invalid("body", &format!("{path}.{name}"), "must be a string")),
        }
    }
    let custom = match object.get("custom_fields") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(custom)) if custom.len() <= MOST_CUSTOM_FIELDS => custom.clone(),
        Some(Value::Object(_)) => {
            let what = format!("must have at most {MOST_CUSTOM_FIELDS} keys");
            return Err(Reply::invalid("body", &format!("{path}.custom_fields"), &what));
        }
        Some(_) => {
            return Err(Reply::invalid("body", &format!("{path}.custom_fields"), "must be of type object"));
        }
    };
    Ok(NewLead { email, fields: known, custom })
}
