//! The project file: where the database is, which providers there are, and what holds for every campaign.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;
use serde::Serialize;

use super::campaign::{Campaign, Safety};
use super::draft::DraftingSettings;
use super::duration::Span;
use super::enrichment::EnrichmentSettings;
use super::http::HttpSettings;
use super::mail::{Dkim, Mailbox, ReplySettings, SmtpSettings};
use super::notice::NoticeTarget;
use super::remote::OtherCampaigns;
use super::secret::SecretRef;

/// How to reach the database. Without a `url` here and without `DATABASE_URL`, outreachd runs its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DatabaseSettings {
    pub url: Option<SecretRef>,
    /// Longest time one audience statement may take.
    pub statement_timeout: Option<Span>,
}

/// What kind of system a provider is, with the settings of that kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ProviderKind {
    /// Append-only JSON Lines, one file a campaign, in `dir` below the project folder.
    File { dir: PathBuf },
    /// Standard Webhooks over HTTP.
    Webhook {
        url: String,
        secret: SecretRef,
        /// The receiver dedupes by item key, so an item in doubt may be sent again under its key.
        idempotent: bool,
        /// `GET ?key=` answers `{"found":bool}`.
        look_up: bool,
        timeout: Duration,
    },
    /// Smartlead's API v1.
    Smartlead {
        /// Where the API begins.
        url: String,
        key: SecretRef,
        /// Requests of all campaigns and processes together.
        per_minute: u32,
        timeout: Duration,
        other_campaigns: OtherCampaigns,
        /// How often the daemon asks what happened.
        listen_every: Duration,
        /// What its webhooks are signed with.
        webhook_secret: Option<SecretRef>,
        /// Where its webhooks are to go: each campaign gets one. None is made without it.
        webhook_url: Option<String>,
    },
    /// Mails that we send ourselves.
    Smtp(Box<SmtpSettings>),
}

impl ProviderKind {
    /// Whether the provider keeps campaigns of its own, which are read and written.
    pub const fn keeps_campaigns(&self) -> bool {
        matches!(self, Self::Smartlead { .. })
    }

    /// The settings of sending, where we send each mail of a sequence ourselves.
    pub fn smtp(&self) -> Option<&SmtpSettings> {
        match self {
            Self::Smtp(settings) => Some(settings),
            _ => None,
        }
    }
}

/// One declared provider account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderSettings {
    pub name: String,
    #[serde(flatten)]
    pub kind: ProviderKind,
    /// Largest number of items in one call.
    pub batch: u32,
    /// Most calls to the account in a minute, over all campaigns and replicas; `None` is no limit.
    pub per_minute: Option<u32>,
}

/// How the daemon goes about its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DaemonSettings {
    /// Campaigns that are worked on side by side.
    pub campaigns_at_once: u32,
    /// How often each campaign is asked, by one cheap statement, whether anything has changed.
    pub look_every: Duration,
    /// How often a campaign is looked at as a whole, whatever the cheap statement says.
    pub full_look_every: Duration,
    /// How often the files are compared where the system reports no changes, as on network folders.
    pub poll_files_every: Duration,
    /// How long a soft stop waits for what is in flight.
    pub stop_within: Duration,
}

impl Default for DaemonSettings {
    fn default() -> Self {
        Self {
            campaigns_at_once: 4,
            look_every: Duration::from_secs(10),
            full_look_every: Duration::from_mins(15),
            poll_files_every: Duration::from_secs(5),
            stop_within: Duration::from_secs(30),
        }
    }
}

/// What campaigns take over unless they say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Defaults {
    pub timezone: Tz,
    pub cooldown: Option<Span>,
    pub company_cap: Option<u32>,
    pub safety: Safety,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { timezone: Tz::UTC, cooldown: None, company_cap: None, safety: Safety::default() }
    }
}

/// The checked `outreach.yaml`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Project {
    pub database: DatabaseSettings,
    pub providers: BTreeMap<String, ProviderSettings>,
    pub mailboxes: BTreeMap<String, Mailbox>,
    pub replies: ReplySettings,
    pub defaults: Defaults,
    pub daemon: DaemonSettings,
    /// What contacts are looked up with; left out where nothing is declared, so that digests stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrichment: Option<EnrichmentSettings>,
    /// What drafts fields; left out likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drafting: Option<DraftingSettings>,
    /// Where the daemon answers HTTP; `None` is nowhere.
    pub http: Option<HttpSettings>,
    /// Who is told of conditions.
    pub notify: Vec<NoticeTarget>,
    /// How long a lease lasts without renewal: after a crash another process takes over this much later.
    pub lease: Duration,
}

impl Project {
    /// Mails of the campaign's sequence, where we send each one ourselves.
    pub fn mails(&self, campaign: &Campaign) -> Option<u16> {
        self.providers.get(&campaign.provider)?.kind.smtp().map(|_| campaign.sequence.len() as u16)
    }

    /// What the mailbox's mails are signed with, if it sends for a provider that signs.
    pub fn dkim(&self, mailbox: &Mailbox) -> Option<&Dkim> {
        let mut settings = self.providers.values().filter_map(|provider| provider.kind.smtp());
        settings.find(|smtp| smtp.senders.iter().any(|sender| sender.name == mailbox.name))?.dkim.as_ref()
    }
}

impl Default for Project {
    fn default() -> Self {
        Self {
            database: DatabaseSettings::default(),
            providers: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            replies: ReplySettings::default(),
            defaults: Defaults::default(),
            daemon: DaemonSettings::default(),
            enrichment: None,
            drafting: None,
            http: None,
            notify: Vec::new(),
            lease: Duration::from_secs(10),
        }
    }
}
