//! Webhooks of providers, at `/hooks/PROVIDER`: verified, taken in, answered.
//!
//! Nobody is let in without the provider's signature, and nothing of a webhook is repeated or logged.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Extension, Router};
use tracing::warn;

use super::Shared;
use super::limit::Limiter;
use crate::provider::WebhookError;
use crate::reconcile::{WebhookFault, webhook};

pub(super) fn router(limiter: Arc<Limiter>) -> Router<Arc<Shared>> {
    Router::new().route("/hooks/{provider}", post(take)).layer(Extension(limiter))
}

/// 2xx is done, 4xx never comes again, 429 and 5xx are tried again.
async fn take(
    State(shared): State<Arc<Shared>>,
    Extension(limiter): Extension<Arc<Limiter>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let asker = limiter.let_in(peer.ip()).await;
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return asker.refused(rejection.status()),
    };
    let manifest = shared.files.declared().await.manifest;
    match webhook(&shared.context(&manifest), &provider, &headers, &body).await {
        Ok(_) => StatusCode::OK.into_response(),
        Err(WebhookFault::Refused(WebhookError::NotExpected)) => asker.refused(StatusCode::NOT_FOUND),
        Err(WebhookFault::Refused(WebhookError::Forged)) => asker.refused(StatusCode::UNAUTHORIZED),
        Err(WebhookFault::Refused(WebhookError::Unreadable)) => asker.refused(StatusCode::BAD_REQUEST),
        Err(WebhookFault::Refused(error @ WebhookError::Secret(_))) => {
            warn!(provider, error = %error, "a webhook could not be verified");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(WebhookFault::Later(error)) => {
            warn!(provider, error = error.chain(), "a webhook could not be taken in");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
