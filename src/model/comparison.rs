//! What a change of the declared files does to people: who enters, who leaves, and by which clause.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::plan::{Skip, WithdrawReason};

/// Which way somebody moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Will be enrolled, and would not have been.
    Enters,
    /// Is enrolled and stays, and would have been withdrawn.
    NoLongerLeaves,
    /// Is enrolled and will be withdrawn.
    Leaves,
    /// Would have been enrolled, and will not be.
    NoLongerEnters,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::Enters, Self::NoLongerLeaves, Self::Leaves, Self::NoLongerEnters];

    pub const fn of(enters: bool, enrolled: bool) -> Self {
        match (enters, enrolled) {
            (true, false) => Self::Enters,
            (true, true) => Self::NoLongerLeaves,
            (false, true) => Self::Leaves,
            (false, false) => Self::NoLongerEnters,
        }
    }

    pub const fn text(self) -> &'static str {
        match self {
            Self::Enters => "enter",
            Self::NoLongerLeaves => "no longer leave",
            Self::Leaves => "leave",
            Self::NoLongerEnters => "no longer enter",
        }
    }
}

/// What kept somebody out on the side where it is out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Cause {
    /// The first clause of the segment's rule that is false.
    Clause { segment: String, clause: String },
    /// A reason after the rule: held out, exit segment, over a limit ...
    Reason { code: String },
    /// The rule lets it in, and the campaign takes nobody in.
    State { state: String },
    /// No file declares the campaign on that side.
    Undeclared,
}

impl Cause {
    /// For people; `way` says on which side of the change the cause stands.
    pub fn text(&self, way: Way) -> String {
        let was = match way {
            Way::Enters | Way::NoLongerLeaves => true,
            Way::Leaves | Way::NoLongerEnters => false,
        };
        match self {
            Self::Clause { segment, clause } if was => format!("{segment} no longer asks that {clause}"),
            Self::Clause { segment, clause } => format!("{segment} asks that {clause}"),
            Self::Reason { code } => {
                let known = Skip::parse(code).map(Skip::text);
                let words =
                    known.or_else(|| WithdrawReason::parse(code).map(WithdrawReason::text)).unwrap_or(code);
                if was { format!("no longer kept out: {words}") } else { words.to_owned() }
            }
            Self::State { state } if was => format!("the campaign was {state}"),
            Self::State { state } => format!("the campaign is {state}"),
            Self::Undeclared if was => "the campaign is new".to_owned(),
            Self::Undeclared => "no file declares the campaign any more".to_owned(),
        }
    }
}

/// Somebody who moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mover {
    pub employee_id: Uuid,
    pub email: String,
    /// Name, position, company.
    pub who: String,
}

/// People who move one way for one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Movement {
    pub way: Way,
    pub cause: Cause,
    pub people: i64,
    pub sample: Vec<Mover>,
}

/// How the two sides declare a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Declared {
    Added,
    Removed,
    Changed,
    Same,
}

/// One campaign's part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CampaignComparison {
    pub campaign: String,
    pub number: i32,
    pub declared: Declared,
    pub movements: Vec<Movement>,
    /// Enrolled contacts whose fields the change alone will update.
    pub updates: i64,
    /// Why nothing can be said.
    pub untold: Option<String>,
}

impl CampaignComparison {
    /// How many move one way.
    pub fn people(&self, way: Way) -> i64 {
        self.movements.iter().filter(|movement| movement.way == way).map(|movement| movement.people).sum()
    }

    /// Whether the change does nothing to anybody here.
    pub fn is_quiet(&self) -> bool {
        self.movements.is_empty() && self.updates == 0 && self.untold.is_none()
    }
}

/// The whole comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    pub format_version: u32,
    /// The commit that the files are compared with.
    pub base: String,
    pub as_of: DateTime<Utc>,
    pub campaigns: Vec<CampaignComparison>,
}

impl Comparison {
    /// How many move one way, over all campaigns.
    pub fn people(&self, way: Way) -> i64 {
        self.campaigns.iter().map(|part| part.people(way)).sum()
    }

    pub fn updates(&self) -> i64 {
        self.campaigns.iter().map(|part| part.updates).sum()
    }

    /// Campaigns about which nothing can be said.
    pub fn untold(&self) -> i64 {
        self.campaigns.iter().filter(|part| part.untold.is_some()).count() as i64
    }
}
