//! Who is told of conditions, and how.

use std::time::Duration;

use serde::Serialize;

use super::mail::Mailbox;
use super::secret::SecretRef;

/// Where a notice goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticePlace {
    /// A webhook as Slack takes it.
    Slack(SecretRef),
    /// One address, by a mail through one of our mailboxes, which has a server to send through.
    Mail { to: String, from: Box<Mailbox> },
}

/// Somebody who is told of conditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoticeTarget {
    #[serde(flatten)]
    pub place: NoticePlace,
    /// A condition is told of when it has held, or not held, for so long.
    pub after: Duration,
}
