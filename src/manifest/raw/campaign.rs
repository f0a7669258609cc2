//! `campaigns/*.yaml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{RawOnReply, RawSafety};
use crate::manifest::schema;
use crate::model::{CatchUp, Membership, OnDrift, OnLeave, OutreachType, State, StopOn, Track, Withdrawal};

/// A declared outreach: whom, through which provider, when and how much.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["campaign", "number", "type", "segment", "provider"]))]
#[schemars(title = "Campaign")]
pub(in crate::manifest) struct RawCampaign {
    /// The campaign's name; renaming it changes nobody's enrollment.
    #[schemars(schema_with = "schema::name")]
    pub campaign: Option<String>,
    /// What the campaign is for, in a sentence.
    pub description: Option<String>,
    /// The campaign's identity: written to `employees.campaign_number`, unique over all files, never reused.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub number: Option<i32>,
    /// Written to `employees.outreach_type`.
    #[serde(rename = "type")]
    pub outreach_type: Option<OutreachType>,
    /// The segment whose contacts are wanted.
    #[schemars(schema_with = "schema::name")]
    pub segment: Option<String>,
    /// A provider declared in `outreach.yaml`.
    #[schemars(schema_with = "schema::name")]
    pub provider: Option<String>,
    /// Whether the campaign takes part in passes. `active` unless given.
    pub state: Option<State>,
    /// How the segment relates to who is in the campaign. `enroll` unless given.
    pub membership: Option<Membership>,
    /// What leaving means at the provider. `withdraw` unless given; a stop is always withdrawn.
    pub on_leave: Option<OnLeave>,
    /// A segment that ends an enrollment: whoever it matches leaves.
    #[schemars(schema_with = "schema::name")]
    pub exit: Option<String>,
    /// Who wins a contact that two campaigns want: the higher one. 0 unless given.
    pub priority: Option<i32>,
    /// Contacts may be in another campaign, that says so too, at the same time.
    pub overlap: Option<bool>,
    /// Share of the audience that is never enrolled, such as `5%`, to compare with.
    #[schemars(schema_with = "schema::percentage")]
    pub holdout: Option<String>,
    /// Nobody whose last outreach, of any campaign, is more recent than this, such as `30d`.
    #[schemars(schema_with = "schema::span")]
    pub cooldown: Option<String>,
    /// Nobody whose address enrichment has not found alive within this time, such as `30d`.
    #[schemars(schema_with = "schema::span")]
    pub verified: Option<String>,
    /// At most this many contacts of one company in live campaigns, over all campaigns.
    #[schemars(range(min = 1))]
    pub company_cap: Option<u32>,
    /// When the daemon takes new contacts in; without it, whenever it looks. Stops go out at any time.
    pub schedule: Option<RawSchedule>,
    /// The time zone of the schedule, the window and the day that limits count, such as `Europe/Moscow`.
    pub timezone: Option<String>,
    /// When mails may leave.
    pub window: Option<RawWindow>,
    /// How much may be handed over.
    pub limits: Option<RawLimits>,
    /// What the provider gets for each contact.
    #[schemars(schema_with = "schema::fields")]
    pub fields: BTreeMap<String, Value>,
    /// The mails: templates over the names in `fields`.
    #[schemars(length(max = 30))]
    pub sequence: Vec<RawStep>,
    /// What an answer means for others.
    pub on_reply: Option<RawOnReply>,
    /// What happens to settings that somebody edited at the provider. `report` unless given.
    pub on_drift: Option<OnDrift>,
    /// Settings of the campaign at a provider that keeps one.
    pub remote: Option<RawRemote>,
    /// Limits of the guard: a plan beyond them is blocked.
    pub safety: Option<RawSafety>,
    /// Columns set when the provider accepts, beside the four that every campaign writes.
    #[schemars(schema_with = "schema::write_back")]
    pub write_back: BTreeMap<String, Value>,
}

