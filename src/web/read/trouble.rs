//! What wants a person: pushes in doubt, providers and mailboxes that are slow or away, bad files.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Now, SILENCE};
use crate::manifest::Severity;
use crate::model::{ProviderKind, PushKey};
use crate::store::accounts::{self, Account, MailboxState};
use crate::store::daemons::{self, Daemon};
use crate::store::events::{self, Event};
use crate::store::status::{self, InDoubt};
use crate::web::Shared;
use crate::web::fault::Fault;

/// Pushes of a page; the rest follow when these are settled.
const DOUBTS: i64 = 200;

/// A push in doubt, with its key.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct Doubt {
    pub key: String,
    pub push: InDoubt,
}

/// Pushes of which nobody knows whether they arrived, oldest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct DoubtsView {
    pub as_of: DateTime<Utc>,
    pub pushes: Vec<Doubt>,
}

pub(in crate::web) async fn doubts(shared: &Shared) -> Result<DoubtsView, Fault> {
    use crate::model::Clock as _;
    let doubt = |push: InDoubt| {
        let key =
            PushKey { campaign: push.campaign_number, employee_id: push.employee_id, ordinal: push.ordinal };
        Doubt { key: key.to_string(), push }
    };
    let pushes = status::in_doubt(&shared.store, DOUBTS).await?.into_iter().map(doubt).collect();
    Ok(DoubtsView { as_of: shared.clock.now(), pushes })
}

/// A declared provider, and what the database knows of its account.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct ProviderView {
    pub name: String,
    pub kind: &'static str,
    /// Calls a minute, over all campaigns and daemons; `None` is no limit.
    pub per_minute: Option<u32>,
    pub campaigns: Vec<String>,
    pub account: Account,
}

/// Providers, mailboxes and daemons.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct ProvidersView {
    pub as_of: DateTime<Utc>,
    pub providers: Vec<ProviderView>,
    pub mailboxes: Vec<MailboxState>,
    /// Those of them that no file declares any more.
    pub undeclared: Vec<String>,
    pub daemons: Vec<Daemon>,
}

impl ProvidersView {
    pub(in crate::web) fn declares(&self, mailbox: &MailboxState) -> bool {
        !self.undeclared.contains(&mailbox.name)
    }
}

pub(in crate::web) async fn providers(shared: &Shared) -> Result<ProvidersView, Fault> {
    let now = Now::of(shared).await?;
    let zone = now.manifest.project.defaults.timezone;
    let midnight = now.at.with_timezone(&zone).date_naive().and_time(chrono::NaiveTime::MIN);
    let since = midnight.and_local_timezone(zone).earliest().map_or(now.at, |at| at.to_utc());
    let store = &shared.store;
    let (known, mut mailboxes, daemons) = tokio::try_join!(
        accounts::list(store),
        accounts::mailboxes(store, since),
        daemons::alive(store, now.at - SILENCE),
    )?;
    let project = &now.manifest.project;
    let providers = project
        .providers
        .values()
        .map(|settings| {
            let users = now.manifest.campaigns.iter().filter(|one| one.provider == settings.name);
            ProviderView {
                name: settings.name.clone(),
                kind: kind(&settings.kind),
                per_minute: match &settings.kind {
                    ProviderKind::Smartlead { per_minute, .. } => Some(*per_minute),
                    _ => settings.per_minute,
                },
                campaigns: users.map(|campaign| campaign.name.clone()).collect(),
                account: known.iter().find(|one| one.provider == settings.name).cloned().unwrap_or_default(),
            }
        })
        .collect();
    let names = mailboxes.iter().map(|known| known.name.clone());
    let undeclared = names.filter(|name| !project.mailboxes.contains_key(name)).collect();
    for name in project.mailboxes.keys() {
        if !mailboxes.iter().any(|known| known.name == *name) {
            mailboxes.push(MailboxState { name: name.clone(), ..MailboxState::default() });
        }
    }
    Ok(ProvidersView { as_of: now.at, providers, mailboxes, undeclared, daemons })
}

const fn kind(kind: &ProviderKind) -> &'static str {
    match kind {
        ProviderKind::File { .. } => "file",
        ProviderKind::Webhook { .. } => "webhook",
        ProviderKind::Smartlead { .. } => "smartlead",
        ProviderKind::Smtp(_) => "smtp",
    }
}

/// What is wrong in a file, with the line it is about.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct Problem {
    pub severity: Severity,
    pub code: &'static str,
    pub message: String,
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub advice: Option<String>,
    /// As a terminal shows it.
    pub text: String,
}

/// The files as they are now.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct DiagnosticsView {
    /// Of what is in force.
    pub digest: String,
    pub errors: usize,
    /// Errors and warnings; with any error, the files before are in force.
    pub problems: Vec<Problem>,
}

pub(in crate::web) async fn diagnostics(shared: &Shared) -> DiagnosticsView {
    let declared = shared.files.declared().await;
    let problems: Vec<Problem> = declared
        .diagnostics
        .iter()
        .map(|one| Problem {
            severity: one.severity,
            code: one.code,
            message: one.message.clone(),
            file: one.file.clone(),
            line: one.line,
            column: one.column,
            advice: one.advice.clone(),
            text: one.render(false),
        })
        .collect();
    let errors = declared.diagnostics.iter().filter(|one| one.is_error()).count();
    DiagnosticsView { digest: declared.manifest.digest.clone(), errors, problems }
}

/// What people did by hand, newest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct EventsView {
    pub events: Vec<Event>,
}

pub(in crate::web) async fn events(shared: &Shared, limit: i64) -> Result<EventsView, Fault> {
    Ok(EventsView { events: events::list(&shared.store, None, limit.clamp(1, 1000)).await? })
}
