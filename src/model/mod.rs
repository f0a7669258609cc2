//! The nouns of outreachd as plain values, and the field catalog.
//!
//! Never does I/O, knows no SQL and no YAML, reads no clock of its own.

mod address;
mod campaign;
mod catalog;
mod clock;
mod comparison;
mod condition;
mod draft;
mod duration;
mod enrichment;
mod health;
mod holes;
mod http;
mod mail;
mod notice;
mod plan;
mod project;
mod remote;
mod rule;
mod secret;
mod segment;
mod sql_clause;
mod stop;
mod template;
mod term;
mod text;
mod timing;
pub mod token;
mod verdict;

pub use address::{domain_of, is_address, normalize_address};
pub use campaign::{
    Campaign, CatchUp, FieldSource, Limits, Membership, OnLeave, OutreachType, Ramp, Safety, Schedule,
    SequenceStep, State, Window, WriteBack,
};
pub use catalog::{
    Entity, FIELDS, Field, FieldRef, Kind, OFFICE_QUALIFICATIONS, OUTREACH_TYPES, TEST_STATUSES,
    WRITABLE_FIELDS, field,
};
pub use clock::{Clock, FixedClock, SystemClock};
pub use comparison::{CampaignComparison, Cause, Comparison, Declared, Movement, Mover, Way};
pub use condition::{Condition, ConditionKind};
pub use draft::{Draft, DraftingSettings, Language, Review};
pub use duration::{Span, SpanUnit};
pub use enrichment::{AddressStatus, EnrichStep, EnrichmentSettings, Prices, is_special_domain, web_domain};
pub use health::Health;
pub use holes::fill_holes;
pub use http::{AccessToken, HttpSettings, PublicSettings, Role};
pub use mail::{
    Colleagues, Dkim, ImapSettings, MailServer, MailTls, Mailbox, ReplySettings, SenderLimits, SmtpSettings,
    Unsubscribe,
};
pub use notice::{NoticePlace, NoticeTarget};
pub use plan::{
    Action, ActionKind, Blocked, CampaignPlan, Change, FORMAT_VERSION, FunnelStep, Guard, Orphan, Plan, Skip,
    Totals, WithdrawReason,
};
pub use project::{DaemonSettings, DatabaseSettings, Defaults, Project, ProviderKind, ProviderSettings};
pub use remote::{OnDrift, OtherCampaigns, RemotePlan, RemoteSettings, StopOn, Track, Withdrawal};
pub use rule::{Op, Rule, Scalar, SqlClause, Test};
pub use secret::SecretRef;
pub use segment::{Example, Expect, Order, Segment};
pub use sql_clause::{SqlClauseError, check_sql};
pub use stop::Stop;
pub use template::{FENCE, Template, TemplateError};
pub use term::Term;
pub use text::printable;
pub use timing::Tick;
pub use verdict::{PushKey, PushState, Verdict};
