//! `notify` in `outreach.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::manifest::schema;

/// Tells people of conditions: blocked, degraded, and over again. By `slack` or by `mail`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::manifest) struct RawNotify {
    /// A reference to the URL of an incoming webhook as Slack, Mattermost and others take it: `${NAME}` or
    /// `file:/run/secrets/x`.
    #[schemars(schema_with = "schema::secret")]
    pub slack: Option<String>,
    /// To addresses, through one of the mailboxes.
    pub mail: Option<RawNoticeMail>,
    /// A condition is told of when it has held, or not held, for so long. `1m` unless given.
    #[schemars(schema_with = "schema::seconds")]
    pub after: Option<String>,
}

/// Who gets a mail, and from whom.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["to", "from"]))]
pub(in crate::manifest) struct RawNoticeMail {
    /// Addresses; each gets a mail of its own.
    #[schemars(length(min = 1, max = 20))]
    pub to: Option<Vec<String>>,
    /// A name under `mailboxes`, with `smtp`. Its limits do not count these mails.
    pub from: Option<String>,
}
