//! `outreachd status`: campaigns, their conditions, counts and next ticks, daemons, what is blocked or in doubt.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::exit::Coded;
use super::output::{BOLD, RED, YELLOW, paint};
use super::session::Database;
use super::{Exit, Format, Globals, mailboxes, output, validate};
use crate::manifest::{self, Manifest};
use crate::model::{Campaign, Clock as _, PushKey};
use crate::reconcile::in_rank;
use crate::store::conditions::{self, Standing};
use crate::store::daemons::{self, Daemon};
use crate::store::pauses::{self, Pause};
use crate::store::replies::feed;
use crate::store::status::{self, CampaignStatus, InDoubt, Waiting};
use crate::store::{DatabaseClock, StoreError, campaigns};

/// Pushes in doubt shown at once.
const SHOWN: i64 = 100;
/// Ticks shown of each campaign.
const TICKS: usize = 3;
/// A daemon gives a sign of life every ten seconds.
const SILENCE: TimeDelta = TimeDelta::seconds(45);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Everything there is to say.
struct Facts {
    now: DateTime<Utc>,
    figures: Vec<CampaignStatus>,
    conditions: Vec<Standing>,
    pauses: Vec<Pause>,
    daemons: Vec<Daemon>,
    in_doubt: Vec<InDoubt>,
    mailboxes: Vec<feed::Row>,
    /// Mails that wait for a person's word.
    undecided: i64,
    waiting: Waiting,
    orphans: Vec<crate::model::Orphan>,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    super::session::check_place(&globals.root)?;
    let loaded = manifest::load(&globals.root);
    if loaded.manifest.is_none() {
        validate::show(&loaded.diagnostics);
        output::remark("The files cannot be taken; daemons go on with those before.");
    }
    let Some(project) = &loaded.project else {
        return Err(Coded::error(
            Exit::InvalidFiles,
            "outreach.yaml, which says where the database is, is at fault",
        ));
    };
    let database = Database::migrated(globals, Some(project)).await?;
    let Some(manifest) = loaded.manifest else {
        return without_files(&database, arguments.format).await;
    };
    let facts = gather(&database, &manifest).await?;
    if arguments.format == Format::Json {
        output::json(&as_json(&manifest, &facts))?;
    } else {
        output::write(&as_text(&manifest, &facts))?;
    }
    Ok(Exit::Done)
}

/// What the database alone knows: the files that declare the campaigns cannot be read.
async fn without_files(database: &Database, format: Format) -> anyhow::Result<Exit> {
    let store = &database.store;
    let now = DatabaseClock::read(store).await?.now();
    let known = campaigns::known(store).await?;
    let numbers: Vec<i32> = known.iter().map(|(number, _)| *number).collect();
    let figures = status::campaigns(store, &numbers).await?;
    let daemons = daemons::alive(store, now - SILENCE).await?;
    if format == Format::Json {
        let campaigns: Vec<_> = known
            .iter()
            .map(|(number, name)| {
                json!({
                    "campaign": name,
                    "number": number,
                    "figures": figures.iter().find(|figure| figure.number == *number),
                })
            })
            .collect();
        output::json(&json!({ "campaigns": campaigns, "daemons": daemons }))?;
        return Ok(Exit::InvalidFiles);
    }
    let rows: Vec<Vec<String>> = known
        .into_iter()
        .filter_map(|(number, name)| {
            let figure = figures.iter().find(|figure| figure.number == number)?;
            Some(vec![
                name,
                number.to_string(),
                figure.enrolled.to_string(),
                figure.put_off.to_string(),
                figure.in_doubt.to_string(),
                last_pass(figure, now),
            ])
        })
        .collect();
    let headings = ["campaign", "#", "enrolled", "put off", "in doubt", "last pass"];
    output::write(&output::table(&headings, &rows))?;
    output::write(&daemons_text(&daemons, "", now))?;
    Ok(Exit::InvalidFiles)
}

async fn gather(database: &Database, manifest: &Manifest) -> Result<Facts, StoreError> {
    let store = &database.store;
    let now = DatabaseClock::read(store).await?.now();
    let declared: Vec<i32> = manifest.campaigns.iter().map(|campaign| campaign.number).collect();
    let mut connection = store.begin().await.map_err(StoreError::on("read the status"))?;
    let orphans = campaigns::orphans(&mut connection, &declared).await?;
    drop(connection);
    Ok(Facts {
        now,
        figures: status::campaigns(store, &declared).await?,
        conditions: conditions::list(store).await?,
        pauses: pauses::holding(store, now).await?,
        daemons: daemons::alive(store, now - SILENCE).await?,
        in_doubt: status::in_doubt(store, SHOWN).await?,
        mailboxes: feed::list(store).await?,
        undecided: feed::undecided(store).await?,
        waiting: status::waiting(store).await?,
        orphans,
    })
}

