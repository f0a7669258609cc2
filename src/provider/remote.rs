//! Providers that keep campaigns of their own: those are read, written and listened to.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::CallError;
use crate::model::Campaign;

/// The setting that says whether mails go out: `draft`, `active`, `paused`, `completed`, `stopped`.
pub const STATUS: &str = "status";

/// Settings of a campaign by name, in words that a declaration and a provider have in common.
pub type RemoteValues = BTreeMap<String, Value>;

/// A campaign as it is at the provider.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RemoteState {
    pub values: RemoteValues,
    /// What the provider itself needs to write it back, such as ids of steps.
    pub own: Value,
}

/// What can be listened to, what stops people first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    Unsubscribed,
    Bounced,
    Replied,
    Sent,
    Finished,
}

impl Feed {
    pub const ALL: [Self; 5] = [Self::Unsubscribed, Self::Bounced, Self::Replied, Self::Sent, Self::Finished];
}

/// What happened to a contact of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NewsKind {
    Sent,
    Finished,
    Replied,
    /// A reply that asks for information.
    AskedForInformation,
    Bounced,
    Unsubscribed,
}

impl NewsKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Finished => "finished",
            Self::Replied => "replied",
            Self::AskedForInformation => "asked",
            Self::Bounced => "bounced",
            Self::Unsubscribed => "unsubscribed",
        }
    }
}

/// Something that happened to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Trimmed and lower-cased.
    pub email: String,
    pub kind: NewsKind,
    pub at: Option<DateTime<Utc>>,
    /// Which mail of the sequence it is about, from 1.
    pub step: Option<u32>,
}

/// A part of a feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    pub news: Vec<News>,
    /// Where the next part begins; none after the last.
    pub next: Option<u64>,
}

/// Where a contact stands in a campaign at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    Queued,
    Active,
    Finished,
    Bounced,
    Unsubscribed,
    Stopped,
}

/// A contact in a campaign at the provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub held: String,
    /// Trimmed and lower-cased.
    pub email: String,
    pub state: MemberState,
    /// When it entered.
    pub since: Option<DateTime<Utc>>,
    /// By the names that a campaign's `fields` have.
    pub fields: BTreeMap<String, String>,
}

/// A provider that keeps campaigns.
pub trait Remote: Send + Sync {
    /// What the declaration comes to. Pure.
    fn wanted(&self, campaign: &Campaign) -> RemoteValues;

    /// Ids of the campaigns with exactly this name.
    fn find<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, CallError>>;

    /// Makes an empty campaign; gives its id.
    fn create<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<String, CallError>>;

    /// The campaign as it is.
    fn read<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<RemoteState, CallError>>;

    /// Brings the named settings to their values in `target`; the others stand in `target` as they are.
    fn write<'a>(
        &'a self,
        id: &'a str,
        state: &'a RemoteState,
        target: &'a RemoteValues,
        names: &'a [String],
    ) -> BoxFuture<'a, Result<(), CallError>>;

    /// A part of what happened since an instant; all of it without one.
    fn news<'a>(
        &'a self,
        id: &'a str,
        feed: Feed,
        since: Option<DateTime<Utc>>,
        from: u64,
    ) -> BoxFuture<'a, Result<Page, CallError>>;

    /// Everybody who is in the campaign.
    fn members<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Vec<Member>, CallError>>;

    /// Never to be written to again: addresses, and domains as `@b.co`. May be said twice.
    fn stop<'a>(&'a self, targets: &'a [String]) -> BoxFuture<'a, Result<(), CallError>>;
}
