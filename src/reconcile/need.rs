//! Whether a campaign needs a pass now, and what that pass may do. Pure: judged from one cheap statement.

use chrono::{DateTime, TimeDelta, Utc};

use crate::manifest::Manifest;
use crate::model::{Campaign, DaemonSettings, State, Tick};
use crate::store::campaigns::Glance;

/// What is to be done about a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Whether there may be something to do.
    pub pass: bool,
    pub takes_in: bool,
    pub window_open: bool,
    /// The tick that a pass would serve.
    pub tick: Option<Tick>,
    /// When to ask again.
    pub next: DateTime<Utc>,
}

/// What a look depends on apart from rows: what is declared, and whether the campaign is paused.
pub fn declared(manifest: &Manifest, campaign: &Campaign) -> String {
    let paused = if campaign.state == State::Paused { ":paused" } else { "" };
    format!("{}{paused}", manifest.digest)
}

/// Judges a glance. The campaign is as it holds now: paused if a person has paused it.
///
/// `grace` is how late a tick may be served under `catch_up: skip`.
pub fn judge(
    campaign: &Campaign,
    glance: &Glance,
    declared: &str,
    settings: &DaemonSettings,
    grace: TimeDelta,
    now: DateTime<Utc>,
) -> Need {
    let is_active = campaign.state == State::Active;
    let window_open = campaign.is_open(now);
    let number = campaign.number;
    let tick = campaign.schedule.as_ref().and_then(|schedule| {
        // A campaign that was never looked at has missed nothing.
        let served = glance.served_tick.unwrap_or(now);
        schedule.open_tick(number, campaign.timezone, served, now, grace)
    });
    // What one pass could not hand over the next one does, however long after the tick.
    let open = glance.intake_open;
    let takes_in = is_active && window_open && (campaign.schedule.is_none() || tick.is_some() || open);
    let due = |instant: Option<DateTime<Utc>>| instant.is_some_and(|instant| instant <= now);
    let pass = glance.is_orphaned
        || tick.is_some() && takes_in
        || open && takes_in && glance.enroll_due.is_none()
        || glance.seen_digest.as_deref() != Some(declared)
        || glance.seen_changes != Some(glance.changes)
        || glance.seen_at.is_none_or(|seen| {
            seen + span(settings.full_look_every) <= now || has_turned(campaign, seen, now)
        })
        || due(glance.other_due)
        || due(glance.enroll_due) && is_active && window_open
        // What was due by the last look and was not sent waits for another day, or for a push that was put off.
        || due(glance.mail_due) && is_active && window_open && glance.mail_due > glance.seen_at;
    let mut next = now + span(settings.look_every);
    let mut at = |instant: Option<DateTime<Utc>>| {
        next = instant.filter(|instant| *instant > now).map_or(next, |instant| next.min(instant));
    };
    at(glance.enroll_due);
    at(glance.other_due);
    at(glance.mail_due);
    if let Some(schedule) = campaign.schedule.as_ref().filter(|_| is_active) {
        at(schedule.ticks_after(number, campaign.timezone, now).next().map(|tick| tick.due));
    }
    Need { pass, takes_in, window_open, tick, next }
}

/// Whether a day or a window has begun since the last look that may admit more.
fn has_turned(campaign: &Campaign, seen: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let opened = campaign.window.as_ref().and_then(|window| window.last_opening(campaign.timezone, now));
    campaign.day_start(now) > seen || opened.is_some_and(|opened| opened > seen)
}

fn span(length: std::time::Duration) -> TimeDelta {
    TimeDelta::from_std(length).unwrap_or(TimeDelta::days(1))
}
