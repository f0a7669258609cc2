//! The stand-in's own clock: mails leave, bounce, are answered and unsubscribed from.
//!
//! What an address does is its own affair and does not change with the order of things: `bounce...@`, `reply...@`,
//! `info...@` and `unsubscribe...@` do what they say, others by a throw that belongs to seed and address.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use serde_json::json;

use super::faults::throw_of;
use super::hooks::Event;
use super::world::{Campaign, Mail, Status, World};

/// How long people take.
const TO_REPLY: TimeDelta = TimeDelta::hours(2);
/// Where a campaign's window is closed, its members are looked at again this much later.
const LATER: TimeDelta = TimeDelta::minutes(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    Quiet,
    Bounce,
    Unsubscribe,
    Reply,
    AskForInformation,
}

impl Habit {
    fn of(seed: u64, email: &str) -> Self {
        for (prefix, habit) in [
            ("bounce", Self::Bounce),
            ("unsubscribe", Self::Unsubscribe),
            ("reply", Self::Reply),
            ("info", Self::AskForInformation),
            ("quiet", Self::Quiet),
        ] {
            if email.starts_with(prefix) {
                return habit;
            }
        }
        match throw_of(seed, email) {
            0..200 => Self::Bounce,
            200..300 => Self::Unsubscribe,
            300..600 => Self::Reply,
            600..700 => Self::AskForInformation,
            _ => Self::Quiet,
        }
    }
}

impl World {
    /// Goes on to an instant, doing everything that is due on the way in its order.
    pub(super) fn go_on_to(&mut self, until: DateTime<Utc>) {
        while let Some(first) = self.due.first().copied() {
            let (at, campaign, lead) = first;
            if at > until {
                break;
            }
            self.due.remove(&first);
            self.now = self.now.max(at);
            self.do_due(campaign, lead);
        }
        self.now = self.now.max(until);
    }

    fn do_due(&mut self, campaign: i64, lead: i64) {
        let now = self.now;
        let habit = match self.leads.get(&lead) {
            Some(record) => Habit::of(self.seed, &record.email),
            None => return,
        };
        let unsubscribed = self.leads.get(&lead).is_some_and(|record| record.unsubscribed);
        let Some(part) = self.campaigns.get(&campaign) else { return };
        let Some(member) = part.members.get(&lead) else { return };
        // After a mail some people do something before the next one is due.
        if member.sent > 0 && member.replied_at.is_none() && !member.unsubscribed && !member.bounced {
            let answered = member.last_sent_at.is_some_and(|sent| now >= sent + TO_REPLY);
            match habit {
                Habit::Reply | Habit::AskForInformation if answered => {
                    let category = if habit == Habit::AskForInformation { 5 } else { 1 };
                    self.reply(campaign, lead, category);
                    return;
                }
                Habit::Unsubscribe if answered => {
                    self.unsubscribe(campaign, lead, true);
                    return;
                }
                _ => {}
            }
        }
        let next = member.next_at;
        if !member.status.goes_on() || unsubscribed || next.is_none_or(|next| next > now) {
            return;
        }
        let starts = member.sent == 0;
        if part.status != "ACTIVE" || part.steps.is_empty() || part.mailboxes.is_empty() {
            // Looked at again when the campaign is started.
            return;
        }
        if !is_open(part, now) || starts && part.begun_on(now.date_naive()) >= part.schedule.new_leads {
            self.due.insert((now + LATER, campaign, lead));
            return;
        }
        self.send(campaign, lead, habit);
    }

