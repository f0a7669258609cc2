//! The campaign at Smartlead: read and written in two vocabularies, compared in a third, which is ours.

use chrono::Weekday;
use serde_json::{Map, Value, json};

use super::SmartleadProvider;
use super::client::Call;
use super::{hooks, wire};
use crate::model::{Campaign, OnLeave, SequenceStep, SpanUnit, State, StopOn, Track, fill_holes};
use crate::provider::{CallError, RemoteState, RemoteValues, STATUS};

/// New leads a day where the campaign declares no limit: outreachd's own limits hold.
const NEW_LEADS: u32 = 1000;

const STOP_WORDS: [(&str, &[&str]); 3] = [
    ("reply", &["REPLY_TO_AN_EMAIL"]),
    ("click", &["CLICK_ON_A_LINK", "CLICKED_LINK"]),
    ("open", &["OPEN_AN_EMAIL", "OPENED_EMAIL"]),
];

/// What is declared, in our words.
pub(super) fn wanted(campaign: &Campaign) -> RemoteValues {
    let remote = campaign.remote.clone().unwrap_or_default();
    let mut values = RemoteValues::new();
    let mut set = |name: &str, value: Value| {
        values.insert(name.to_owned(), value);
    };
    // Whoever is kept in an archived campaign gets the rest of its mails: it goes on there as it is.
    if campaign.state != State::Archived || campaign.on_leave != OnLeave::Keep {
        set(STATUS, json!(if campaign.state == State::Active { "active" } else { "paused" }));
    }
    let (days, from, to) = match &campaign.window {
        Some(window) => {
            let mut days: Vec<u32> = window.days.iter().map(Weekday::num_days_from_sunday).collect();
            days.sort_unstable();
            (days, window.from.format("%H:%M").to_string(), window.to.format("%H:%M").to_string())
        }
        None => ((0..7).collect(), "00:00".to_owned(), "23:59".to_owned()),
    };
    set("schedule.timezone", json!(campaign.timezone.name()));
    set("schedule.days", json!(days));
    set("schedule.from", json!(from));
    set("schedule.to", json!(to));
    set("schedule.gap_minutes", json!(remote.gap_minutes));
    set("schedule.new_leads_per_day", json!(campaign.limits.per_day.unwrap_or(NEW_LEADS)));
    let stop_on = match remote.stop_on {
        StopOn::Reply => "reply",
        StopOn::Click => "click",
        StopOn::Open => "open",
    };
    set("settings.stop_on", json!(stop_on));
    if let Some(track) = &remote.track {
        set("settings.track_opens", json!(track.contains(&Track::Opens)));
        set("settings.track_clicks", json!(track.contains(&Track::Clicks)));
    }
    if let Some(text) = &remote.unsubscribe_text {
        set("settings.unsubscribe_text", json!(text));
    }
    if let Some(plain) = remote.plain_text {
        set("settings.plain_text", json!(plain));
    }
    if !remote.mailboxes.is_empty() {
        let mut mailboxes = remote.mailboxes;
        mailboxes.sort_unstable();
        mailboxes.dedup();
        set("mailboxes", json!(mailboxes));
    }
    set("sequence.steps", json!(campaign.sequence.len()));
    for (index, step) in campaign.sequence.iter().enumerate() {
        let (subject, body, days) = step_values(step);
        set(&step_name(index, "wait_days"), json!(days));
        set(&step_name(index, "subject"), json!(subject));
        set(&step_name(index, "body"), json!(body));
    }
    values
}

fn step_name(index: usize, part: &str) -> String {
    // Two digits, so that the steps stand in their order.
    format!("sequence.{:02}.{part}", index + 1)
}

/// A step as Smartlead has it: HTML, with its own way of naming what is put in.
fn step_values(step: &SequenceStep) -> (String, String, u32) {
    let hole = |name: &str| format!("{{{{{name}}}}}");
    // The manifest has been checked: what is not plain is refused there.
    let fill = |text: &str| fill_holes(text, hole).unwrap_or_else(|_| text.to_owned());
    let body = match &step.html {
        Some(html) => fill(html),
        None => fill(&step.body)
            .trim_end()
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace("\r\n", "\n")
            .replace('\n', "<br>"),
    };
    let days = step.wait.map_or(0, |wait| match wait.unit {
        SpanUnit::Week => wait.count.saturating_mul(7),
        _ => wait.count,
    });
    (step.subject.as_deref().map(fill).unwrap_or_default(), body, days)
}

