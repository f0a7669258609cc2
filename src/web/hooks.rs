//! Webhooks of providers, at `/hooks/PROVIDER`: verified, taken in, answered.
//!
//! Nobody is let in without the provider's signature, and nothing of a webhook is repeated or logged. What can be
//! refused by its headers is refused before its body is read, and bodies wait in few places for a short time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, FromRequest as _, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Extension, Router};
use tokio::time::timeout;
use tracing::warn;

use super::Shared;
use super::limit::{Asker, Limiter};
use crate::provider::{self, WebhookError};
use crate::reconcile::{WebhookFault, webhook};

/// A provider sends its body, and waits for its turn, no longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn router(limiter: Arc<Limiter>) -> Router<Arc<Shared>> {
    Router::new().route("/hooks/{provider}", post(take)).layer(Extension(limiter))
}

/// 2xx is done, 4xx never comes again, 429 and 5xx are tried again.
async fn take(
    State(shared): State<Arc<Shared>>,
    Extension(limiter): Extension<Arc<Limiter>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let asker = limiter.asker(peer.ip());
    let manifest = shared.files.declared().await.manifest;
    let context = shared.context(&manifest);
    let Some(settings) = manifest.project.providers.get(&name) else {
        return asker.refused(StatusCode::NOT_FOUND);
    };
    match provider::is_webhook_signed(settings, request.headers()) {
        // Older deliveries carry the secret in their body instead: there is time for them while nobody floods us.
        Ok(false) if asker.is_over() => return asker.put_off(),
        Ok(_) => {}
        Err(error) => return refused(&asker, &name, &error),
    }
    // Held as long as the body is.
    let Some(_place) = asker.place() else { return asker.put_off() };
    let headers = request.headers().clone();
    let body = match timeout(PATIENCE, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => body,
        Ok(Err(rejection)) => return asker.refused(rejection.status()),
        Err(_) => return asker.refused(StatusCode::SERVICE_UNAVAILABLE),
    };
    // The turn is for the check alone: what is genuine waits for the database without it.
    if asker.is_over() {
        let Ok(turn) = timeout(PATIENCE, asker.turn()).await else { return asker.put_off() };
        let read = provider::read_webhook(settings, context.root, &headers, &body);
        drop(turn);
        if let Err(error) = read {
            return refused(&asker, &name, &error);
        }
    }
    match webhook(&context, &name, &headers, &body).await {
        Ok(_) => StatusCode::OK.into_response(),
        Err(WebhookFault::Refused(error)) => refused(&asker, &name, &error),
        Err(WebhookFault::Later(error)) => {
            warn!(provider = name, error = error.chain(), "a webhook could not be taken in");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn refused(asker: &Asker<'_>, provider: &str, error: &WebhookError) -> Response {
    match error {
        WebhookError::NotExpected => asker.refused(StatusCode::NOT_FOUND),
        WebhookError::Forged => asker.refused(StatusCode::UNAUTHORIZED),
        WebhookError::Unreadable => asker.refused(StatusCode::BAD_REQUEST),
        WebhookError::Secret(_) => {
            warn!(provider, error = %error, "a webhook could not be verified");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
