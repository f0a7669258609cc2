//! Signing in with a token, and out. The token goes into a cookie that no script reads and no other site sends.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;

use super::{Frame, PAGES, page};
use crate::web::Shared;
use crate::web::access::{TOKEN_COOKIE, holder, is_from_our_pages, set_cookie};
use crate::web::limit::{Limiter, hold};

/// Nobody guesses a token; nobody needs to try.
const PER_MINUTE: u32 = 40;

#[derive(Template)]
#[template(path = "sign_in.html", config = ".askama.toml")]
struct SignIn {
    frame: Frame,
    wrong: bool,
}

pub(super) fn router() -> Router<Arc<Shared>> {
    let limiter = Arc::new(Limiter::per_minute(PER_MINUTE));
    Router::new().route("/sign-in", get(form).post(enter)).layer(from_fn_with_state(limiter, hold))
}

async fn form() -> Response {
    page(&SignIn { frame: Frame::outside("Sign in"), wrong: false })
}

async fn enter(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_from_our_pages(&headers) {
        return (StatusCode::FORBIDDEN, "this did not come from a page of ours\n").into_response();
    }
    let fields: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let token = fields.get("token").map_or("", |token| token.trim());
    let declared = shared.files.declared().await;
    let tokens = declared.manifest.project.http.as_ref().map_or(&[][..], |http| http.tokens.as_slice());
    if holder(tokens, token).is_none() {
        let form = page(&SignIn { frame: Frame::outside("Sign in"), wrong: true });
        return (StatusCode::UNAUTHORIZED, form).into_response();
    }
    let mut answer = Redirect::to("/").into_response();
    // A proxy that speaks TLS says so; without one the connection is this machine's own.
    let secure =
        if headers.get("x-forwarded-proto").is_some_and(|value| value == "https") { "; Secure" } else { "" };
    set_cookie(&mut answer, &format!("{TOKEN_COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{secure}"));
    answer
}

pub(super) async fn leave() -> Response {
    let mut answer = Redirect::to("/sign-in").into_response();
    set_cookie(&mut answer, &format!("{TOKEN_COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"));
    answer
}