impl SmartleadProvider<'_> {
    pub(super) async fn find_campaign(&self, name: &str) -> Result<Vec<String>, CallError> {
        let all = self.client.json(Call::get("campaigns/")).await?;
        let named = |row: &&Value| row.get("name").and_then(Value::as_str) == Some(name);
        Ok(wire::rows(&all).iter().filter(named).filter_map(|row| wire::id(row.get("id")?)).collect())
    }

    pub(super) async fn create_campaign(&self, name: &str) -> Result<String, CallError> {
        let body = json!({ "name": name });
        let made = self.client.json(Call::post("campaigns/create", &body)).await?;
        let lost = || CallError::InDoubt("Smartlead did not give the new campaign's id".to_owned());
        made.get("id").and_then(wire::id).ok_or_else(lost)
    }

    pub(super) async fn read_campaign(&self, id: &str) -> Result<RemoteState, CallError> {
        let campaign = self.client.json(Call::get(format!("campaigns/{id}"))).await?;
        let steps = self.client.json(Call::get(format!("campaigns/{id}/sequences"))).await?;
        let mailboxes = self.client.json(Call::get(format!("campaigns/{id}/email-accounts"))).await?;
        let mut state = state(&campaign, &wire::rows(&steps), &wire::rows(&mailboxes));
        state.values.extend(self.read_hook(id).await?);
        Ok(state)
    }

    pub(super) async fn write_campaign(
        &self,
        id: &str,
        state: &RemoteState,
        target: &RemoteValues,
        names: &[String],
    ) -> Result<(), CallError> {
        let some = |prefix: &str| names.iter().any(|name| name.starts_with(prefix));
        let path = |part: &str| format!("campaigns/{id}/{part}");
        if some("sequence.") {
            self.say(Call::post(path("sequences"), &sequences(state, target))).await?;
        }
        if some("schedule.") {
            self.say(Call::post(path("schedule"), &schedule(target))).await?;
        }
        if some("settings.") {
            self.say(Call::post(path("settings"), &settings(target, names))).await?;
        }
        if some("mailboxes") {
            let ids = |values: &RemoteValues| -> Vec<i64> {
                let list = values.get("mailboxes").and_then(Value::as_array);
                list.into_iter().flatten().filter_map(wire::number).collect()
            };
            let (there, declared) = (ids(&state.values), ids(target));
            let new: Vec<i64> = declared.iter().copied().filter(|id| !there.contains(id)).collect();
            let gone: Vec<i64> = there.into_iter().filter(|id| !declared.contains(id)).collect();
            if !new.is_empty() {
                self.say(Call::post(path("email-accounts"), &json!({ "email_account_ids": new }))).await?;
            }
            if !gone.is_empty() {
                let body = json!({ "email_account_ids": gone });
                self.say(Call::delete(path("email-accounts"), Some(&body))).await?;
            }
        }
        if some(hooks::PREFIX) {
            self.write_hook(id, target).await?;
        }
        if some(STATUS) {
            let word = match target.get(STATUS).and_then(Value::as_str) {
                Some("active") => "START",
                _ => "PAUSED",
            };
            self.say(Call::post(path("status"), &json!({ "status": word }))).await?;
        }
        Ok(())
    }

    /// 200 with `ok: false` is a refusal.
    pub(super) async fn say(&self, call: Call<'_>) -> Result<(), CallError> {
        let reply = self.client.json(call).await?;
        if reply.get("ok").and_then(Value::as_bool) == Some(false) {
            let reason =
                wire::message(&reply).unwrap_or_else(|| "Smartlead refused without a reason".to_owned());
            return Err(CallError::Refused { status: 200, reason });
        }
        Ok(())
    }
}

