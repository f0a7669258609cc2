//! Who comes in, and what it may do. Never logs a token, never says which part of one was wrong.
//!
//! A page of somebody else's must not act through an operator's browser: names that are not ours are turned
//! away (DNS rebinding), deeds must come from our own pages (`Origin`, `Sec-Fetch-Site`), forms carry what only
//! our pages can know, and JSON is taken as JSON only, which browsers ask leave for.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Shared;
use super::fault::Fault;
use crate::model::{AccessToken, HttpSettings, Role};

/// Holds the token of a browser that has signed in.
pub(super) const TOKEN_COOKIE: &str = "outreachd";
/// Holds what forms repeat.
pub(super) const FORM_COOKIE: &str = "outreachd_form";
/// A token is 43 letters; longer ones are nobody's.
const LONGEST_TOKEN: usize = 256;

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Visitor {
    /// Stands in the event log.
    pub name: String,
    pub role: Role,
    /// There is a token to forget.
    pub signed_in: bool,
    /// What its forms must carry.
    pub form_key: String,
}

impl Visitor {
    pub(super) const fn may_operate(&self) -> bool {
        matches!(self.role, Role::Operate)
    }
}

/// Asking a provider costs calls of its budget: for those who may act, from our own pages.
pub(super) fn may_look(visitor: &Visitor, headers: &HeaderMap) -> Result<(), Fault> {
    if !visitor.may_operate() {
        return Err(Fault::Forbidden("this token may only look here, and not ask the provider"));
    }
    if !is_from_our_pages(headers) {
        return Err(Fault::Forbidden("this did not come from a page of ours: open it from the campaign"));
    }
    Ok(())
}

/// The one whose token this is. Every token is compared, whichever fits.
pub(super) fn holder<'t>(tokens: &'t [AccessToken], token: &str) -> Option<&'t AccessToken> {
    if token.is_empty() || token.len() > LONGEST_TOKEN {
        return None;
    }
    let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let mut found = None;
    for known in tokens {
        if bool::from(known.digest.ct_eq(&digest)) {
            found = Some(known);
        }
    }
    found
}

pub(super) fn same(a: &str, b: &str) -> bool {
    bool::from(a.as_bytes().ct_eq(b.as_bytes()))
}

/// Middleware before everything but health, assets and what strangers may reach.
pub(super) async fn guard(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let declared = shared.files.declared().await;
    let settings = declared.manifest.project.http.as_ref();
    let tokens = settings.map_or(&[][..], |settings| settings.tokens.as_slice());
    let headers = request.headers();
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .and_then(|token| holder(tokens, token.trim()));
    // Whoever shows a token in a header is no page of somebody else's.
    if bearer.is_none() && !is_ours(headers, settings) {
        let message = "this name is not one of ours: add it to `http.hosts` in outreach.yaml\n";
        return (StatusCode::MISDIRECTED_REQUEST, message).into_response();
    }
    let path = request.uri().path().to_owned();
    let is_page = !path.starts_with("/api/") && path != "/metrics" && path != "/live";
    let signed = cookie(headers, TOKEN_COOKIE).and_then(|token| holder(tokens, &token));
    let (known, new_key) = match cookie(headers, FORM_COOKIE) {
        Some(key) if key.len() == 32 => (key, None),
        _ => {
            let key = uuid::Uuid::new_v4().simple().to_string();
            (key.clone(), Some(key))
        }
    };
    let visitor = match bearer.or(signed) {
        Some(token) => Visitor {
            name: token.name.clone(),
            role: token.role,
            signed_in: bearer.is_none(),
            form_key: known,
        },
        // Without tokens only this machine's own can ask: see `manifest::http`.
        None if tokens.is_empty() => Visitor {
            name: "this machine".to_owned(),
            role: Role::Operate,
            signed_in: false,
            form_key: known,
        },
        None if is_page && request.method() == Method::GET => {
            return Redirect::to("/sign-in").into_response();
        }
        None => {
            let challenge = [("www-authenticate", "Bearer realm=\"outreachd\"")];
            return (StatusCode::UNAUTHORIZED, challenge, "a token is needed\n").into_response();
        }
    };
    if is_deed(request.method()) {
        if !visitor.may_operate() && !is_for_all(&path) {
            return (StatusCode::FORBIDDEN, "this token may only look\n").into_response();
        }
        if bearer.is_none() && !is_from_our_pages(headers) {
            return (StatusCode::FORBIDDEN, "this did not come from a page of ours\n").into_response();
        }
        if !is_page && !is_json(headers) {
            return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/json\n").into_response();
        }
    }
    request.extensions_mut().insert(visitor);
    let mut response = next.run(request).await;
    if is_page && let Some(key) = new_key {
        set_cookie(&mut response, &format!("{FORM_COOKIE}={key}; Path=/; HttpOnly; SameSite=Strict"));
    }
    response
}

