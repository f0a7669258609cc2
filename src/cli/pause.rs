//! `outreachd pause` and `outreachd resume`: hold a campaign back, beside its file; let a resting mailbox go on.

use chrono::{DateTime, Utc};
use clap::Args;

use super::exit::Coded;
use super::session::{self, Session};
use super::{Exit, Globals, output};
use crate::model::{Campaign, Clock as _};
use crate::store::events::ByHand;
use crate::store::{mailboxes, pauses};

#[derive(Debug, Args)]
pub(super) struct Pause {
    /// The campaign's name or number.
    campaign: String,
    /// Why, for whoever looks next.
    #[arg(long)]
    reason: String,
    /// When it resumes by itself: a length of time (`3d`, `12h`), a day in the campaign's time zone
    /// (`2026-12-01`) or an instant (`2026-12-01T09:00:00Z`).
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Resume {
    /// The campaign's name or number.
    #[arg(required_unless_present = "mailbox")]
    campaign: Option<String>,
    /// A mailbox that rests after its server said no: it sends again at once.
    #[arg(long, value_name = "NAME", conflicts_with = "campaign")]
    mailbox: Option<String>,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
}

pub(super) async fn pause(globals: &Globals, arguments: &Pause) -> anyhow::Result<Exit> {
    let session = Session::open(globals).await?;
    let campaign = session.campaign(&arguments.campaign)?;
    let now = session.clock.now();
    let until = arguments.until.as_deref().map(|text| instant(text, campaign, now)).transpose()?;
    let actor = session::actor();
    let by = ByHand { actor: &actor, at: now };
    pauses::begin(&session.database.store, campaign.number, &arguments.reason, until, by).await?;
    let end = until.map_or_else(
        || format!("until `outreachd resume {}`", campaign.name),
        |until| format!("until {}", until.with_timezone(&campaign.timezone).format("%Y-%m-%d %H:%M %Z")),
    );
    output::write(&format!(
        "{} is paused {end}: nobody enters and nothing is updated; stops still go out\n",
        campaign.name
    ))?;
    Ok(Exit::Done)
}

pub(super) async fn resume(globals: &Globals, arguments: &Resume) -> anyhow::Result<Exit> {
    let session = Session::open(globals).await?;
    let actor = session::actor();
    let by = ByHand { actor: &actor, at: session.clock.now() };
    let store = &session.database.store;
    let reason = arguments.reason.as_deref();
    if let Some(name) = &arguments.mailbox {
        return resume_mailbox(&session, name, reason, by).await;
    }
    let campaign = session.campaign(arguments.campaign.as_deref().unwrap_or_default())?;
    let ended = pauses::end(store, campaign.number, reason, by).await?;
    output::write(&if ended {
        format!("{} goes on\n", campaign.name)
    } else {
        format!("{} was not paused by hand\n", campaign.name)
    })?;
    Ok(Exit::Done)
}

async fn resume_mailbox(
    session: &Session,
    name: &str,
    reason: Option<&str>,
    by: ByHand<'_>,
) -> anyhow::Result<Exit> {
    let mailboxes = &session.manifest.project.mailboxes;
    if !mailboxes.contains_key(name) {
        let declared: Vec<&str> = mailboxes.keys().map(String::as_str).collect();
        let message = format!("no mailbox is called {name}; outreach.yaml declares: {}", declared.join(", "));
        return Err(Coded::error(Exit::Usage, message));
    }
    let ended = mailboxes::resume(&session.database.store, name, reason, by).await?;
    output::write(&if ended {
        format!("mailbox {name} sends again with the next pass\n")
    } else {
        format!("mailbox {name} was not paused\n")
    })?;
    Ok(Exit::Done)
}

fn instant(text: &str, campaign: &Campaign, now: DateTime<Utc>) -> anyhow::Result<DateTime<Utc>> {
    match campaign.instant(text, now) {
        Some(until) if until > now => Ok(until),
        Some(_) => Err(Coded::error(Exit::Usage, format!("{text} is over already"))),
        None => Err(Coded::error(
            Exit::Usage,
            format!(
                "{text:?} is neither a length of time (3d), nor a day (2026-12-01), nor an instant (2026-12-01T09:00:00Z)"
            ),
        )),
    }
}