/// When the daemon looks at the campaign.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["cron"]))]
pub(in crate::manifest) struct RawSchedule {
    /// Minute, hour, day of the month, month, day of the week: `0 9 * * 1-5`.
    pub cron: Option<String>,
    /// The campaign's time zone, such as `Europe/Moscow`.
    pub timezone: Option<String>,
    /// Each tick is put off by up to this, such as `5m`, by another length each time.
    #[schemars(schema_with = "schema::seconds")]
    pub jitter: Option<String>,
    /// Ticks missed while no daemon ran are made up by one (`once`) or left out. `once` unless given.
    pub catch_up: Option<CatchUp>,
}

/// Settings of the campaign at its provider. What is left out stays as it is there.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::manifest) struct RawRemote {
    /// Ids of the mailboxes that send.
    #[schemars(length(min = 1, max = 1000))]
    pub mailboxes: Option<Vec<i64>>,
    /// What a withdrawal does. `pause` unless given; whoever unsubscribed is unsubscribed there all the same.
    pub withdraw: Option<Withdrawal>,
    /// What ends the sequence of a contact. `reply` unless given.
    pub stop_on: Option<StopOn>,
    /// What mails are watched for; `[]` is nothing.
    pub track: Option<Vec<Track>>,
    /// Text of the link that is put under each mail.
    #[schemars(length(min = 1, max = 500))]
    pub unsubscribe_text: Option<String>,
    /// Mails go out without HTML.
    pub plain_text: Option<bool>,
    /// Least time between two mails, in whole minutes. `10m` unless given.
    #[schemars(schema_with = "schema::seconds")]
    pub gap: Option<String>,
}

/// When mails may leave.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["from", "to"]))]
pub(in crate::manifest) struct RawWindow {
    /// Days of the week; all of them unless given.
    #[schemars(schema_with = "schema::weekdays")]
    pub days: Option<Vec<String>>,
    /// The first minute, such as `"09:00"`.
    #[schemars(extend("examples" = ["09:00"]))]
    pub from: Option<String>,
    /// The first minute that is too late, such as `"18:00"`.
    #[schemars(extend("examples" = ["18:00"]))]
    pub to: Option<String>,
    /// Days on which nothing leaves, such as `2026-12-31`.
    #[schemars(length(max = 1000))]
    pub except: Vec<String>,
}

/// How much may be handed over.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::manifest) struct RawLimits {
    /// At most this many a day.
    #[schemars(range(min = 1))]
    pub per_day: Option<u32>,
    /// At most this many a day to addresses of one domain.
    #[schemars(range(min = 1))]
    pub per_domain_per_day: Option<u32>,
    /// A daily limit that grows.
    pub ramp: Option<RawRamp>,
}

/// A daily limit that grows.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["start", "add"]))]
pub(in crate::manifest) struct RawRamp {
    /// The limit of the first day.
    #[schemars(range(min = 1))]
    pub start: Option<u32>,
    /// How much it grows each time.
    pub add: Option<u32>,
    /// How often it grows, in whole days: `1d`, `1w`. Every day unless given.
    #[schemars(schema_with = "schema::span")]
    pub every: Option<String>,
}

/// One mail.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["body"]))]
pub(in crate::manifest) struct RawStep {
    /// Time after the mail before, such as `3d`.
    #[schemars(schema_with = "schema::span")]
    pub wait: Option<String>,
    /// Template of the subject; without one the mail follows up in the same thread.
    pub subject: Option<String>,
    /// Template of the text.
    pub body: Option<String>,
    /// Template of the same as HTML; values are escaped.
    pub html: Option<String>,
}

/// Where a field's value comes from, in its long forms. One of `column`, `template`, `value`, `draft`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::manifest) struct RawField {
    /// A column, such as `employee.position`.
    #[schemars(schema_with = "schema::field_name")]
    pub column: Option<String>,
    /// With `column`: what stands in for an unset value. Without it such a contact is skipped.
    pub default: Option<String>,
    /// A minijinja template over `company` and `employee`.
    pub template: Option<String>,
    /// The same text for everybody.
    pub value: Option<String>,
    /// A text that a model drafts for each contact.
    pub draft: Option<super::RawDraft>,
}