fn is_deed(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whoever may look may also leave, and look for a contact: a question, in a body so that no URL holds an address.
fn is_for_all(path: &str) -> bool {
    matches!(path, "/sign-out" | "/contacts" | "/api/v1/contacts/find")
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// The name alone: `[::1]:8466` is `::1`.
fn host_name(value: &str) -> &str {
    if let Some(rest) = value.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    value.split(':').next().unwrap_or_default()
}

/// Asked for under a name of ours, or under an address: a name of somebody else's that leads here is a trick.
fn is_ours(headers: &HeaderMap, settings: Option<&HttpSettings>) -> bool {
    let Some(host) = headers.get(HOST).and_then(|value| value.to_str().ok()) else { return false };
    let name = host_name(host).to_ascii_lowercase();
    name == "localhost"
        || name.parse::<IpAddr>().is_ok()
        || settings.is_some_and(|settings| settings.hosts.contains(&name))
}

/// As the browser says: both headers cannot be set by a page. Programs without a browser send neither.
pub(super) fn is_from_our_pages(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return false;
    }
    match (text(ORIGIN.as_str()), text(HOST.as_str())) {
        (None, _) => true,
        (Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, place)| place.eq_ignore_ascii_case(host))
        }
        (Some(_), None) => false,
    }
}

/// The value of a cookie.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

pub(super) fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append("set-cookie", value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, secret: &str) -> AccessToken {
        AccessToken { name: name.to_owned(), role: Role::View, digest: Sha256::digest(secret).into() }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_token_is_its_holders_and_nobody_elses() {
        let tokens = [token("anna", "secret-a"), token("boris", "secret-b")];
        assert_eq!(holder(&tokens, "secret-b").unwrap().name, "boris");
        for wrong in ["", "secret-c", "secret-", "secret-bb", &"x".repeat(10_000)] {
            assert_eq!(holder(&tokens, wrong), None, "{wrong}");
        }
        assert_eq!(holder(&[], ""), None);
    }

    #[test]
    fn names_of_others_are_turned_away() {
        let settings = HttpSettings {
            listen: "127.0.0.1:1".parse().unwrap(),
            hosts: vec!["out.example.com".to_owned()],
            tokens: Vec::new(),
            public: None,
        };
        for ours in ["localhost:8466", "127.0.0.1:8466", "[::1]:8466", "Out.Example.Com", "10.0.0.7"] {
            assert!(is_ours(&headers(&[("host", ours)]), Some(&settings)), "{ours}");
        }
        for others in ["evil.example", "localhost.evil.example:8466", "127.0.0.1.evil.example", ""] {
            assert!(!is_ours(&headers(&[("host", others)]), Some(&settings)), "{others}");
        }
        assert!(!is_ours(&HeaderMap::new(), None));
    }

    #[test]
    fn deeds_come_from_our_pages() {
        let from = |pairs: &[(&'static str, &str)]| is_from_our_pages(&headers(pairs));
        assert!(from(&[("host", "a:1")]));
        assert!(from(&[("host", "a:1"), ("origin", "http://a:1"), ("sec-fetch-site", "same-origin")]));
        assert!(!from(&[("host", "a:1"), ("origin", "http://evil.example")]));
        assert!(!from(&[("host", "a:1"), ("origin", "null")]));
        assert!(!from(&[("host", "a:1"), ("origin", "http://a:2")]));
        assert!(!from(&[("host", "a:1"), ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn cookies_are_found_among_others() {
        let sent = headers(&[("cookie", "a=1; outreachd=x=y; b=2")]);
        assert_eq!(cookie(&sent, TOKEN_COOKIE).as_deref(), Some("x=y"));
        assert_eq!(cookie(&sent, "c"), None);
    }
}