/// What Smartlead shows, in our words.
fn state(campaign: &Value, steps: &[Value], mailboxes: &[Value]) -> RemoteState {
    let mut values = RemoteValues::new();
    let mut set = |name: &str, value: Value| {
        values.insert(name.to_owned(), value);
    };
    let status = campaign.get("status").and_then(Value::as_str).unwrap_or_default();
    set(
        STATUS,
        json!(match status {
            "DRAFTED" => "draft".to_owned(),
            other => other.to_lowercase(),
        }),
    );
    let cron = campaign.get("scheduler_cron_value").cloned().unwrap_or_default();
    let mut days: Vec<i64> =
        cron.get("days").and_then(Value::as_array).into_iter().flatten().filter_map(wire::number).collect();
    days.sort_unstable();
    set("schedule.timezone", cron.get("tz").cloned().unwrap_or_default());
    set("schedule.days", json!(days));
    set("schedule.from", cron.get("startHour").cloned().unwrap_or_default());
    set("schedule.to", cron.get("endHour").cloned().unwrap_or_default());
    let number = |name: &str| campaign.get(name).and_then(wire::number);
    set("schedule.gap_minutes", json!(number("min_time_btwn_emails")));
    set("schedule.new_leads_per_day", json!(number("max_leads_per_day")));
    let stop = campaign.get("stop_lead_settings").and_then(Value::as_str).unwrap_or_default();
    let stop = STOP_WORDS.iter().find(|(_, words)| words.contains(&stop)).map_or(stop, |(ours, _)| ours);
    set("settings.stop_on", json!(stop));
    let dont: Vec<&str> = campaign
        .get("track_settings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    set("settings.track_opens", json!(!dont.iter().any(|word| word.contains("EMAIL_OPEN"))));
    set("settings.track_clicks", json!(!dont.iter().any(|word| word.contains("LINK_CLICK"))));
    set("settings.unsubscribe_text", campaign.get("unsubscribe_text").cloned().unwrap_or_default());
    set("settings.plain_text", campaign.get("send_as_plain_text").cloned().unwrap_or(json!(false)));
    let mut ids: Vec<i64> = mailboxes.iter().filter_map(|row| wire::number(row.get("id")?)).collect();
    ids.sort_unstable();
    set("mailboxes", json!(ids));
    let mut sorted: Vec<&Value> = steps.iter().collect();
    sorted.sort_by_key(|step| step.get("seq_number").and_then(wire::number));
    set("sequence.steps", json!(sorted.len()));
    for (index, step) in sorted.iter().enumerate() {
        let delay = step.get("seq_delay_details");
        let days = ["delayInDays", "delay_in_days"]
            .iter()
            .find_map(|name| delay?.get(*name).and_then(wire::number))
            .unwrap_or(0);
        set(&step_name(index, "wait_days"), json!(days));
        set(&step_name(index, "subject"), json!(wire::text(step, "subject").unwrap_or_default()));
        set(&step_name(index, "body"), json!(wire::text(step, "email_body").unwrap_or_default()));
    }
    // The steps keep their ids, and with them what Smartlead knows of who got which.
    let own = sorted.iter().map(|step| step.get("id").cloned().unwrap_or_default()).collect();
    RemoteState { values, own }
}

fn sequences(state: &RemoteState, target: &RemoteValues) -> Value {
    let steps = target.get("sequence.steps").and_then(Value::as_u64).unwrap_or(0);
    let value = |index: usize, part: &str| target.get(&step_name(index, part)).cloned().unwrap_or_default();
    let steps: Vec<Value> = (0..steps as usize)
        .map(|index| {
            json!({
                "id": state.own.get(index).cloned().unwrap_or_default(),
                "seq_number": index + 1,
                "seq_delay_details": { "delay_in_days": value(index, "wait_days") },
                "subject": value(index, "subject"),
                "email_body": value(index, "body"),
            })
        })
        .collect();
    json!({ "sequences": steps })
}

fn schedule(target: &RemoteValues) -> Value {
    let value = |name: &str| target.get(&format!("schedule.{name}")).cloned().unwrap_or_default();
    json!({
        "timezone": value("timezone"),
        "days_of_the_week": value("days"),
        "start_hour": value("from"),
        "end_hour": value("to"),
        "min_time_btw_emails": value("gap_minutes"),
        "max_new_leads_per_day": value("new_leads_per_day"),
    })
}

fn settings(target: &RemoteValues, names: &[String]) -> Value {
    let has = |name: &str| names.iter().any(|known| known == name);
    let value = |name: &str| target.get(name).cloned().unwrap_or_default();
    let mut body = Map::new();
    if has("settings.stop_on") {
        let ours = value("settings.stop_on");
        let word = STOP_WORDS
            .iter()
            .find(|(known, _)| ours == *known)
            .map_or("REPLY_TO_AN_EMAIL", |(_, words)| words[0]);
        body.insert("stop_lead_settings".to_owned(), json!(word));
    }
    if has("settings.track_opens") || has("settings.track_clicks") {
        let dont = [
            ("settings.track_opens", "DONT_TRACK_EMAIL_OPEN"),
            ("settings.track_clicks", "DONT_TRACK_LINK_CLICK"),
        ];
        let words: Vec<&str> =
            dont.into_iter().filter(|(name, _)| value(name) == json!(false)).map(|(_, word)| word).collect();
        body.insert("track_settings".to_owned(), json!(words));
    }
    if has("settings.unsubscribe_text") {
        body.insert("unsubscribe_text".to_owned(), value("settings.unsubscribe_text"));
    }
    if has("settings.plain_text") {
        body.insert("send_as_plain_text".to_owned(), value("settings.plain_text"));
    }
    Value::Object(body)
}
