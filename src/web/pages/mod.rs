//! The pages: templates over what `read` gives. Work without script; what is dear to make is loaded after the page.

mod act;
mod parts;
mod show;
mod sign;
mod words;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};

use super::Shared;
use super::access::Visitor;

/// What stands around every page.
pub(super) struct Frame {
    title: String,
    /// `None` before somebody has signed in.
    visitor: Option<Visitor>,
    path: String,
    /// What was just done.
    done: Option<&'static str>,
    /// Shows itself anew when something has changed.
    live: bool,
}

const PAGES: [(&str, &str); 7] = [
    ("/", "Overview"),
    ("/contacts", "Contacts"),
    ("/replies", "Answers"),
    ("/doubts", "In doubt"),
    ("/providers", "Providers"),
    ("/files", "Files"),
    ("/events", "Log"),
];

impl Frame {
    fn new(title: impl Into<String>, visitor: Visitor, path: &str) -> Self {
        Self { title: title.into(), visitor: Some(visitor), path: path.to_owned(), done: None, live: true }
    }

    fn outside(title: &str) -> Self {
        Self { title: title.to_owned(), visitor: None, path: String::new(), done: None, live: false }
    }

    fn is_at(&self, path: &&str) -> bool {
        self.path == **path
    }
}

/// Pages of those who were let in.
pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(show::overview))
        .route("/campaigns/{number}", get(show::campaign))
        .route("/campaigns/{number}/plan", get(parts::plan))
        .route("/campaigns/{number}/forecast", get(parts::forecast))
        .route("/campaigns/{number}/pause", post(act::pause))
        .route("/campaigns/{number}/resume", post(act::resume))
        .route("/campaigns/{number}/approve", post(act::approve))
        .route("/contacts", get(show::contacts).post(act::find))
        .route("/contacts/{employee_id}", get(show::contact))
        .route("/contacts/{employee_id}/verdicts", get(parts::verdicts))
        .route("/contacts/{employee_id}/suppress", post(act::suppress))
        .route("/replies", get(show::replies))
        .route("/replies/{id}", post(act::correct))
        .route("/doubts", get(show::doubts))
        .route("/doubts/{key}", post(act::resolve))
        .route("/providers", get(show::providers))
        .route("/mailboxes/{name}/resume", post(act::resume_mailbox))
        .route("/files", get(show::files))
        .route("/events", get(show::events))
        .route("/sign-out", post(sign::leave))
}

/// Pages before somebody has signed in, and what pages are dressed with.
pub(super) fn open_router() -> Router<Arc<Shared>> {
    Router::new()
        .merge(sign::router())
        .route(
            "/assets/app.css",
            get(async || asset("text/css; charset=utf-8", include_str!("../assets/app.css"))),
        )
        .route(
            "/assets/app.js",
            get(async || asset("text/javascript; charset=utf-8", include_str!("../assets/app.js"))),
        )
        .route("/assets/icon.svg", get(async || asset("image/svg+xml", include_str!("../assets/icon.svg"))))
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([("content-type", kind), ("cache-control", "public, max-age=300")], text).into_response()
}

/// A template as an answer.
fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::warn!(%error, "a page could not be made");
            (StatusCode::INTERNAL_SERVER_ERROR, "this page could not be made\n").into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "fault.html", config = ".askama.toml")]
struct FaultPage<'a> {
    frame: Frame,
    words: &'a str,
}

/// A page that says why there is none.
pub(super) fn fault(status: StatusCode, words: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("No answer");
    (status, page(&FaultPage { frame: Frame::outside(title), words })).into_response()
}
