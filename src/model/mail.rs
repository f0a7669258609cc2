//! Mailboxes that we write from and read, and the settings of sending by SMTP.

use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::campaign::Ramp;
use super::secret::SecretRef;

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// From the first byte (SMTP port 465, IMAP port 993).
    Implicit,
    /// Begun in the clear and never continued so: a server that does not offer it is an error.
    Starttls,
    /// To this machine only.
    None,
}

/// A mail server and who we are to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MailServer {
    pub host: String,
    pub port: u16,
    pub tls: MailTls,
    /// Without one nobody logs in.
    pub user: Option<String>,
    pub password: Option<SecretRef>,
    /// A file of certificates (PEM) below the project folder that are trusted beside the usual ones.
    pub ca: Option<PathBuf>,
}

/// Where answers are read, and where the server keeps what was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImapSettings {
    pub server: MailServer,
    pub folders: Vec<String>,
    /// The folder of sent mails; without it a mail in doubt cannot be looked up.
    pub sent: Option<String>,
    /// Whether we put a copy there ourselves, because the server does not.
    pub append_sent: bool,
    pub poll_every: Duration,
    /// A mailbox that could not be read for longer than this does not send.
    pub stale_after: Duration,
}

/// How much one mailbox may send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SenderLimits {
    pub per_day: Option<u32>,
    /// Counted from the mailbox's first mail.
    pub ramp: Option<Ramp>,
    /// Least time between two mails; each wait is up to a third longer.
    pub gap: Duration,
}

impl SenderLimits {
    /// The limit of the mailbox's `day`-th day (0 is the day of its first mail).
    pub fn on_day(&self, day: u32) -> Option<u32> {
        Ramp::limit(self.per_day, self.ramp, day)
    }
}

/// One account that mails are sent from, or answers are read in, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mailbox {
    pub name: String,
    pub address: String,
    pub display_name: Option<String>,
    pub smtp: Option<MailServer>,
    pub imap: Option<ImapSettings>,
    pub limits: SenderLimits,
    /// Whose days the limits are counted by.
    pub timezone: Tz,
}

/// How a contact tells us to stop without writing an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unsubscribe {
    /// Where the daemon's public side is reached from outside; `/u/TOKEN` is added.
    pub url: Option<String>,
    /// An address that one of the mailboxes receives; the token is added behind a `+`.
    pub mailto: Option<String>,
}

/// The key that mails are signed with (RFC 6376).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dkim {
    pub domain: String,
    pub selector: String,
    /// A private key in PEM: RSA, or Ed25519.
    pub key: SecretRef,
}

/// Sending by SMTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SmtpSettings {
    /// At least one, each with a server to send through.
    pub senders: Vec<Mailbox>,
    /// Signs return paths and unsubscribe links.
    pub key: SecretRef,
    /// Keys of earlier days: what they signed is still honoured.
    pub previous_keys: Vec<SecretRef>,
    /// What return paths are made from; the sender's own address without it.
    pub bounces: Option<String>,
    pub unsubscribe: Option<Unsubscribe>,
    pub dkim: Option<Dkim>,
    /// Whether mails say that a machine wrote them (RFC 3834), which silences out-of-office answers.
    pub auto_submitted: bool,
    pub timeout: Duration,
}

/// How answers are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplySettings {
    /// So many bounces that say "not now" ...
    pub soft_bounces: u32,
    /// ... within this are taken for "never".
    pub within: Duration,
    /// How long somebody is taken to be away who does not say until when.
    pub away: Duration,
}

impl Default for ReplySettings {
    fn default() -> Self {
        let day = Duration::from_hours(24);
        Self { soft_bounces: 3, within: 14 * day, away: 3 * day }
    }
}

/// What the colleagues of somebody who answers are spared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Colleagues {
    /// They are written to as before.
    #[default]
    Continue,
    /// Nobody else of the company is written to until a person says so.
    Pause,
}
