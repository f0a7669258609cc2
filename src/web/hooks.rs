//! Webhooks of providers, at `/hooks/PROVIDER`: verified, taken in, answered.
//!
//! Nobody is let in without the provider's signature, and nothing of a webhook is repeated or logged.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tracing::warn;
use uuid::Uuid;

use crate::manifest::{self, Manifest};
use crate::model::Stop;
use crate::provider::WebhookError;
use crate::reconcile::{Context, WebhookFault, webhook};
use crate::store::{DatabaseClock, Store};

/// The declared files are read again when they are older than this.
const FRESH: Duration = Duration::from_secs(15);

/// What taking a webhook in needs.
pub struct Hooks {
    store: Store,
    clock: DatabaseClock,
    root: PathBuf,
    holder: Uuid,
    /// The last good manifest, and when it was read.
    declared: Mutex<Option<(Instant, Arc<Manifest>)>>,
}

impl Hooks {
    pub fn new(store: Store, clock: DatabaseClock, root: PathBuf, holder: Uuid) -> Self {
        Self { store, clock, root, holder, declared: Mutex::default() }
    }

    fn known(&self) -> Option<(Instant, Arc<Manifest>)> {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) async fn manifest(&self) -> Option<Arc<Manifest>> {
        let known = self.known();
        if let Some((read, manifest)) = &known
            && read.elapsed() < FRESH
        {
            return Some(Arc::clone(manifest));
        }
        let root = self.root.clone();
        let loaded = tokio::task::spawn_blocking(move || manifest::load(&root)).await.ok()?.manifest;
        // Bad files stop nothing: the last good ones hold.
        let manifest = loaded.map(Arc::new).or_else(|| known.map(|(_, manifest)| manifest))?;
        let fresh = (Instant::now(), Arc::clone(&manifest));
        *self.declared.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
        Some(manifest)
    }

    pub(super) fn context<'c>(&'c self, manifest: &'c Manifest) -> Context<'c> {
        Context {
            store: &self.store,
            manifest,
            clock: &self.clock,
            root: &self.root,
            holder: self.holder,
            revision: None,
            stop: Stop::never(),
        }
    }
}

pub(super) fn router(hooks: Hooks) -> Router {
    Router::new()
        .route("/hooks/{provider}", post(take))
        .merge(super::unsubscribe::router())
        .with_state(Arc::new(hooks))
}

/// 2xx is done, 4xx never comes again, 5xx is tried again.
async fn take(
    State(hooks): State<Arc<Hooks>>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let Some(manifest) = hooks.manifest().await else { return StatusCode::SERVICE_UNAVAILABLE };
    match webhook(&hooks.context(&manifest), &provider, &headers, &body).await {
        Ok(_) => StatusCode::OK,
        Err(WebhookFault::Refused(WebhookError::NotExpected)) => StatusCode::NOT_FOUND,
        Err(WebhookFault::Refused(WebhookError::Forged)) => StatusCode::UNAUTHORIZED,
        Err(WebhookFault::Refused(WebhookError::Unreadable)) => StatusCode::BAD_REQUEST,
        Err(WebhookFault::Refused(error @ WebhookError::Secret(_))) => {
            warn!(provider, error = %error, "a webhook could not be verified");
            StatusCode::INTERNAL_SERVER_ERROR
        }
        Err(WebhookFault::Later(error)) => {
            warn!(provider, error = error.chain(), "a webhook could not be taken in");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}
