//! What will be handed over when: limits, ramps, windows and schedules played forward. Pure.
//!
//! A forecast, not a promise: it takes today's audience as it is, lets nobody join or leave it, and has each
//! campaign find what its plan finds today.

mod mails;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Campaign, State};
use crate::store::diff::Domains;

/// What the database says of one campaign today.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// When the campaign enrolled its first contact: the ramp's first day.
    pub first: Option<DateTime<Utc>>,
    /// Enrollments handed over since the local day began.
    pub today: i64,
    /// Contacts that may enter, or may but for daily limits.
    pub domains: Vec<Domains>,
    /// Where we send each mail ourselves.
    pub mails: Option<Mails>,
}

pub use mails::{Due, Mails};

/// What one campaign hands over at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Portion {
    pub at: DateTime<Utc>,
    pub enroll: i64,
    /// Follow-ups, where we send each mail ourselves.
    pub send: i64,
}

/// Plays one campaign forward from `now` for some days.
pub fn forecast(campaign: &Campaign, waiting: &Waiting, now: DateTime<Utc>, days: u32) -> Vec<Portion> {
    let end = now + TimeDelta::days(i64::from(days));
    let mut portions = Vec::new();
    if campaign.state != State::Active {
        return portions;
    }
    let mut domains = waiting.domains.clone();
    let mut first = waiting.first;
    let mut day = campaign.day_start(now);
    let mut used = waiting.today;
    let mut follow_ups = waiting.mails.as_ref().map(|mails| mails::Queue::new(campaign, mails, now));
    for (at, takes_in) in mails::instants(campaign, now, follow_ups.is_some()).take_while(|(at, _)| *at < end)
    {
        let nothing_due = follow_ups.as_ref().is_none_or(mails::Queue::is_empty);
        if nothing_due && domains.iter().all(|kind| kind.waiting == 0) {
            break;
        }
        if campaign.day_start(at) > day {
            day = campaign.day_start(at);
            used = 0;
            for kind in &mut domains {
                kind.today = 0;
            }
        }
        let age = first.map_or(0, |first| campaign.days_between(first, at));
        let room = campaign.limits.on_day(age).map_or(i64::MAX, |limit| (i64::from(limit) - used).max(0));
        let room = follow_ups.as_ref().map_or(room, |queue| room.min(queue.capacity(at) - used).max(0));
        let send = follow_ups.as_mut().map_or(0, |queue| queue.send(at, room));
        let most = if takes_in { room - send } else { 0 };
        let enroll = take(&mut domains, campaign.limits.per_domain_per_day.map(i64::from), most);
        if enroll + send > 0 {
            used += enroll + send;
            first.get_or_insert(at);
            portions.push(Portion { at, enroll, send });
        }
        if let Some(queue) = &mut follow_ups {
            queue.begin(at, enroll);
        }
    }
    portions
}

/// Instants at which the campaign may take contacts in: its ticks, moved into the window; without a schedule
/// now, and whenever a day or a window begins.
fn chances(campaign: &Campaign, now: DateTime<Utc>) -> Box<dyn Iterator<Item = DateTime<Utc>> + '_> {
    match &campaign.schedule {
        Some(schedule) => {
            let ticks = schedule.ticks_after(campaign.number, campaign.timezone, now);
            Box::new(ticks.filter_map(move |tick| into_window(campaign, tick.due)))
        }
        None => days(campaign, now),
    }
}

/// Now, and whenever a day or a window begins.
fn days(campaign: &Campaign, now: DateTime<Utc>) -> Box<dyn Iterator<Item = DateTime<Utc>> + '_> {
    let days = std::iter::successors(Some(now), move |at| Some(campaign.next_day_start(*at)));
    Box::new(days.map_while(move |at| into_window(campaign, at)))
}

fn into_window(campaign: &Campaign, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let zone = campaign.timezone;
    match &campaign.window {
        Some(window) if !window.is_open(zone, at) => window.next_opening(zone, at),
        _ => Some(at),
    }
}

