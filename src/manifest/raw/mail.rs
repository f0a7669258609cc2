//! Mailboxes, and the provider that sends through them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::campaign::RawRamp;
use crate::manifest::schema;
use crate::model::MailTls;

/// An account that mails are sent from, or answers are read in, or both.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["address"]))]
pub(in crate::manifest) struct RawMailbox {
    /// Whom mails are from, such as `alice@example.com`.
    #[schemars(length(min = 3))]
    pub address: Option<String>,
    /// The name beside the address.
    pub name: Option<String>,
    /// The server that mails are handed to.
    pub smtp: Option<RawServer>,
    /// Where answers are read.
    pub imap: Option<RawImap>,
    /// Most mails a day, of all campaigns and daemons. No limit unless given.
    #[schemars(range(min = 1))]
    pub per_day: Option<u32>,
    /// A daily limit that grows from the mailbox's first mail.
    pub ramp: Option<RawRamp>,
    /// Least time between two mails; each wait is up to a third longer. None unless given.
    #[schemars(schema_with = "schema::seconds")]
    pub gap: Option<String>,
    /// Whose days the limits are counted by, such as `Europe/Moscow`. The project's unless given.
    pub timezone: Option<String>,
}

/// How answers are taken that are read in mailboxes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::manifest) struct RawReplies {
    /// So many bounces that say "not now" within `within` are taken for "never": the address is suppressed. 3 unless given.
    #[schemars(range(min = 1, max = 1000))]
    pub soft_bounces: Option<u32>,
    /// `14d` unless given.
    #[schemars(schema_with = "schema::span")]
    pub within: Option<String>,
    /// How long somebody is taken to be away who answers automatically and does not say until when. `3d` unless given.
    #[schemars(schema_with = "schema::span")]
    pub away: Option<String>,
}

/// A mail server and who we are to it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["host"]))]
pub(in crate::manifest) struct RawServer {
    #[schemars(length(min = 1))]
    pub host: Option<String>,
    /// The usual one for `tls` unless given: SMTP 465 or 587.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// `implicit` unless given. `none` is for this machine only.
    pub tls: Option<MailTls>,
    /// Who logs in. Without it nobody does.
    pub user: Option<String>,
    /// A reference to the password: `${NAME}` or `file:/run/secrets/x`.
    #[schemars(schema_with = "schema::secret")]
    pub password: Option<String>,
    /// Certificates (PEM) to trust beside the usual ones: a file below the project folder.
    pub ca: Option<String>,
}

/// Where answers are read.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["host"]))]
pub(in crate::manifest) struct RawImap {
    #[schemars(length(min = 1))]
    pub host: Option<String>,
    /// The usual one for `tls` unless given: 993 or 143.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// `implicit` unless given. `none` is for this machine only.
    pub tls: Option<MailTls>,
    /// Who logs in.
    pub user: Option<String>,
    /// A reference to the password: `${NAME}` or `file:/run/secrets/x`.
    #[schemars(schema_with = "schema::secret")]
    pub password: Option<String>,
    /// Certificates (PEM) to trust beside the usual ones: a file below the project folder.
    pub ca: Option<String>,
    /// Folders that answers may lie in. `INBOX` unless given; name the one for junk, too.
    #[schemars(length(min = 1, max = 20))]
    pub folders: Option<Vec<String>>,
    /// The folder of sent mails, where a mail in doubt is looked up.
    pub sent: Option<String>,
    /// Put a copy of each mail there: not every server does. False unless given.
    pub append_sent: Option<bool>,
    /// How often to look beside what the server reports by itself. `1m` unless given.
    #[schemars(schema_with = "schema::seconds")]
    pub poll_every: Option<String>,
    /// A mailbox that could not be read for longer than this does not send. `15m` unless given.
    #[schemars(schema_with = "schema::seconds")]
    pub stale_after: Option<String>,
}

/// Sends each mail of a sequence itself, through mailboxes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["kind", "senders", "key"]))]
pub(in crate::manifest) struct RawSmtp {
    #[schemars(extend("const" = "smtp"))]
    pub kind: Option<String>,
    /// Mailboxes that take turns; a contact stays with the one that wrote first.
    #[schemars(length(min = 1, max = 500))]
    pub senders: Vec<String>,
    /// A reference to the secret that signs return paths and unsubscribe links: `${NAME}` or `file:/run/secrets/x`.
    #[schemars(schema_with = "schema::secret")]
    pub key: Option<String>,
    /// Secrets of earlier days: what they signed is still honoured.
    #[schemars(length(max = 10))]
    pub previous_keys: Vec<String>,
    /// The address that return paths are made from (`bounce+...@example.com`); one of the mailboxes must receive
    /// it. The sender's own unless given.
    pub bounces: Option<String>,
    /// How a contact stops the mails without an answer.
    pub unsubscribe: Option<RawUnsubscribe>,
    /// What mails are signed with.
    pub dkim: Option<RawDkim>,
    /// Say that a machine wrote them (RFC 3834), which silences out-of-office answers. False unless given.
    pub auto_submitted: Option<bool>,
    /// Longest time one step of a conversation may take. `60s` unless given.
    #[schemars(schema_with = "schema::seconds")]
    pub timeout: Option<String>,
}

/// How a contact stops the mails without an answer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::manifest) struct RawUnsubscribe {
    /// Where the daemon's public side is reached from outside, such as `https://out.example.com`; `/u/...` is added.
    pub url: Option<String>,
    /// An address that one of the mailboxes receives, such as `unsubscribe@example.com`; a token is added to it.
    pub mailto: Option<String>,
}

/// What mails are signed with (DKIM).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["domain", "selector", "key"]))]
pub(in crate::manifest) struct RawDkim {
    pub domain: Option<String>,
    pub selector: Option<String>,
    /// A reference to the private key (PEM): `${NAME}` or `file:/run/secrets/x`.
    #[schemars(schema_with = "schema::secret")]
    pub key: Option<String>,
}

/// What an answer means for others.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::manifest) struct RawOnReply {
    /// `pause` writes to nobody else of the company until a person says so. `continue` unless given.
    pub colleagues: Option<crate::model::Colleagues>,
}