impl Facts {
    fn conditions_of(&self, campaign: &Campaign) -> impl Iterator<Item = &Standing> {
        self.conditions.iter().filter(move |standing| standing.campaign_number == campaign.number)
    }

    fn pause_of(&self, campaign: &Campaign) -> Option<&Pause> {
        self.pauses.iter().find(|pause| pause.campaign_number == campaign.number)
    }

    fn ticks_of(&self, campaign: &Campaign) -> Vec<DateTime<Utc>> {
        let Some(schedule) = &campaign.schedule else { return Vec::new() };
        let ticks = schedule.ticks_after(campaign.number, campaign.timezone, self.now);
        ticks.take(TICKS).map(|tick| tick.due).collect()
    }
}

fn as_json(manifest: &Manifest, facts: &Facts) -> Value {
    let campaigns: Vec<_> = in_rank(&manifest.campaigns)
        .into_iter()
        .map(|campaign| {
            json!({
                "campaign": campaign.name,
                "number": campaign.number,
                "provider": campaign.provider,
                "state": campaign.state,
                "pause": facts.pause_of(campaign),
                "conditions": facts.conditions_of(campaign).collect::<Vec<_>>(),
                "next_ticks": facts.ticks_of(campaign),
                "figures": facts.figures.iter().find(|figure| figure.number == campaign.number),
            })
        })
        .collect();
    let in_doubt: Vec<_> =
        facts.in_doubt.iter().map(|push| json!({ "key": key(push).to_string(), "push": push })).collect();
    json!({
        "campaigns": campaigns,
        "daemons": facts.daemons,
        "in_doubt": in_doubt,
        "orphaned": facts.orphans,
        "mailboxes": mailboxes::as_json(&manifest.project, &facts.mailboxes, facts.now),
        "undecided_replies": facts.undecided,
        "undecided_drafts": facts.waiting.drafts,
        "lost_answers": { "enrichment": facts.waiting.lost_lookups, "drafting": facts.waiting.lost_drafts },
    })
}

fn as_text(manifest: &Manifest, facts: &Facts) -> String {
    let ranked = in_rank(&manifest.campaigns);
    let rows: Vec<Vec<String>> = ranked
        .iter()
        .filter_map(|campaign| {
            let figure = facts.figures.iter().find(|figure| figure.number == campaign.number)?;
            Some(row(campaign, figure, facts))
        })
        .collect();
    let headings = [
        "campaign",
        "#",
        "state",
        "provider",
        "enrolled",
        "ended",
        "refused",
        "put off",
        "in doubt",
        "last pass",
    ];
    let mut text = output::table(&headings, &rows);
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    for campaign in &ranked {
        for standing in
            facts.conditions_of(campaign).filter(|standing| standing.holds && standing.kind != "ready")
        {
            line(format!(
                "{} {}: {} since {}: {}",
                paint(YELLOW, &standing.kind),
                campaign.name,
                standing.reason,
                local(campaign, standing.since),
                standing.message
            ));
        }
        // The condition follows with the next look of a daemon; without one, never.
        let told = facts.conditions_of(campaign).any(|standing| standing.kind == "paused" && standing.holds);
        if let Some(pause) = facts.pause_of(campaign) {
            let until = pause.until.map_or_else(
                || format!("until `outreachd resume {}`", campaign.name),
                |until| format!("until {}", local(campaign, until)),
            );
            let words =
                if told { String::new() } else { format!(": {} ({})", pause.reason, pause.paused_by) };
            line(format!("{} {} {until}{words}", paint(YELLOW, "paused"), campaign.name));
        }
    }
    for campaign in &ranked {
        let ticks: Vec<String> =
            facts.ticks_of(campaign).into_iter().map(|tick| local(campaign, tick)).collect();
        if !ticks.is_empty() {
            line(format!("next ticks of {}: {}", campaign.name, ticks.join(", ")));
        }
    }
    for orphan in &facts.orphans {
        line(format!(
            "{} {} #{} with {} enrolled and {}: no file declares it",
            paint(YELLOW, "orphaned"),
            orphan.campaign,
            orphan.number,
            orphan.enrolled,
            output::count(orphan.open, "open push")
        ));
    }
    text.push_str(&mailboxes::as_text(&manifest.project, &facts.mailboxes, facts.undecided, facts.now));
    text.push_str(&waiting_text(facts.waiting));
    text.push_str(&daemons_text(&facts.daemons, &manifest.digest, facts.now));
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    if !facts.in_doubt.is_empty() {
        line(format!("\n{}", paint(RED, "In doubt: nobody knows whether these arrived")));
        for push in &facts.in_doubt {
            line(format!(
                "  {} {} -> {}: {}",
                paint(BOLD, key(push)),
                push.action,
                push.provider,
                push.answer.as_deref().unwrap_or("the process ended before an answer came")
            ));
        }
        line(
            "  The next pass asks the provider; where it cannot tell: outreachd resolve KEY --arrived|--not-arrived"
                .to_owned(),
        );
    }
    text
}

