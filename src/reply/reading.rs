//! What is known of a mail once it was read.

use chrono::NaiveDate;
use serde::Serialize;

use super::ids::Ids;

/// What a mail is, to someone who sent one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// At least one recipient was not reached for good.
    Bounce,
    /// Somebody called the mail spam.
    Complaint,
    /// Somebody asks to be left alone.
    Unsubscribe,
    /// A machine answers for a person.
    AutoReply,
    /// A person asks for something.
    InfoRequest,
    /// A person answers.
    Reply,
    /// Delayed or done deliveries, read receipts, newsletters, nothing at all.
    Other,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::Unsubscribe => "unsubscribe",
            Self::AutoReply => "auto_reply",
            Self::InfoRequest => "info_request",
            Self::Reply => "reply",
            Self::Other => "other",
        }
    }
}

/// Whether a person should look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    Sure,
    Unsure,
}

/// What happened to a mail on its way to one recipient (RFC 3464, 2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Failed,
    Delayed,
    Delivered,
    Relayed,
    Expanded,
}

/// One recipient in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Normalised; the one that was written to, where the report names it beside the final one.
    pub address: String,
    /// The address at the end of forwarding, where it is another one.
    pub forwarded_to: Option<String>,
    pub action: Action,
    /// Enhanced status code (RFC 3463), the most specific one that the report holds.
    pub status: Option<String>,
    /// Whether the address is known to be dead; `None` where it was reached.
    pub hard: Option<bool>,
    /// What the server said.
    pub diagnostic: String,
}

/// A mail, read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reading {
    pub kind: Kind,
    /// The rule that decided; one of [`super::rule_names`].
    pub rule: &'static str,
    /// What the rule saw, for people.
    pub evidence: String,
    pub confidence: Confidence,
    /// Recipients that a report speaks of, the ones not reached first.
    pub deliveries: Vec<Delivery>,
    /// Whom a complaint or an opt-out report comes from, where it tells.
    pub complainant: Option<String>,
    /// Address in From, normalised.
    pub sender: Option<String>,
    /// The text without quotes, signature and footer.
    pub said: String,
    /// Last day of an absence, or day of return, as stated.
    pub away_until: Option<NaiveDate>,
    /// The text says that the person does not work there any more.
    pub left_company: bool,
    /// What it answers.
    pub ids: Ids,
}

impl Reading {
    /// Nothing in it looks like a mail.
    pub(super) fn unreadable() -> Self {
        Self {
            kind: Kind::Other,
            rule: super::rules::UNREADABLE,
            evidence: "no header lines".to_owned(),
            confidence: Confidence::Sure,
            deliveries: Vec::new(),
            complainant: None,
            sender: None,
            said: String::new(),
            away_until: None,
            left_company: false,
            ids: Ids::default(),
        }
    }

    /// Recipients that were not reached for good.
    pub fn failed(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.iter().filter(|delivery| delivery.action == Action::Failed)
    }

    /// The one recipient to show where there is room for one.
    pub fn recipient(&self) -> Option<&Delivery> {
        self.failed().next().or_else(|| self.deliveries.first())
    }
}
