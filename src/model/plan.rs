//! A plan: the actions that would bring provider and database to what is declared, as data.
//!
//! Immutable once made; carries a digest, so that what was read is what runs.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::remote::RemotePlan;

/// Version of the JSON form.
pub const FORMAT_VERSION: u32 = 1;

/// What is done to one contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    Enroll,
    Update,
    Withdraw,
    /// The next mail of the sequence, where we send each one ourselves.
    Send,
}

impl ActionKind {
    pub const ALL: [Self; 4] = [Self::Enroll, Self::Update, Self::Withdraw, Self::Send];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enroll => "enroll",
            Self::Update => "update",
            Self::Withdraw => "withdraw",
            Self::Send => "send",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$note:meta])* $variant:ident => $code:literal, $text:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$note])* $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable code in JSON and SQL.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The words for people.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            pub fn parse(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.code() == code)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.code())
            }
        }
    };
}

reasons! {
    /// Why a contact that the rule lets in is not enrolled, in the order in which they are looked for.
    Skip {
        /// Was in this campaign before: it is never entered a second time.
        AlreadyContacted => "already_contacted", "already contacted by this campaign";
        /// The provider refused it, or its fields could not be made, and nothing about it has changed since.
        Refused => "refused", "refused by the provider or for its fields";
        NoAddress => "no_address", "no address";
        InvalidAddress => "invalid_address", "invalid address";
        Unsubscribed => "unsubscribed", "unsubscribed";
        Bounced => "bounced", "bounced";
        Replied => "replied", "replied";
        Suppressed => "suppressed", "suppressed";
        MissingField => "missing_field", "a required field is not set";
        HeldOut => "held_out", "held out";
        MatchesExit => "matches_exit", "matches the exit segment";
        InAnotherCampaign => "in_another_campaign", "in another campaign";
        CoolingDown => "cooling_down", "cooling down";
        /// Another row with the same address is in, or comes first.
        DuplicateAddress => "duplicate_address", "same address as another contact";
        ColleagueReplied => "colleague_replied", "a colleague has answered";
        /// Enrichment has not found the address alive within the time that the campaign wants.
        NotVerified => "not_verified", "address not verified";
        NoDraft => "no_draft", "a field is not drafted yet";
        /// It waits for a person, was rejected, or did not pass the checks.
        DraftNotApproved => "draft_not_approved", "a draft is not approved";
        OverPerCompany => "over_per_company", "over the segment's limit per company";
        OverCompanyCap => "over_company_cap", "over the company cap";
        OverSegmentLimit => "over_segment_limit", "over the segment's limit";
        OverDomainLimit => "over_domain_limit", "over today's limit for the domain";
        OverDailyLimit => "over_daily_limit", "over today's limit";
    }
}

reasons! {
    /// Why a contact leaves a campaign, in the order in which they are looked for.
    WithdrawReason {
        Deleted => "deleted", "deleted from the database";
        Unsubscribed => "unsubscribed", "unsubscribed";
        Bounced => "bounced", "bounced";
        Replied => "replied", "replied";
        Suppressed => "suppressed", "suppressed";
        NoAddress => "no_address", "lost its address";
        Archived => "archived", "the campaign is archived";
        Exit => "exit", "matches the exit segment";
        LeftAudience => "left_audience", "left the audience";
    }
}

impl Skip {
    /// Whether the contact is wanted all the same and waits for its day.
    pub const fn is_deferral(self) -> bool {
        matches!(self, Self::OverDomainLimit | Self::OverDailyLimit)
    }
}

impl WithdrawReason {
    /// What the enrollment's status becomes when the provider has let the contact go.
    pub const fn status(self) -> &'static str {
        match self {
            Self::Unsubscribed | Self::Suppressed => "unsubscribed",
            Self::Bounced => "bounced",
            Self::Replied => "replied",
            Self::Deleted | Self::NoAddress | Self::Archived | Self::Exit | Self::LeftAudience => "withdrawn",
        }
    }

    /// A stop goes out whatever else holds: guard, pause and `on_leave` never delay it.
    pub const fn is_stop(self) -> bool {
        matches!(self, Self::Deleted | Self::Unsubscribed | Self::Bounced | Self::Replied | Self::Suppressed)
    }
}

