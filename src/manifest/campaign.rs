//! A campaign file -> [`Campaign`].

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde_json::Value;

use super::finding::Findings;
use super::raw::{RawCampaign, RawRamp, RawRemote, RawSafety};
use super::yaml::child;
use super::{content, names, timing};
use crate::model::{
    Campaign, Defaults, FieldRef, Limits, Membership, OnDrift, OnLeave, Ramp, RemoteSettings, Safety,
    SpanUnit, State, WriteBack,
};

/// Checks everything that the file and the project's defaults can tell; `None` when a part that is
/// needed is wrong.
pub(super) fn check(
    findings: &mut Findings<'_>,
    raw: RawCampaign,
    defaults: &Defaults,
    prompts: &BTreeMap<String, String>,
) -> Option<Campaign> {
    let name = names::check(findings, "/campaign", raw.campaign);
    let segment = names::check(findings, "/segment", raw.segment);
    let provider = names::check(findings, "/provider", raw.provider);
    let exit = names::check(findings, "/exit", raw.exit);
    if exit.is_some() && exit == segment {
        findings
            .error("/exit", "contradiction", "whoever enters would leave at once")
            .advise("`exit` names another segment than `segment`: the one that ends an enrollment");
    }
    let timezone = timezone(findings, raw.timezone.as_deref(), raw.schedule.as_ref(), defaults.timezone);
    let window = raw.window.and_then(|window| timing::window(findings, &window));
    let schedule =
        raw.schedule.and_then(|schedule| timing::schedule(findings, schedule, timezone, window.as_ref()));
    let holdout = raw.holdout.as_deref().map_or(Some(0), |text| holdout(findings, text));
    let cooldown = findings.optional_span("/cooldown", raw.cooldown.as_ref());
    let verified = findings.optional_span("/verified", raw.verified.as_ref());
    let limits = raw.limits.map_or_else(Limits::default, |raw| limits(findings, &raw));
    let fields = content::fields(findings, &raw.fields, prompts);
    let sequence = content::sequence(findings, raw.sequence, &raw.fields);
    let remote = remote(findings, raw.remote, raw.on_drift);
    Some(Campaign {
        name: name?,
        description: raw.description,
        number: raw.number?,
        outreach_type: raw.outreach_type?,
        segment: segment?,
        provider: provider?,
        state: raw.state.unwrap_or(State::Active),
        membership: raw.membership.unwrap_or(Membership::Enroll),
        on_leave: raw.on_leave.unwrap_or(OnLeave::Withdraw),
        exit,
        priority: raw.priority.unwrap_or(0),
        overlap: raw.overlap.unwrap_or(false),
        holdout: holdout.unwrap_or(0),
        cooldown: cooldown.or(defaults.cooldown),
        verified,
        company_cap: raw.company_cap.or(defaults.company_cap),
        schedule,
        timezone,
        window,
        limits,
        fields,
        sequence,
        safety: safety(raw.safety, defaults.safety),
        write_back: write_back(&raw.write_back),
        colleagues: raw.on_reply.and_then(|raw| raw.colleagues).unwrap_or_default(),
        remote,
        file: findings.source().path.clone(),
    })
}

fn timezone(
    findings: &mut Findings<'_>,
    own: Option<&str>,
    schedule: Option<&super::raw::RawSchedule>,
    default: Tz,
) -> Tz {
    let of_schedule = schedule.and_then(|schedule| schedule.timezone.as_deref());
    let own = own.and_then(|name| timing::timezone(findings, "/timezone", name));
    let of_schedule = of_schedule.and_then(|name| timing::timezone(findings, "/schedule/timezone", name));
    if let (Some(own), Some(other)) = (own, of_schedule)
        && own != other
    {
        findings
            .error("/schedule/timezone", "contradiction", format!("the campaign's time zone is {own}"))
            .advise("a campaign has one time zone: give it once, as `timezone`");
    }
    own.or(of_schedule).unwrap_or(default)
}

