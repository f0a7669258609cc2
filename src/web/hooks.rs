//! Webhooks of providers, at `/hooks/PROVIDER`: verified, taken in, answered.
//!
//! Nobody is let in without the provider's signature, and nothing of a webhook is repeated or logged.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tracing::warn;

use super::Shared;
use crate::provider::WebhookError;
use crate::reconcile::{WebhookFault, webhook};

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new().route("/hooks/{provider}", post(take))
}

/// 2xx is done, 4xx never comes again, 5xx is tried again.
async fn take(
    State(shared): State<Arc<Shared>>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let manifest = shared.files.declared().await.manifest;
    match webhook(&shared.context(&manifest), &provider, &headers, &body).await {
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
