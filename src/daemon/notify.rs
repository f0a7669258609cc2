//! Tells people about conditions that hold and that are over again, by webhooks as Slack takes them and by mail.
//!
//! One message each over all daemons; a message whose answer was lost is not sent again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{self, StreamExt as _};
use reqwest::Client;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tracing::warn;

use super::look::World;
use crate::manifest::Manifest;
use crate::model::{Clock as _, NoticePlace, NoticeTarget, Verdict};
use crate::provider::{self, Notifier, ProviderError, resolve_secret};
use crate::reconcile::ReconcileError;
use crate::store::notices::{self, Notice, Sent};
use crate::store::{StoreError, causes};

const PATIENCE: Duration = Duration::from_secs(10);
/// One place that is slow must not keep the others waiting.
const AT_ONCE: usize = 4;

/// Sends what is due. A target that cannot be reached must not fail anything else.
pub(super) async fn tell(world: &World<'_>, manifest: &Manifest) {
    let targets = stream::iter(&manifest.project.notify);
    let told = targets.for_each_concurrent(AT_ONCE, async |target| {
        if let Err(error) = tell_one(world, manifest, target).await {
            warn!(error = ReconcileError::from(error).chain(), "nobody was told of conditions");
        }
    });
    told.await;
}

async fn tell_one(world: &World<'_>, manifest: &Manifest, target: &NoticeTarget) -> Result<(), StoreError> {
    let (store, clock) = (world.store, world.clock);
    let name = ledger_name(&target.place);
    let after = TimeDelta::from_std(target.after).unwrap_or_default();
    let due = notices::claim(store, &name, after, clock.now()).await?;
    if due.is_empty() {
        return Ok(());
    }
    let mut way = Way::open(world, manifest, &target.place)
        .inspect_err(|error| warn!(error = causes(error).join(": "), "nobody can be told of conditions"))
        .ok();
    for notice in due {
        let sent = match &mut way {
            Some(way) if !world.stop.is_asked() => {
                way.send(&Words::of(manifest, &notice), &message_id(&name, &notice), clock.now()).await
            }
            _ => Sent::NotYet,
        };
        // What did not get through does not a moment later: the rest is not held up by it.
        if sent == Sent::NotYet {
            way = None;
        }
        notices::settle(store, &name, &notice, sent, clock.now()).await?;
    }
    if let Some(Way::Mail(notifier, _)) = way {
        notifier.close().await;
    }
    Ok(())
}

/// The place is a secret, or personal: what stands in the ledger tells it from others, and no more.
fn ledger_name(place: &NoticePlace) -> String {
    let place = match place {
        NoticePlace::Slack(url) => url.to_string(),
        // By whichever mailbox: who was told is not told again.
        NoticePlace::Mail { to, .. } => format!("mail {to}"),
    };
    hex::encode(&Sha256::digest(place)[..16])
}

/// The same for the same notice to the same place, so that a mail that arrives twice is seen to be one.
fn message_id(place: &str, notice: &Notice) -> String {
    let Notice { campaign_number, kind, since, holds, .. } = notice;
    let all = format!("{place} {campaign_number} {kind} {} {holds}", since.timestamp_micros());
    format!("notice-{}", hex::encode(&Sha256::digest(all)[..16]))
}

/// What a place is reached by.
enum Way<'a> {
    Slack(Client, SecretString),
    Mail(Box<Notifier>, &'a str),
}

impl<'a> Way<'a> {
    fn open(world: &World<'_>, manifest: &Manifest, place: &'a NoticePlace) -> Result<Self, ProviderError> {
        Ok(match place {
            NoticePlace::Slack(url) => Self::Slack(client()?, resolve_secret::reference(url, world.root)?),
            NoticePlace::Mail { to, from } => {
                let dkim = manifest.project.dkim(from);
                Self::Mail(Box::new(Notifier::new(from, dkim, world.root)?), to)
            }
        })
    }

    async fn send(&mut self, words: &Words, id: &str, now: DateTime<Utc>) -> Sent {
        match self {
            Self::Slack(client, url) => post(client, url.expose_secret(), &words.for_slack()).await,
            Self::Mail(notifier, to) => {
                let mail = provider::Notice {
                    to: (*to).to_owned(),
                    id: id.to_owned(),
                    subject: words.head.clone(),
                    text: words.for_mail(),
                };
                became(notifier.send(&mail, now).await)
            }
        }
    }
}

fn client() -> Result<Client, ProviderError> {
    // A second installation fails and changes nothing: one process, one provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("outreachd/", env!("CARGO_PKG_VERSION")))
        .timeout(PATIENCE)
        .connect_timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(ProviderError::Client)
}

async fn post(client: &Client, url: &str, text: &str) -> Sent {
    match client.post(url).json(&json!({ "text": text })).send().await {
        Ok(answer) if answer.status().is_success() => Sent::Once,
        Ok(answer) => {
            warn!(status = answer.status().as_u16(), "a notice was refused");
            Sent::NotYet
        }
        Err(error) if error.is_connect() || error.is_builder() => {
            warn!("the place for notices cannot be reached");
            Sent::NotYet
        }
        Err(_) => {
            warn!("whether a notice arrived is not known: it is not sent again");
            Sent::Once
        }
    }
}

fn became(verdict: Verdict) -> Sent {
    match verdict {
        Verdict::Accepted => Sent::Once,
        Verdict::InDoubt(reason) => {
            warn!(reason, "whether a notice arrived is not known: it is not sent again");
            Sent::Once
        }
        Verdict::Refused(reason)
        | Verdict::Bounced(reason)
        | Verdict::Retry { reason, .. }
        | Verdict::Misconfigured(reason) => {
            warn!(reason, "a notice was not sent");
            Sent::NotYet
        }
    }
}

/// What is said.
struct Words {
    head: String,
    message: String,
    since: DateTime<Utc>,
}

impl Words {
    fn of(manifest: &Manifest, notice: &Notice) -> Self {
        let number = notice.campaign_number;
        let name = manifest.campaigns.iter().find(|one| one.number == number).map_or("", |one| &one.name);
        let (head, message) = if notice.holds {
            let head = format!("outreachd: {name} #{number} is {} ({})", notice.kind, notice.reason);
            (head, notice.message.clone())
        } else {
            (format!("outreachd: {name} #{number} is no longer {}", notice.kind), String::new())
        };
        Self { head, message, since: notice.since }
    }

    /// As Slack reads text: three characters are its own.
    fn for_slack(&self) -> String {
        let colon = if self.message.is_empty() { "" } else { ": " };
        let text = format!("{}{colon}{}", self.head, self.message);
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    }

    fn for_mail(&self) -> String {
        let since = self.since.format("%Y-%m-%d %H:%M:%S UTC");
        let gap = if self.message.is_empty() { "" } else { "\n\n" };
        format!("{}{gap}Since {since}. `outreachd status` shows how it stands.\n", self.message)
    }
}