/// `None` when nothing is declared about the campaign at its provider.
fn remote(
    findings: &mut Findings<'_>,
    raw: Option<RawRemote>,
    on_drift: Option<OnDrift>,
) -> Option<RemoteSettings> {
    if raw.is_none() && on_drift.is_none() {
        return None;
    }
    let raw = raw.unwrap_or_default();
    let gap = findings.optional_span("/remote/gap", raw.gap.as_ref()).map(|gap| gap.approximate().as_secs());
    if gap.is_some_and(|seconds| seconds == 0 || seconds % 60 > 0) {
        findings
            .error("/remote/gap", "bad-value", "the gap is in whole minutes")
            .advise("write 1m, 10m, 1h ...");
    }
    let defaults = RemoteSettings::default();
    Some(RemoteSettings {
        on_drift: on_drift.unwrap_or_default(),
        withdraw: raw.withdraw.unwrap_or_default(),
        mailboxes: raw.mailboxes.unwrap_or_default(),
        stop_on: raw.stop_on.unwrap_or_default(),
        track: raw.track,
        unsubscribe_text: raw.unsubscribe_text,
        plain_text: raw.plain_text,
        gap_minutes: gap.map_or(defaults.gap_minutes, |seconds| (seconds / 60) as u32),
    })
}

/// `5%` or `2.5%`, in hundredths of a percent.
fn holdout(findings: &mut Findings<'_>, text: &str) -> Option<u32> {
    let number = text.strip_suffix('%').map(str::trim_end).and_then(|number| {
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        if whole.is_empty() || whole.len() > 3 || part.len() > 2 || !digits(whole) || !digits(part) {
            return None;
        }
        Some(whole.parse::<u32>().ok()? * 100 + format!("{part:0<2}").parse::<u32>().ok()?)
    });
    match number {
        Some(hundredths) if hundredths < 10_000 => Some(hundredths),
        Some(_) => {
            findings
                .error("/holdout", "impossible", "this holds everybody out")
                .advise("write less than 100%");
            None
        }
        None => {
            findings
                .error("/holdout", "bad-value", format!("`{text}` is not a share"))
                .advise("write a percentage with at most two decimals, such as `5%`");
            None
        }
    }
}

fn limits(findings: &mut Findings<'_>, raw: &super::raw::RawLimits) -> Limits {
    let ramp = raw.ramp.as_ref().and_then(|ramp| self::ramp(findings, "/limits/ramp", ramp, raw.per_day));
    if let (Some(domain), Some(day)) = (raw.per_domain_per_day, raw.per_day)
        && domain > day
    {
        findings
            .warning(
                "/limits/per_domain_per_day",
                "no-effect",
                format!("the limit of a domain is above the campaign's own, {day}"),
            )
            .advise("it never takes effect: lower it or leave it out");
    }
    Limits { per_day: raw.per_day, per_domain_per_day: raw.per_domain_per_day, ramp }
}

/// A daily limit that grows, beside a fixed one.
pub(super) fn ramp(
    findings: &mut Findings<'_>,
    pointer: &str,
    ramp: &RawRamp,
    per_day: Option<u32>,
) -> Option<Ramp> {
    let every_days = match &ramp.every {
        None => 1,
        Some(text) => {
            let place = child(pointer, "every");
            let span = findings.span(&place, &Value::String(text.clone()))?;
            match span.unit {
                SpanUnit::Day if span.count > 0 => span.count,
                SpanUnit::Week if span.count > 0 => span.count.saturating_mul(7),
                _ => {
                    findings
                        .error(&place, "bad-value", "a ramp grows by whole days")
                        .advise("write 1d, 2d, 1w ...");
                    return None;
                }
            }
        }
    };
    let (start, add) = (ramp.start?, ramp.add?);
    if add == 0 && per_day.is_none_or(|most| most > start) {
        findings
            .warning(
                &child(pointer, "add"),
                "no-growth",
                format!("this ramp stays at {start} a day for ever"),
            )
            .advise("write how much it grows, or use `per_day` alone");
    }
    if let Some(most) = per_day
        && most < start
    {
        findings
            .warning(
                &child(pointer, "start"),
                "no-growth",
                format!("the ramp starts above `per_day: {most}`"),
            )
            .advise("start lower, or use `per_day` alone");
    }
    Some(Ramp { start, add, every_days })
}

pub(super) fn safety(raw: Option<RawSafety>, default: Safety) -> Safety {
    let raw = raw.unwrap_or_default();
    Safety {
        max_enroll: raw.max_enroll.or(default.max_enroll),
        max_withdraw_percent: raw.max_withdraw_percent.unwrap_or(default.max_withdraw_percent),
        from: raw.from.unwrap_or(default.from),
    }
}

/// The schema has seen to the names and the values.
fn write_back(raw: &BTreeMap<String, Value>) -> Vec<WriteBack> {
    raw.iter()
        .filter_map(|(name, value)| {
            Some(WriteBack { field: FieldRef::parse(name)?, value: value.as_str()?.to_owned() })
        })
        .collect()
}
