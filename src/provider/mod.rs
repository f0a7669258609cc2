//! Outreach providers: one folder a vendor behind one trait.
//!
//! A provider does what it is told and says what became of it, item by item. It never decides who
//! is contacted, never writes to the database, and never says again by itself what may have been heard.

pub mod chat;
mod error;
mod file;
pub mod leadmagic;
mod pace;
mod remote;
mod secret;
mod smartlead;
mod webhook;

use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use uuid::Uuid;

use crate::model::{
    ActionKind, Clock, ProviderKind, ProviderSettings, PushKey, Verdict, WithdrawReason, Withdrawal,
};

/// Headers of a webhook.
pub use reqwest::header::HeaderMap as Headers;

pub use error::{CallError, ProviderError};
pub use pace::{Pace, Unpaced};
pub use remote::{
    Feed, Member, MemberState, News, NewsKind, Page, Remote, RemoteState, RemoteValues, STATUS,
};
pub use secret::resolve as resolve_secret;
pub use smartlead::webhook::{WebhookError, WebhookNews};

/// One action as a provider gets it, its fields rendered.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub key: PushKey,
    pub action: ActionKind,
    pub email: String,
    pub fields: Value,
    /// Why it leaves, of a withdrawal.
    pub reason: Option<WithdrawReason>,
    /// The provider's own name for the contact, where one was learnt.
    pub held: Option<String>,
}

impl Item {
    pub const fn employee_id(&self) -> Uuid {
        self.key.employee_id
    }
}

/// The campaign that a call is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destination {
    pub campaign: String,
    pub number: i32,
    /// The provider's own campaign, where it keeps one.
    pub remote: Option<String>,
    /// What a withdrawal does there.
    pub withdraw: Withdrawal,
}

/// A contact's name at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    pub employee_id: Uuid,
    pub held: String,
}

/// What a call brought.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// One verdict for each item, in their order.
    Items(Vec<Verdict>),
    /// The call as a whole was refused although an item may be at fault: try smaller ones.
    Whole(Verdict),
}

/// Whether a provider holds an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Here,
    NotHere,
    /// The provider cannot tell; a person must.
    Unknown,
    /// The receiver tells a second delivery from the first by its key: send it again.
    SendAgain,
}

/// A system that pushes go to.
pub trait Provider: Send + Sync {
    /// Hands the items over. Whatever happened is an answer: a fault becomes verdicts.
    fn perform<'a>(&'a self, to: &'a Destination, items: &'a [Item]) -> BoxFuture<'a, Answer>;

    /// Says of each item whether the provider holds it, in their order.
    fn look_up<'a>(
        &'a self,
        to: &'a Destination,
        items: &'a [Item],
    ) -> BoxFuture<'a, Result<Vec<Presence>, ProviderError>>;

    /// Whether it tells a second delivery of an item from the first by its key, so that an item in doubt
    /// may be sent again.
    fn dedupes(&self) -> bool {
        false
    }

    /// How many calls may be under way at once.
    fn at_once(&self) -> usize {
        1
    }

    /// How many items it likes to be asked about at once, where `batch` go into one call.
    fn looks_up_at_once(&self, batch: u32) -> u32 {
        batch
    }

    /// Names for contacts that its answers gave since this was last asked.
    fn learned(&self) -> Vec<Learned> {
        Vec::new()
    }

    /// The campaigns that it keeps, if it does.
    fn remote(&self) -> Option<&dyn Remote> {
        None
    }

    /// Longest time one call can take; a lease must outlast it or be renewed meanwhile.
    fn timeout(&self) -> Duration;
}

/// Opens a declared provider, for calls that nobody counts. `root` is the project folder.
pub fn open<'c>(
    settings: &ProviderSettings,
    root: &Path,
    clock: &'c dyn Clock,
) -> Result<Box<dyn Provider + 'c>, ProviderError> {
    open_paced(settings, root, clock, Box::new(Unpaced::default()))
}

/// Opens a declared provider whose calls keep to a budget.
pub fn open_paced<'c>(
    settings: &ProviderSettings,
    root: &Path,
    clock: &'c dyn Clock,
    pace: Box<dyn Pace + 'c>,
) -> Result<Box<dyn Provider + 'c>, ProviderError> {
    Ok(match &settings.kind {
        ProviderKind::File { dir } => Box::new(file::FileProvider::new(root.join(dir), clock)),
        ProviderKind::Webhook { url, secret, idempotent, look_up, timeout } => {
            Box::new(webhook::WebhookProvider::new(
                webhook::Settings {
                    url: resolve_secret::text(url)?,
                    secret: resolve_secret::reference(secret, root)?,
                    idempotent: *idempotent,
                    look_up: *look_up,
                    timeout: *timeout,
                },
                clock,
            )?)
        }
        ProviderKind::Smartlead { url, key, timeout, other_campaigns, .. } => {
            let client = smartlead::Client::new(
                &resolve_secret::text(url)?,
                resolve_secret::reference(key, root)?,
                *timeout,
                clock,
                pace,
            )?;
            Box::new(smartlead::SmartleadProvider::new(client, settings.batch, *other_campaigns))
        }
    })
}

/// Reads a webhook of the provider: which campaign of its it is about, and what happened.
pub fn read_webhook(
    settings: &ProviderSettings,
    root: &Path,
    headers: &Headers,
    body: &[u8],
) -> Result<WebhookNews, WebhookError> {
    match &settings.kind {
        ProviderKind::Smartlead { webhook_secret: Some(secret), .. } => {
            let secret = resolve_secret::reference(secret, root).map_err(WebhookError::Secret)?;
            smartlead::webhook::read(&secret, headers, body)
        }
        _ => Err(WebhookError::NotExpected),
    }
}
