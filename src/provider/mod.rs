//! Outreach providers: one folder a vendor behind one trait.
//!
//! A provider does what it is told and says what became of it, item by item. It never decides who
//! is contacted, never writes to the database, and never retries by itself.

mod error;
mod file;
mod secret;
mod webhook;

use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use uuid::Uuid;

use crate::model::{ActionKind, Clock, ProviderKind, ProviderSettings, PushKey, Verdict};

pub use error::ProviderError;
pub use secret::resolve as resolve_secret;

/// One action as a provider gets it, its fields rendered.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub key: PushKey,
    pub action: ActionKind,
    pub email: String,
    pub fields: Value,
}

impl Item {
    pub const fn employee_id(&self) -> Uuid {
        self.key.employee_id
    }
}

/// The campaign that a call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub campaign: String,
    pub number: i32,
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

    /// Longest time one call can take; a lease must outlast it or be renewed meanwhile.
    fn timeout(&self) -> Duration;
}

/// Opens a declared provider. `root` is the project folder.
pub fn open<'c>(
    settings: &ProviderSettings,
    root: &Path,
    clock: &'c dyn Clock,
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
    })
}
