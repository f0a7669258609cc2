//! How one campaign is to be applied: by whom, and what holds it back. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::{Campaign, State};
use crate::store::pushes::Gate;

/// How one campaign is to be applied.
#[derive(Debug, Clone)]
pub struct Order {
    /// What made us look: `apply`, `files, tick` ...
    pub trigger: String,
    /// Who lets the plan through although the guard blocks it.
    pub approved: Option<String>,
    /// The digest that was reviewed; another one is held back.
    pub expected: Option<String>,
    /// How long to wait within this pass for pushes that the provider put off.
    pub patience: Duration,
    /// How long to wait for another process that works on the campaign; `None` is until its lease would end.
    pub lease_patience: Option<Duration>,
    /// Whether new contacts are taken in.
    pub takes_in: bool,
    /// Whether enrollments leave only while the campaign's window is open.
    pub keeps_window: bool,
    /// The tick that this pass serves.
    pub tick: Option<DateTime<Utc>>,
}

impl Order {
    /// By a person, who says "now": neither schedule nor window holds.
    pub fn by_hand(trigger: &str, patience: Duration) -> Self {
        Self {
            trigger: trigger.to_owned(),
            approved: None,
            expected: None,
            patience,
            lease_patience: None,
            takes_in: true,
            keeps_window: false,
            tick: None,
        }
    }

    /// Whether people are taken in because a tick says so, and not a person.
    pub(super) const fn serves(&self, campaign: &Campaign) -> bool {
        self.keeps_window && self.takes_in && campaign.schedule.is_some()
    }

    /// What may go out at that instant.
    pub(super) fn gate(&self, campaign: &Campaign, at: DateTime<Utc>) -> Gate {
        let update = campaign.state == State::Active;
        let enroll = update && (!self.keeps_window || campaign.is_open(at));
        Gate { enroll, update, over: campaign.state == State::Archived }
    }
}
