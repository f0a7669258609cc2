//! `outreach.yaml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{RawHttp, RawMailbox, RawNotify, RawReplies};
use crate::manifest::schema;
use crate::model::OtherCampaigns;

/// The project: where the database is, which providers there are, what holds for every campaign.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Project")]
pub(in crate::manifest) struct RawProject {
    /// How to reach the database. Without it and without `DATABASE_URL` outreachd runs its own.
    pub database: Option<RawDatabase>,
    /// Provider accounts, by the name that campaigns use.
    #[schemars(schema_with = "schema::providers")]
    pub providers: BTreeMap<String, Value>,
    /// Accounts that mails are sent from and answers are read in, by name.
    #[schemars(length(max = 500))]
    pub mailboxes: BTreeMap<String, RawMailbox>,
    /// How answers are taken that are read in mailboxes.
    pub replies: Option<RawReplies>,
    /// What campaigns take over unless they say otherwise.
    pub defaults: Option<RawDefaults>,
    /// How the daemon goes about its work.
    pub daemon: Option<RawDaemon>,
    /// Where the daemon answers HTTP. Without it, nowhere.
    pub http: Option<RawHttp>,
    /// Who is told when a campaign is blocked or degraded, and when that is over.
    #[schemars(length(max = 20))]
    pub notify: Option<Vec<RawNotify>>,
    /// What contacts are looked up with. Without it nothing is.
    pub enrichment: Option<super::RawEnrichment>,
    /// The endpoint that drafts fields. Without it nothing is drafted.
    pub drafting: Option<super::RawDrafting>,
    /// How long a lease lasts without renewal: after a crash another process takes over this much
    /// later. `10s` unless given.
    #[schemars(schema_with = "schema::seconds")]
    pub lease: Option<String>,
}

/// How to reach the database.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::manifest) struct RawDatabase {
    /// A reference to the URL, which holds a password: `${NAME}` or `file:/run/secrets/x`.
    #[schemars(schema_with = "schema::secret")]
    pub url: Option<String>,
    /// Longest time one audience statement may take, such as `30s`.
    #[schemars(schema_with = "schema::seconds")]
    pub statement_timeout: Option<String>,
}

/// How the daemon goes about its work.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::manifest) struct RawDaemon {
    /// Campaigns that are worked on side by side. 4 unless given.
    #[schemars(range(min = 1, max = 64))]
    pub campaigns_at_once: Option<u32>,
    /// How often each campaign is asked, by one cheap statement, whether anything has changed. `10s` unless given.
    #[schemars(schema_with = "schema::seconds")]
    pub look_every: Option<String>,
    /// How often a campaign is looked at as a whole, whatever the cheap statement says. `15m` unless given.
    #[schemars(schema_with = "schema::seconds")]
    pub full_look_every: Option<String>,
    /// How often the files are compared where the system reports no changes, as on network folders.
    /// `5s` unless given.
    #[schemars(schema_with = "schema::seconds")]
    pub poll_files_every: Option<String>,
    /// How long a soft stop waits for what is in flight. `30s` unless given.
    #[schemars(schema_with = "schema::seconds")]
    pub stop_within: Option<String>,
}

/// Writes JSON Lines, one file a campaign.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["kind"]))]
pub(in crate::manifest) struct RawFile {
    #[schemars(extend("const" = "file"))]
    pub kind: Option<String>,
    /// The folder, below the project folder. `outbox` unless given.
    pub dir: Option<String>,
    /// Largest number of items in one write. 2000 unless given.
    #[schemars(range(min = 1, max = 10_000))]
    pub batch: Option<u32>,
}

/// Calls an HTTP endpoint as Standard Webhooks describe it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["kind", "url", "secret"]))]
pub(in crate::manifest) struct RawWebhook {
    #[schemars(extend("const" = "webhook"))]
    pub kind: Option<String>,
    /// `https://...`, or `http://` on this machine, or a reference (`${NAME}`) to it.
    pub url: Option<String>,
    /// A reference to the signing secret (`whsec_...`): `${NAME}` or `file:/run/secrets/x`.
    #[schemars(schema_with = "schema::secret")]
    pub secret: Option<String>,
    /// The receiver tells the second delivery of a key from the first. True unless given.
    pub idempotent: Option<bool>,
    /// The receiver answers `GET ?key=` with `{"found": true}` or `false`.
    pub look_up: Option<bool>,
    /// Longest time one call may take. `30s` unless given.
    #[schemars(schema_with = "schema::seconds")]
    pub timeout: Option<String>,
    /// Largest number of items in one call. 100 unless given.
    #[schemars(range(min = 1, max = 1_000))]
    pub batch: Option<u32>,
    /// Most calls in a minute, over all campaigns and daemons. No limit unless given.
    #[schemars(range(min = 1, max = 60_000))]
    pub per_minute: Option<u32>,
}

/// Smartlead's API v1.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["kind", "key"]))]
pub(in crate::manifest) struct RawSmartlead {
    #[schemars(extend("const" = "smartlead"))]
    pub kind: Option<String>,
    /// A reference to the account's API key: `${NAME}` or `file:/run/secrets/x`.
    #[schemars(schema_with = "schema::secret")]
    pub key: Option<String>,
    /// Where the API begins, or a reference (`${NAME}`) to it; `outreachd simulate smartlead` prints one to rehearse
    /// on. The real service unless given.
    pub url: Option<String>,
    /// Requests a minute of all campaigns and processes together. 50 unless given.
    #[schemars(range(min = 1, max = 60_000))]
    pub per_minute: Option<u32>,
    /// Contacts in one request. 100 unless given.
    #[schemars(range(min = 1, max = 400))]
    pub batch: Option<u32>,
    /// Longest time one request may take. `30s` unless given.
    #[schemars(schema_with = "schema::seconds")]
    pub timeout: Option<String>,
    /// What becomes of people whom another campaign of the account holds. `allow` unless given.
    pub other_campaigns: Option<OtherCampaigns>,
    /// How often the daemon asks what happened there: sent, replied, bounced. `5m` unless given.
    #[schemars(schema_with = "schema::seconds")]
    pub listen_every: Option<String>,
    /// A reference to what webhooks are signed with. Without it webhooks are refused.
    #[schemars(schema_with = "schema::secret")]
    pub webhook_secret: Option<String>,
    /// Where Smartlead reaches this daemon: `https://HOST/hooks/NAME-OF-THE-PROVIDER`. Each campaign is given a webhook
    /// there; without it none is made. Needs `webhook_secret`. No secret: plans show it.
    pub webhook_url: Option<String>,
}

/// What campaigns take over unless they say otherwise.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::manifest) struct RawDefaults {
    /// Time zone, such as `Europe/Moscow`. `UTC` unless given.
    pub timezone: Option<String>,
    /// Nobody whose last outreach, of any campaign, is more recent than this.
    #[schemars(schema_with = "schema::span")]
    pub cooldown: Option<String>,
    /// At most this many contacts of one company in live campaigns, over all campaigns.
    #[schemars(range(min = 1))]
    pub company_cap: Option<u32>,
    /// Limits of the guard.
    pub safety: Option<RawSafety>,
}

/// Limits of the guard: a plan beyond them is blocked until a person lets it through.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::manifest) struct RawSafety {
    /// At most this many enrollments in one plan.
    #[schemars(range(min = 1))]
    pub max_enroll: Option<u32>,
    /// At most this share of who is enrolled is withdrawn in one plan. 30 unless given.
    #[schemars(range(max = 100))]
    pub max_withdraw_percent: Option<u32>,
    /// The share counts only when at least this many are enrolled. 10 unless given.
    pub from: Option<u32>,
}
