//! Unsubscribe links, at `/u/TOKEN` (RFC 8058): GET asks, POST acts.
//!
//! Behind a proxy everybody has one address, so that the limit counts only links that nobody of ours signed: no stop is
//! refused for what others do. A scanner that fetches a link stops nobody. Whoever posts is done: no cookie, no question, no redirect. A used link is
//! answered like a new one, and no page says who it was for.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State};
use axum::http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tracing::warn;

use super::Shared;
use super::limit::{self, Limiter};
use crate::reconcile;

/// `List-Unsubscribe=One-Click`, as a form or in parts.
const MOST_BYTES: usize = 16 * 1024;

pub(super) fn router(shared: &Arc<Shared>, limiter: Arc<Limiter>) -> Router<Arc<Shared>> {
    Router::new()
        .route("/u/{token}", get(ask).post(act))
        .route_layer(from_fn_with_state((Arc::clone(shared), limiter), count_strangers))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
}

async fn count_strangers(
    State((shared, limiter)): State<(Arc<Shared>, Arc<Limiter>)>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(token): Path<String>,
    request: Request,
    next: Next,
) -> Response {
    let manifest = shared.files.declared().await.manifest;
    match reconcile::mail_of(&shared.context(&manifest), &token) {
        Ok(Some(_)) => next.run(request).await,
        Ok(None) | Err(_) => limit::held(&limiter, peer, request, next).await,
    }
}

async fn ask(State(shared): State<Arc<Shared>>, Path(token): Path<String>, headers: HeaderMap) -> Response {
    let manifest = shared.files.declared().await.manifest;
    match reconcile::mail_of(&shared.context(&manifest), &token) {
        Ok(Some(_)) => page(&headers, Page::Ask),
        Ok(None) => page(&headers, Page::Stranger),
        Err(error) => {
            warn!(error = error.chain(), "an unsubscribe link could not be checked");
            page(&headers, Page::Later)
        }
    }
}

/// What stands in the body does not matter: nobody posts here by chance.
async fn act(
    State(shared): State<Arc<Shared>>,
    Path(token): Path<String>,
    headers: HeaderMap,
    _body: Bytes,
) -> Response {
    let manifest = shared.files.declared().await.manifest;
    match reconcile::unsubscribe(&shared.context(&manifest), &token).await {
        Ok(true) => page(&headers, Page::Done),
        Ok(false) => page(&headers, Page::Stranger),
        Err(error) => {
            warn!(error = error.chain(), "an unsubscribe link could not be followed");
            page(&headers, Page::Later)
        }
    }
}

#[derive(Clone, Copy)]
enum Page {
    Ask,
    Done,
    Stranger,
    Later,
}

impl Page {
    const fn status(self) -> StatusCode {
        match self {
            Self::Ask | Self::Done => StatusCode::OK,
            Self::Stranger => StatusCode::NOT_FOUND,
            Self::Later => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Heading and text.
    const fn says(self, in_russian: bool) -> (&'static str, &'static str) {
        match (self, in_russian) {
            (Self::Ask, false) => ("Unsubscribe", "Shall we stop writing to you?"),
            (Self::Ask, true) => ("Отписка", "Больше не писать вам?"),
            (Self::Done, false) => ("Unsubscribed", "We will not write to you again."),
            (Self::Done, true) => ("Вы отписаны", "Мы больше не будем вам писать."),
            (Self::Stranger, false) => {
                ("Not found", "This link is not one of ours. Please check that you copied all of it.")
            }
            (Self::Stranger, true) => {
                ("Не найдено", "Это не наша ссылка. Проверьте, что вы скопировали её целиком.")
            }
            (Self::Later, false) => ("Please try again", "This does not work at the moment."),
            (Self::Later, true) => ("Попробуйте ещё раз", "Сейчас это не работает."),
        }
    }
}

fn page(headers: &HeaderMap, page: Page) -> Response {
    let languages = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let in_russian = languages.trim_start().to_lowercase().starts_with("ru");
    let (heading, text) = page.says(in_russian);
    let (language, button) = if in_russian { ("ru", "Отписаться") } else { ("en", "Unsubscribe") };
    let form = match page {
        Page::Ask => format!(
            "<form method=\"post\">\
             <input type=\"hidden\" name=\"List-Unsubscribe\" value=\"One-Click\">\
             <button>{button}</button></form>\n"
        ),
        _ => String::new(),
    };
    let html = format!(
        "<!doctype html>\n<html lang=\"{language}\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{heading}</title>\n\
         <main>\n<h1>{heading}</h1>\n<p>{text}</p>\n{form}</main>\n</html>\n"
    );
    let mut response = (page.status(), html).into_response();
    // The link is the token: no search engine keeps it.
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
