//! A campaign: number, segment, provider, sequence, schedule and limits of one declared outreach.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime, Weekday};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::catalog::FieldRef;
use super::draft::Draft;
use super::duration::Span;
use super::mail::Colleagues;
use super::remote::RemoteSettings;

/// Becomes `employees.outreach_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutreachType {
    Sales,
    Marketing,
}

impl OutreachType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sales => "sales",
            Self::Marketing => "marketing",
        }
    }
}

/// Whether a campaign takes part in passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Takes part in every pass.
    Active,
    /// Nobody enters and nothing is updated; stops still go out.
    Paused,
    /// Over: whoever is still in it leaves, as `on_leave` says.
    Archived,
}

/// How the audience relates to who is in the campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Membership {
    /// Matching lets a contact in; it leaves only when stopped, deleted, finished or by the exit segment.
    Enroll,
    /// The provider holds exactly the audience.
    Mirror,
}

/// What a contact that leaves means at the provider. A stop is always withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnLeave {
    Withdraw,
    Keep,
}

/// When the daemon takes new contacts in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Schedule {
    pub cron: String,
    /// Each tick is put off by up to this, by another length for each campaign and tick.
    pub jitter: Duration,
    pub catch_up: CatchUp,
}

/// What becomes of ticks that nobody served because no daemon ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// However many were missed, they are made up by one.
    Once,
    /// They are left out.
    Skip,
}

/// When mails may leave, in the campaign's time zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Window {
    #[serde(serialize_with = "weekdays")]
    pub days: Vec<Weekday>,
    pub from: NaiveTime,
    /// Excluded; later than `from`.
    pub to: NaiveTime,
    /// Days on which nothing leaves.
    pub except: Vec<NaiveDate>,
}

fn weekdays<S: serde::Serializer>(days: &[Weekday], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(days.iter().map(ToString::to_string))
}

/// A daily limit that grows: `start` on the first day, `add` more after every `every` days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ramp {
    pub start: u32,
    pub add: u32,
    pub every_days: u32,
}

impl Ramp {
    /// The lower of a fixed limit and a growing one on the `day`-th day.
    pub fn limit(fixed: Option<u32>, ramp: Option<Self>, day: u32) -> Option<u32> {
        let ramped =
            ramp.map(|ramp| ramp.start.saturating_add(ramp.add.saturating_mul(day / ramp.every_days.max(1))));
        match (fixed, ramped) {
            (Some(fixed), Some(ramped)) => Some(fixed.min(ramped)),
            (fixed, ramped) => fixed.or(ramped),
        }
    }
}

/// How much may be handed over. `None` is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    pub per_day: Option<u32>,
    pub per_domain_per_day: Option<u32>,
    pub ramp: Option<Ramp>,
}

impl Limits {
    /// The limit of the campaign's `day`-th day (0 is the day of its first enrollment).
    pub fn on_day(&self, day: u32) -> Option<u32> {
        Ramp::limit(self.per_day, self.ramp, day)
    }
}

/// Where the value of one provider field comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldSource {
    /// A column or json value; a contact without it is skipped unless there is a default.
    Column { from: FieldRef, default: Option<String> },
    /// A minijinja template over `company` and `employee`.
    Template {
        text: String,
        /// The columns the text reads, found when the manifest was checked.
        reads: Vec<FieldRef>,
    },
    /// The same text for everybody.
    Value(String),
    /// Drafted by a model for each contact; a contact without a draft that may be used is skipped.
    Draft(Draft),
}

/// One mail of the sequence: templates over the campaign's fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SequenceStep {
    /// Time after the previous step; zero for the first.
    pub wait: Option<Span>,
    /// Absent on a follow-up in the same thread.
    pub subject: Option<String>,
    pub body: String,
    pub html: Option<String>,
}

/// The limits of the guard; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Safety {
    pub max_enroll: Option<u32>,
    pub max_withdraw_percent: u32,
    /// The percentage counts only when at least this many are enrolled.
    pub from: u32,
}

impl Default for Safety {
    fn default() -> Self {
        Self { max_enroll: None, max_withdraw_percent: 30, from: 10 }
    }
}

/// One extra column set when the provider accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WriteBack {
    /// One of [`super::WRITABLE_FIELDS`].
    pub field: FieldRef,
    pub value: String,
}

/// A declared outreach. Its identity is `number`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Campaign {
    pub name: String,
    #[serde(skip)]
    pub description: Option<String>,
    pub number: i32,
    pub outreach_type: OutreachType,
    pub segment: String,
    pub provider: String,
    pub state: State,
    pub membership: Membership,
    pub on_leave: OnLeave,
    /// The segment that ends an enrollment.
    pub exit: Option<String>,
    /// Who wins a contact that two campaigns want: the higher, then the lower number.
    pub priority: i32,
    /// Contacts may be in another campaign that says so too at the same time.
    pub overlap: bool,
    /// Share of the audience that is never enrolled, in hundredths of a percent (0 to 10000).
    pub holdout: u32,
    /// No contact whose last outreach, of any campaign, is more recent than this.
    pub cooldown: Option<Span>,
    /// Nobody whose address was not found alive within this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<Span>,
    /// At most this many contacts of one company in live campaigns, over all campaigns.
    pub company_cap: Option<u32>,
    pub schedule: Option<Schedule>,
    pub timezone: Tz,
    pub window: Option<Window>,
    pub limits: Limits,
    pub fields: BTreeMap<String, FieldSource>,
    pub sequence: Vec<SequenceStep>,
    pub safety: Safety,
    pub write_back: Vec<WriteBack>,
    /// What the colleagues of somebody who answers are spared.
    pub colleagues: Colleagues,
    /// Settings of the campaign at its provider, where any are declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<RemoteSettings>,
    /// Path of the declaring file below the project folder.
    #[serde(skip)]
    pub file: String,
}

impl Campaign {
    /// The fields that are drafted, by name.
    pub fn drafts(&self) -> impl Iterator<Item = (&str, &Draft)> {
        self.fields.iter().filter_map(|(name, source)| match source {
            FieldSource::Draft(draft) => Some((name.as_str(), draft)),
            _ => None,
        })
    }

    /// Whether contacts may be in both campaigns at once.
    pub fn tolerates(&self, other: &Campaign) -> bool {
        self.overlap && other.overlap
    }

    /// Whether this campaign takes a contact that `other` wants as well.
    pub fn outranks(&self, other: &Campaign) -> bool {
        (self.priority, -self.number) > (other.priority, -other.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_grows_up_to_the_daily_limit() {
        let limits = Limits {
            per_day: Some(50),
            per_domain_per_day: None,
            ramp: Some(Ramp { start: 20, add: 10, every_days: 2 }),
        };
        let days: Vec<_> = (0..8).map(|day| limits.on_day(day)).collect();
        assert_eq!(days, [20, 20, 30, 30, 40, 40, 50, 50].map(Some));
        assert_eq!(Limits::default().on_day(3), None);
    }
}