    fn send(&mut self, campaign: i64, lead: i64, habit: Habit) {
        let now = self.now;
        let Some(record) = self.leads.get(&lead).cloned() else { return };
        let Some(part) = self.campaigns.get_mut(&campaign) else { return };
        let begun = part.begun_on(now.date_naive());
        let Some(member) = part.members.get_mut(&lead) else { return };
        let Some(step) = part.steps.get(member.sent).cloned() else { return };
        let subject = part.steps[..=member.sent]
            .iter()
            .rev()
            .find(|step| !step.subject.is_empty())
            .map_or_else(String::new, |step| step.subject.clone());
        let fill = |text: &str| {
            let mut filled = text.to_owned();
            for (name, value) in record.fields.iter().chain(&record.custom) {
                let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
                filled = filled.replace(&format!("{{{{{name}}}}}"), &value);
            }
            filled
        };
        member.sent += 1;
        if member.sent == 1 {
            part.begun = (now.date_naive(), begun + 1);
        }
        member.last_sent_at = Some(now);
        member.event_at = now;
        member.status = Status::Inprogress;
        let number = member.sent;
        let mail =
            Mail { campaign, lead, step: number, subject: fill(&subject), body: fill(&step.body), at: now };
        let more = part.steps.get(number).map(|next| now + TimeDelta::days(next.delay_days));
        member.next_at = more;
        if more.is_none() {
            member.status = Status::Completed;
        }
        if habit == Habit::Bounce {
            member.bounced = true;
            member.status = Status::Blocked;
            member.next_at = None;
        } else {
            self.due.extend(more.map(|at| (at, campaign, lead)));
            self.due.insert((now + TO_REPLY, campaign, lead));
        }
        // Those who came last are those who go on.
        if part.members.values().rev().all(|member| !member.status.goes_on()) {
            "COMPLETED".clone_into(&mut part.status);
        }
        self.mails.push(mail.clone());
        self.announce(&Event::sent(campaign, lead, number, now, &mail));
        if habit == Habit::Bounce {
            self.block(&record.email, "bounce detection");
            self.announce(&Event::new("EMAIL_BOUNCE", campaign, lead, number, now));
        }
    }

    /// A reply; the category is what the account's own reading of it says.
    pub(super) fn reply(&mut self, campaign: i64, lead: i64, category: i64) {
        let now = self.now;
        let Some(part) = self.campaigns.get_mut(&campaign) else { return };
        let stops = part
            .settings
            .get("stop_lead_settings")
            .and_then(|value| value.as_str())
            .is_none_or(|text| text == "REPLY_TO_AN_EMAIL");
        let Some(member) = part.members.get_mut(&lead) else { return };
        member.replied_at = Some(now);
        member.category = Some(category);
        member.event_at = now;
        if stops {
            member.status = Status::Completed;
            member.next_at = None;
        }
        let step = member.sent;
        let mut event = Event::new("EMAIL_REPLY", campaign, lead, step, now);
        event.more.insert("reply_category".to_owned(), json!(category));
        self.announce(&event);
        let mut event = Event::new("LEAD_CATEGORY_UPDATED", campaign, lead, step, now);
        event.more.insert("lead_category".to_owned(), json!({ "old_id": null, "new_id": category }));
        self.announce(&event);
    }

    /// Of one campaign or, for good, of all.
    pub(super) fn unsubscribe(&mut self, campaign: i64, lead: i64, everywhere: bool) {
        let now = self.now;
        if everywhere && let Some(record) = self.leads.get_mut(&lead) {
            record.unsubscribed = true;
        }
        let Some(part) = self.campaigns.get_mut(&campaign) else { return };
        let Some(member) = part.members.get_mut(&lead) else { return };
        let first = !member.unsubscribed;
        member.unsubscribed = true;
        member.status = Status::Stopped;
        member.next_at = None;
        member.event_at = now;
        let step = member.sent;
        if first {
            self.announce(&Event::new("LEAD_UNSUBSCRIBED", campaign, lead, step, now));
        }
    }

    /// Everybody of a campaign is looked at again, as when it is started.
    pub(super) fn wake(&mut self, campaign: i64) {
        let Some(part) = self.campaigns.get(&campaign) else { return };
        let moments: Vec<_> = part
            .members
            .iter()
            .filter(|(_, member)| member.status.goes_on())
            .filter_map(|(lead, member)| Some((member.next_at?, campaign, *lead)))
            .collect();
        self.due.extend(moments);
    }
}

/// Whether mails may leave now, in the campaign's own time zone.
fn is_open(campaign: &Campaign, now: DateTime<Utc>) -> bool {
    let schedule = &campaign.schedule;
    let zone: chrono_tz::Tz = schedule.timezone.parse().unwrap_or(chrono_tz::UTC);
    let local = now.with_timezone(&zone);
    let day = i64::from(local.weekday().num_days_from_sunday());
    let minute = format!("{:02}:{:02}", local.hour(), local.minute());
    schedule.days.contains(&day) && *schedule.start <= *minute && *minute <= *schedule.end
}
