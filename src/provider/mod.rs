//! Outreach providers: one folder a vendor behind one trait.
//!
//! A provider does what it is told and says what became of it, item by item. It never decides who
//! is contacted, never writes to the database, and never says again by itself what may have been heard.

pub mod chat;
mod error;
mod file;
mod last_look;
pub mod leadmagic;
mod pace;
mod remote;
mod secret;
mod sent;
mod smartlead;
mod smtp;
mod webhook;

use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use uuid::Uuid;

use crate::model::{
    ActionKind, Clock, ProviderKind, ProviderSettings, PushKey, SmtpSettings, Term, Verdict, WithdrawReason,
    Withdrawal,
};

/// Headers of a webhook.
pub use reqwest::header::HeaderMap as Headers;

pub use error::{CallError, ProviderError};
use last_look::LastLook;
pub use pace::{Pace, Unpaced};
pub use remote::{
    Feed, Member, MemberState, News, NewsKind, Page, Remote, RemoteState, RemoteValues, STATUS,
};
pub use secret::resolve as resolve_secret;
pub use sent::{SentFolder, Unseen};
pub use smartlead::webhook::{WebhookError, WebhookNews};
pub use smtp::{Notice, Notifier, message_id};

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
    /// The mail to send, where we send each one ourselves; absent from an update and a withdrawal.
    pub mail: Option<Mail>,
}

/// One mail of a sequence, rendered for one contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// From 1.
    pub step: u16,
    /// Name of the mailbox that it is from.
    pub sender: String,
    /// Without angle brackets; the same when the mail is tried again.
    pub message_id: String,
    /// Of the return path.
    pub return_token: String,
    pub unsubscribe_token: String,
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
    /// Message-IDs of the mails before it in the sequence, oldest first.
    pub thread: Vec<String>,
}

/// A mailbox that cannot send for now, for a reason that says nothing about any contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderFault {
    pub mailbox: String,
    pub pause: Duration,
    pub reason: String,
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

    /// Mailboxes that turned out unable to send since this was last asked.
    fn sender_faults(&self) -> Vec<SenderFault> {
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
    open_until(settings, root, clock, Box::new(Unpaced::default()), None, Box::new(Unseen))
}

/// Opens a declared provider whose calls keep to a budget, where it asks for one itself, and go out until a term is over.
/// `sent` is asked what has left, where it cannot be told otherwise.
pub fn open_until<'c>(
    settings: &ProviderSettings,
    root: &Path,
    clock: &'c dyn Clock,
    pace: Box<dyn Pace + 'c>,
    until: Option<Term>,
    sent: Box<dyn SentFolder + 'c>,
) -> Result<Box<dyn Provider + 'c>, ProviderError> {
    let look = LastLook::new(until);
    Ok(match &settings.kind {
        ProviderKind::File { dir } => Box::new(file::FileProvider::new(root.join(dir), clock, look)),
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
                look,
            )?)
        }
        ProviderKind::Smartlead { url, key, timeout, other_campaigns, per_minute, webhook_url, .. } => {
            let client = smartlead::Client::new(
                &resolve_secret::text(url)?,
                resolve_secret::reference(key, root)?,
                *timeout,
                clock,
                pace,
                look,
            )?;
            let settings = smartlead::Settings {
                batch: settings.batch,
                per_minute: *per_minute,
                other_campaigns: *other_campaigns,
                webhook_url: webhook_url.clone(),
            };
            Box::new(smartlead::SmartleadProvider::new(client, settings))
        }
        ProviderKind::Smtp(settings) => Box::new(smtp::SmtpProvider::new(settings, root, clock, look, sent)?),
    })
}

/// The mail as it would go to `to`, headers first; or why it cannot be written. Nothing is sent.
pub fn written(
    settings: &SmtpSettings,
    root: &Path,
    mail: &Mail,
    to: &str,
    clock: &dyn Clock,
) -> Result<Result<Vec<u8>, String>, ProviderError> {
    smtp::written(settings, root, mail, to, clock)
}

/// Whether a webhook shows a signature, before its body is read; an error where the provider sends none.
pub fn is_webhook_signed(settings: &ProviderSettings, headers: &Headers) -> Result<bool, WebhookError> {
    match &settings.kind {
        ProviderKind::Smartlead { webhook_secret: Some(_), .. } => {
            Ok(headers.contains_key(smartlead::webhook::SIGNATURE))
        }
        _ => Err(WebhookError::NotExpected),
    }
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
