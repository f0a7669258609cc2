//! Tells people about conditions that hold and that are over again, through webhooks as Slack takes them.
//!
//! One message each over all daemons; a message whose answer was lost is not sent again.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use reqwest::Client;
use secrecy::ExposeSecret as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tracing::warn;

use crate::manifest::Manifest;
use crate::model::{Clock as _, NoticeTarget};
use crate::provider::resolve_secret;
use crate::reconcile::ReconcileError;
use crate::store::notices::{self, Notice, Sent};
use crate::store::{DatabaseClock, Store, StoreError};

const PATIENCE: Duration = Duration::from_secs(10);

/// Sends what is due. A target that cannot be reached must not fail anything else.
pub(super) async fn tell(store: &Store, clock: &DatabaseClock, root: &Path, manifest: &Manifest) {
    for target in &manifest.project.notify {
        if let Err(error) = tell_one(store, clock, root, manifest, target).await {
            warn!(error = ReconcileError::from(error).chain(), "nobody was told of conditions");
        }
    }
}

async fn tell_one(
    store: &Store,
    clock: &DatabaseClock,
    root: &Path,
    manifest: &Manifest,
    target: &NoticeTarget,
) -> Result<(), StoreError> {
    // The place is a secret: what stands in the ledger tells it from others, and no more.
    let name = hex::encode(&Sha256::digest(target.slack.to_string())[..16]);
    let after = TimeDelta::from_std(target.after).unwrap_or_default();
    let due = notices::claim(store, &name, after, clock.now()).await?;
    if due.is_empty() {
        return Ok(());
    }
    let ready = resolve_secret::reference(&target.slack, root).ok().zip(client());
    for notice in due {
        let sent = match &ready {
            Some((url, client)) => send(client, url.expose_secret(), &words(manifest, &notice)).await,
            None => {
                warn!(place = %target.slack, "the webhook for notices cannot be found");
                Sent::NotYet
            }
        };
        notices::settle(store, &name, &notice, sent, clock.now()).await?;
    }
    Ok(())
}

fn client() -> Option<Client> {
    // A second installation fails and changes nothing: one process, one provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("outreachd/", env!("CARGO_PKG_VERSION")))
        .timeout(PATIENCE)
        .connect_timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .ok()
}

async fn send(client: &Client, url: &str, text: &str) -> Sent {
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

/// As Slack reads text: three characters are its own.
fn words(manifest: &Manifest, notice: &Notice) -> String {
    let number = notice.campaign_number;
    let name = manifest.campaigns.iter().find(|one| one.number == number).map_or("", |one| &one.name);
    let text = if notice.holds {
        format!("outreachd: {name} #{number} is {} ({}): {}", notice.kind, notice.reason, notice.message)
    } else {
        format!("outreachd: {name} #{number} is no longer {}", notice.kind)
    };
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
