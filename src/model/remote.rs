//! A campaign as a provider keeps it: what is declared of it, and how it differs from what is there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plan::Change;

/// What happens to a setting that somebody edited at the provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDrift {
    /// It is shown and left alone.
    #[default]
    Report,
    /// It is brought back to what is declared.
    Restore,
}

/// What a withdrawal does at the provider. Whoever unsubscribed is unsubscribed there, whatever is declared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Withdrawal {
    /// The contact stays in the campaign, with its history, and gets nothing more.
    #[default]
    Pause,
    /// The contact is taken out of the campaign; the provider forgets its history.
    Remove,
    /// The contact is unsubscribed from the campaign.
    Unsubscribe,
}

/// What ends the sequence of a contact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopOn {
    #[default]
    Reply,
    Click,
    Open,
}

/// What the provider watches a mail for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    Opens,
    Clicks,
}

/// Settings of a campaign that its provider keeps. What is `None` is left as it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemoteSettings {
    pub on_drift: OnDrift,
    pub withdraw: Withdrawal,
    /// Ids of the mailboxes that send; none leaves those that are there.
    pub mailboxes: Vec<i64>,
    pub stop_on: StopOn,
    pub track: Option<Vec<Track>>,
    pub unsubscribe_text: Option<String>,
    pub plain_text: Option<bool>,
    /// Least time between two mails.
    pub gap_minutes: u32,
}

impl Default for RemoteSettings {
    fn default() -> Self {
        Self {
            on_drift: OnDrift::default(),
            withdraw: Withdrawal::default(),
            mailboxes: Vec::new(),
            stop_on: StopOn::default(),
            track: None,
            unsubscribe_text: None,
            plain_text: None,
            gap_minutes: 10,
        }
    }
}

/// What becomes of people whom another campaign of the provider account holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OtherCampaigns {
    /// They are taken all the same: the plan has decided.
    #[default]
    Allow,
    /// They are refused.
    Refuse,
}

/// How the campaign at the provider differs from what is declared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RemotePlan {
    /// Its id at the provider; none as long as it is to be created.
    pub id: Option<String>,
    /// What apply changes, field by field: what is there, and what is declared.
    pub changes: Vec<Change>,
    /// What somebody edited at the provider: what was last written, and what is there now.
    pub drift: Vec<Change>,
    /// Whether apply brings the edited settings back.
    pub restores: bool,
}

impl RemotePlan {
    /// How many settings apply would write; creating is one.
    pub fn writes(&self) -> i64 {
        let restored = if self.restores { self.drift.len() } else { 0 };
        (usize::from(self.id.is_none()) + self.changes.len() + restored) as i64
    }
}