fn waiting_text(waiting: Waiting) -> String {
    let mut text = String::new();
    let mut line = |n: i64, what: &str, words: &str| {
        if n > 0 {
            let _ = writeln!(text, "{} {words}", paint(YELLOW, output::count(n, what)));
        }
    };
    let Waiting { drafts, lost_lookups, lost_drafts } = waiting;
    line(drafts, "draft", "to decide for a person: `outreachd drafts list`");
    line(lost_lookups, "lost answer", "of enrichment: `outreachd enrich --retry-lost` pays for them again");
    line(lost_drafts, "lost answer", "of drafting: `outreachd draft --retry-lost` pays for them again");
    text
}

fn daemons_text(daemons: &[Daemon], digest: &str, now: DateTime<Utc>) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    for daemon in daemons {
        let revision =
            daemon.git_revision.as_ref().map_or_else(String::new, |revision| format!(", git {revision}"));
        let stale = if daemon.manifest_digest == digest { "" } else { ", with other files than these" };
        line(format!(
            "daemon {}:{} since {}, seen {}{revision}{stale}",
            daemon.host,
            daemon.pid,
            daemon.started_at.format("%Y-%m-%d %H:%M UTC"),
            ago(now, daemon.seen_at)
        ));
        if !daemon.restart_for.is_empty() {
            line(format!("  {} to apply {}", paint(YELLOW, "restart it"), daemon.restart_for.join(", ")));
        }
        for problem in daemon.diagnostics.as_array().into_iter().flatten().filter_map(Value::as_str) {
            line(format!("  it could not take the files:\n{problem}"));
        }
    }
    if daemons.is_empty() {
        line("no daemon runs on this database".to_owned());
    }
    text
}

fn local(campaign: &Campaign, instant: DateTime<Utc>) -> String {
    instant.with_timezone(&campaign.timezone).format("%a %Y-%m-%d %H:%M %Z").to_string()
}

fn key(push: &InDoubt) -> PushKey {
    PushKey { campaign: push.campaign_number, employee_id: push.employee_id, ordinal: push.ordinal }
}

fn row(campaign: &Campaign, figure: &CampaignStatus, facts: &Facts) -> Vec<String> {
    let ended = figure.replied + figure.bounced + figure.unsubscribed + figure.finished + figure.withdrawn;
    let state = match facts.pause_of(campaign) {
        Some(_) => "paused".to_owned(),
        None => format!("{:?}", campaign.state).to_lowercase(),
    };
    vec![
        campaign.name.clone(),
        campaign.number.to_string(),
        state,
        campaign.provider.clone(),
        figure.enrolled.to_string(),
        ended.to_string(),
        figure.failed.to_string(),
        figure.put_off.to_string(),
        figure.in_doubt.to_string(),
        last_pass(figure, facts.now),
    ]
}

fn last_pass(figure: &CampaignStatus, now: DateTime<Utc>) -> String {
    match (&figure.last_outcome, figure.last_at) {
        (Some(outcome), Some(at)) => {
            let message =
                figure.last_message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
            format!("{outcome} {}{message}", ago(now, at))
        }
        _ => "never".to_owned(),
    }
}

pub(super) fn ago(now: DateTime<Utc>, then: DateTime<Utc>) -> String {
    let seconds = (now - then).num_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}