/// One field's value at the provider and as it will be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    pub field: String,
    pub old: Value,
    pub new: Value,
}

/// One contact's action.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Action {
    pub action: ActionKind,
    pub employee_id: Uuid,
    pub email: String,
    /// Why: the segment that let it in, the reason it leaves, `fields changed`.
    pub reason: String,
    /// Empty unless the action is an update.
    pub changes: Vec<Change>,
    /// Name for the people who read the sample; not part of the JSON form.
    #[serde(skip)]
    pub who: String,
}

/// Which check of the guard holds a campaign back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    MaxEnroll,
    MaxWithdrawPercent,
    EmptyAudience,
    /// Contacts are still at another provider, which alone can stop them.
    ProviderChanged,
    /// The campaign at the provider could not be read.
    RemoteUnknown,
    /// The audience could not be read: nothing can be said about this campaign.
    QueryFailed,
}

/// A campaign that is held back, with the limit and the figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Blocked {
    pub guard: Guard,
    pub message: String,
}

impl Blocked {
    /// Whether a person may let it through with `--approve`.
    pub fn can_be_approved(&self) -> bool {
        !matches!(self.guard, Guard::QueryFailed | Guard::ProviderChanged | Guard::RemoteUnknown)
    }
}

/// How many contacts are left after a clause and all before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FunnelStep {
    pub clause: String,
    pub left: i64,
}

/// One campaign's part of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CampaignPlan {
    pub campaign: String,
    pub number: i32,
    pub provider: String,
    pub digest: String,
    pub enroll: i64,
    pub update: i64,
    pub withdraw: i64,
    /// Mails of sequences that are due, beside those of enrollments, where we send each one ourselves.
    #[serde(skip_serializing_if = "is_zero")]
    pub send: i64,
    /// Of the withdrawals, those that nothing may delay.
    pub stops: i64,
    pub keep: i64,
    /// Contacts with a push that is not settled; they get no new action.
    pub in_flight: i64,
    pub skipped: BTreeMap<String, i64>,
    pub funnel: Vec<FunnelStep>,
    pub blocked: Option<Blocked>,
    /// The campaign at its provider, where that keeps one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<RemotePlan>,
    /// What a person should know although nothing is held back.
    pub notes: Vec<String>,
    /// Every action, or the sample that was asked for.
    pub actions: Vec<Action>,
}

impl CampaignPlan {
    /// Whether its figures say anything: false when the audience could not be read, or is not asked about.
    pub fn is_told(&self) -> bool {
        self.blocked.as_ref().is_none_or(Blocked::can_be_approved)
    }

    /// Actions, and settings to be written at the provider.
    pub fn changes(&self) -> i64 {
        self.enroll
            + self.update
            + self.withdraw
            + self.send
            + self.remote.as_ref().map_or(0, RemotePlan::writes)
    }
}

/// A campaign that the database knows and no file declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Orphan {
    pub campaign: String,
    pub number: i32,
    pub enrolled: i64,
    /// Pushes that are not settled.
    pub open: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// Sums over all campaigns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub enroll: i64,
    pub update: i64,
    pub withdraw: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub send: i64,
    pub keep: i64,
    /// Number of campaigns held back.
    pub blocked: i64,
}

/// The whole plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    pub format_version: u32,
    pub digest: String,
    pub as_of: DateTime<Utc>,
    pub campaigns: Vec<CampaignPlan>,
    pub orphaned: Vec<Orphan>,
    pub totals: Totals,
}

impl Plan {
    /// Campaigns that the totals know nothing of.
    pub fn untold(&self) -> i64 {
        self.campaigns.iter().filter(|part| !part.is_told()).count() as i64
    }
}
