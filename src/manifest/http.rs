//! `http` -> [`HttpSettings`].

use std::net::SocketAddr;

use super::finding::Findings;
use super::raw::{RawHttp, RawToken};
use crate::model::{AccessToken, HttpSettings, PublicSettings};

const LISTEN: &str = "127.0.0.1:8466";
const PER_MINUTE: u32 = 120;
/// A name of the event log.
const NAME: usize = 64;

/// The settings as far as they can be read. An operators' side that strangers could walk into is an error.
pub(super) fn check(findings: &mut Findings<'_>, raw: &RawHttp) -> Option<HttpSettings> {
    let listen = address(findings, "/http/listen", raw.listen.as_deref().unwrap_or(LISTEN));
    let declared = raw.tokens.as_deref().unwrap_or_default();
    let mut tokens: Vec<AccessToken> = Vec::new();
    for (index, raw) in declared.iter().enumerate() {
        let pointer = format!("/http/tokens/{index}");
        let Some(token) = token(findings, &pointer, raw) else { continue };
        if tokens.iter().any(|other| other.name == token.name) {
            findings
                .error(
                    &format!("{pointer}/name"),
                    "repeated-name",
                    format!("`{}` stands here twice", token.name),
                )
                .advise("the event log tells people apart by it");
        }
        tokens.push(token);
    }
    if let Some(listen) = listen.filter(|listen| !listen.ip().is_loopback())
        && declared.is_empty()
    {
        findings
            .error("/http/listen", "open-door", format!("`{listen}` is open to strangers, and there is no token"))
            .advise(
                "add `tokens:` (`outreachd token` makes one), or listen on 127.0.0.1; webhooks and unsubscribe \
                 links alone go on `public:`",
            );
    }
    let hosts = raw.hosts.iter().flatten().enumerate();
    let hosts = hosts.filter_map(|(index, name)| host(findings, index, name)).collect();
    let public = raw.public.as_ref().and_then(|raw| {
        Some(PublicSettings {
            listen: address(findings, "/http/public/listen", raw.listen.as_deref()?)?,
            per_minute: raw.per_minute.unwrap_or(PER_MINUTE),
        })
    });
    if let (Some(listen), Some(public)) = (listen, &public)
        && listen == public.listen
    {
        findings
            .error("/http/public/listen", "bad-value", "this is where the operators' side listens")
            .advise("two sides, two ports: only then can one be exposed alone");
    }
    Some(HttpSettings { listen: listen?, hosts, tokens, public })
}

fn address(findings: &mut Findings<'_>, pointer: &str, text: &str) -> Option<SocketAddr> {
    let address = text.parse().ok();
    if address.is_none() {
        findings
            .error(pointer, "bad-value", format!("`{text}` is not an address and a port"))
            .advise(format!("write numbers, such as `{LISTEN}` or `[::1]:8466`"));
    }
    address
}

fn host(findings: &mut Findings<'_>, index: usize, name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let fits = !name.is_empty()
        && name.len() <= 253
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
    if fits {
        return Some(name);
    }
    findings
        .error(&format!("/http/hosts/{index}"), "bad-value", "this is not a host name")
        .advise("write the name alone, such as `outreach.example.com`: no scheme, no port");
    None
}

fn token(findings: &mut Findings<'_>, pointer: &str, raw: &RawToken) -> Option<AccessToken> {
    let name = raw.name.as_deref()?.trim();
    if name.is_empty() || name.chars().count() > NAME || name.chars().any(char::is_control) {
        findings
            .error(&format!("{pointer}/name"), "bad-name", "this is not a name")
            .advise("write who it is, in at most 64 letters");
        return None;
    }
    let mut digest = [0; 32];
    if hex::decode_to_slice(raw.sha256.as_deref()?, &mut digest).is_err() {
        findings
            .error(&format!("{pointer}/sha256"), "literal-secret", "this is not a SHA-256 in hexadecimal")
            .advise("never write the token itself: `outreachd token` prints both; make a new one if it was in git");
        return None;
    }
    Some(AccessToken { name: name.to_owned(), role: raw.role?, digest })
}
