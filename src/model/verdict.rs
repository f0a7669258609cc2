//! What a provider's answer means, and the states a push moves through.

use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

/// What a provider answer means for one push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The provider holds it.
    Accepted,
    /// The provider will not take it; the row is parked with the reason.
    Refused(String),
    /// Refused because the address itself is dead, whoever writes to it.
    Bounced(String),
    /// Surely not done; try again, not before the given time has passed.
    Retry { after: Option<Duration>, reason: String },
    /// The provider account or its settings are at fault; nothing was done and nothing else will be.
    Misconfigured(String),
    /// It may or may not have been done: only a look-up or a person can tell.
    InDoubt(String),
}

/// State of a push row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PushState {
    Recorded,
    Claimed,
    Retry,
    InDoubt,
    Accepted,
    Refused,
}

impl PushState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Claimed => "claimed",
            Self::Retry => "retry",
            Self::InDoubt => "in_doubt",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
        }
    }
}

/// The deterministic identity of a push: the same action planned again has the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PushKey {
    pub campaign: i32,
    pub employee_id: Uuid,
    /// Counts the pushes of one contact in one campaign, from 1.
    pub ordinal: i32,
}

impl std::fmt::Display for PushKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.campaign, self.employee_id, self.ordinal)
    }
}

impl std::str::FromStr for PushKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(':');
        let key = (|| {
            Some(Self {
                campaign: parts.next()?.parse().ok()?,
                employee_id: parts.next()?.parse().ok()?,
                ordinal: parts.next()?.parse().ok()?,
            })
        })();
        match (key, parts.next()) {
            (Some(key), None) => Ok(key),
            _ => Err(format!("`{text}` is not a push key (campaign:employee:ordinal)")),
        }
    }
}