/// Takes up to `room` contacts, of each domain up to the daily limit; the most crowded domains first, as they
/// are what lasts longest.
fn take(domains: &mut Vec<Domains>, per_domain: Option<i64>, room: i64) -> i64 {
    let open = |kind: &Domains| match per_domain {
        Some(limit) => kind.waiting.min((limit - kind.today).max(0)),
        None => kind.waiting,
    };
    domains.sort_by_key(|kind| std::cmp::Reverse(kind.waiting));
    let mut taken = 0;
    let mut rest = Vec::new();
    for kind in domains.iter_mut() {
        let each = open(kind);
        if each == 0 {
            continue;
        }
        let whole = ((room - taken) / each).min(kind.domains);
        let part = (room - taken - whole * each).min(each);
        let untouched = kind.domains - whole;
        taken += whole * each;
        if untouched > 0 {
            rest.push(Domains { domains: untouched, ..*kind });
            if part > 0 {
                taken += part;
                if let Some(last) = rest.last_mut() {
                    last.domains -= 1;
                }
                rest.push(Domains { waiting: kind.waiting - part, today: kind.today + part, domains: 1 });
            }
        }
        kind.waiting -= each;
        kind.today += each;
        kind.domains = whole;
    }
    domains.extend(rest);
    domains.retain(|kind| kind.domains > 0);
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn campaign(more: &str) -> Campaign {
        let texts = [
            ("outreach.yaml", "providers: { out: { kind: file } }".to_owned()),
            ("segments/all.yaml", "segment: all\nwhere: { company.segment: Fintech }".to_owned()),
            (
                "campaigns/one.yaml",
                format!("campaign: one\nnumber: 1\ntype: sales\nsegment: all\nprovider: out\n{more}"),
            ),
        ];
        let loaded = crate::manifest::load_sources(texts);
        loaded.manifest.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics)).campaigns.remove(0)
    }

    fn waiting(domains: &[(i64, i64)]) -> Waiting {
        let domains = domains.iter().map(|(waiting, domains)| Domains {
            waiting: *waiting,
            today: 0,
            domains: *domains,
        });
        Waiting { domains: domains.collect(), ..Waiting::default() }
    }

    fn shown(more: &str, waiting: &Waiting, days: u32) -> Vec<(String, i64)> {
        let portions = forecast(&campaign(more), waiting, at("2026-11-24T12:00:00Z"), days);
        portions.iter().map(|portion| (portion.at.format("%d %H:%M").to_string(), portion.enroll)).collect()
    }

    fn expected(portions: &[(&str, i64)]) -> Vec<(String, i64)> {
        portions.iter().map(|(at, enroll)| ((*at).to_owned(), *enroll)).collect()
    }

    #[test]
    fn a_ramp_under_a_schedule_grows_from_the_first_day_on() {
        let more = "schedule: { cron: \"0 9 * * 1-5\" }\nlimits: { per_day: 50, ramp: { start: 20, add: 20, every: 1d } }\n";
        assert_eq!(
            shown(more, &waiting(&[(1, 200)]), 14),
            // Wednesday, Thursday, Friday; the ramp counts days, not ticks.
            expected(&[
                ("25 09:00", 20),
                ("26 09:00", 40),
                ("27 09:00", 50),
                ("30 09:00", 50),
                ("01 09:00", 40)
            ])
        );
    }

    #[test]
    fn without_limits_all_goes_at_once_and_a_window_waits_for_its_opening() {
        assert_eq!(shown("", &waiting(&[(3, 4)]), 14), expected(&[("24 12:00", 12)]));
        let more = "window: { days: [thu], from: \"10:00\", to: \"11:00\" }\n";
        assert_eq!(shown(more, &waiting(&[(3, 4)]), 14), expected(&[("26 10:00", 12)]));
        assert_eq!(shown("state: paused\n", &waiting(&[(3, 4)]), 14), []);
    }

    #[test]
    fn follow_ups_go_first_and_make_room_for_nobody() {
        let more = "schedule: { cron: \"0 9 * * 3\" }\nlimits: { per_day: 10 }\nfields: { a: { value: x } }\nsequence:\n  - { subject: s, body: b }\n  - { wait: 1d, body: b }\n  - { wait: 2d, body: b }\n";
        let due = Due { step: 1, at: at("2026-11-20T00:00:00Z"), contacts: 14 };
        let mails = Mails { due: vec![due], senders: vec![(mailbox(), None)] };
        let waiting = Waiting { mails: Some(mails), ..waiting(&[(1, 4)]) };
        let portions = forecast(&campaign(more), &waiting, at("2026-11-24T12:00:00Z"), 14);
        let shown: Vec<_> = portions
            .iter()
            .map(|portion| (portion.at.format("%d %H:%M").to_string(), portion.send, portion.enroll))
            .collect();
        let row = |at: &str, send, enroll| (at.to_owned(), send, enroll);
        assert_eq!(
            shown,
            [
                row("24 12:00", 10, 0),
                // The other four; at the tick of Wednesday there is room for the new.
                row("25 00:00", 4, 0),
                row("25 09:00", 0, 4),
                // The second mails of the new and the third ones of the others, as far as the day goes.
                row("27 00:00", 10, 0),
                row("28 00:00", 8, 0),
                row("29 00:00", 4, 0),
            ]
        );
    }

    fn mailbox() -> crate::model::Mailbox {
        crate::model::Mailbox {
            name: "a".to_owned(),
            address: "a@test.example".to_owned(),
            display_name: None,
            smtp: None,
            imap: None,
            limits: crate::model::SenderLimits { per_day: None, ramp: None, gap: std::time::Duration::ZERO },
            timezone: chrono_tz::UTC,
        }
    }

    #[test]
    fn a_crowded_domain_takes_its_days() {
        let more = "limits: { per_day: 10, per_domain_per_day: 2 }\n";
        // 5 of one domain, and 3 domains of one: 2 + 3, then 2, then 1.
        assert_eq!(
            shown(more, &waiting(&[(5, 1), (1, 3)]), 14),
            expected(&[("24 12:00", 5), ("25 00:00", 2), ("26 00:00", 1)])
        );
        let used = Waiting { today: 10, ..waiting(&[(5, 1), (1, 3)]) };
        assert_eq!(shown(more, &used, 14)[0], ("25 00:00".to_owned(), 5), "today's limit is used up");
    }
}
