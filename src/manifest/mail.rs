//! Mailboxes, and the provider that sends through them: raw -> model.

use std::collections::BTreeMap;
use std::time::Duration;

use super::diagnostic::suggestion;
use super::finding::Findings;
use super::project::{bounded, endpoint, folder, secret};
use super::raw::{RawDkim, RawImap, RawMailbox, RawReplies, RawServer, RawSmtp, RawUnsubscribe};
use super::yaml::child;
use super::{campaign, names, timing};
use crate::model::token::TOKEN_LENGTH;
use crate::model::{
    Defaults, Dkim, ImapSettings, MailServer, MailTls, Mailbox, ProviderKind, ReplySettings, SenderLimits,
    SmtpSettings, Span, Unsubscribe, is_address, normalize_address,
};

/// Letters of a local part that are left beside a token: `LOCAL+b-TOKEN`.
const LOCAL: usize = 64 - TOKEN_LENGTH - "+b-".len();

/// Every mailbox that can be read; the others are reported.
pub(super) fn mailboxes(
    findings: &mut Findings<'_>,
    raw: &BTreeMap<String, RawMailbox>,
    defaults: &Defaults,
) -> BTreeMap<String, Mailbox> {
    raw.iter()
        .filter_map(|(name, raw)| {
            let pointer = child("/mailboxes", name);
            if !names::is_name(name) {
                findings
                    .error_at_key(&pointer, "bad-name", format!("`{name}` is not a name"))
                    .advise("use lower-case letters, digits and single hyphens, at most 64");
            }
            Some((name.clone(), mailbox(findings, &pointer, name, raw, defaults)?))
        })
        .collect()
}

/// How answers are taken.
pub(super) fn replies(findings: &mut Findings<'_>, raw: &RawReplies) -> ReplySettings {
    const YEAR: u64 = 366 * 86_400;
    let or = ReplySettings::default();
    let mut span = |key: &str, text: &Option<String>, default: Duration| {
        bounded(findings, &child("/replies", key), text.as_ref(), 3600, YEAR)
            .map_or(default, Span::approximate)
    };
    ReplySettings {
        within: span("within", &raw.within, or.within),
        away: span("away", &raw.away, or.away),
        soft_bounces: raw.soft_bounces.unwrap_or(or.soft_bounces),
    }
}

fn mailbox(
    findings: &mut Findings<'_>,
    pointer: &str,
    name: &str,
    raw: &RawMailbox,
    defaults: &Defaults,
) -> Option<Mailbox> {
    let at = |key: &str| child(pointer, key);
    let address = raw.address.as_deref().and_then(|text| address(findings, &at("address"), text));
    if raw.smtp.is_none() && raw.imap.is_none() {
        findings
            .error_at_key(pointer, "missing-key", format!("the mailbox `{name}` neither sends nor reads"))
            .advise("give it `smtp` to send through, `imap` to read answers, or both");
    }
    if raw.name.as_ref().is_some_and(|name| name.chars().any(char::is_control)) {
        findings
            .error(&at("name"), "bad-value", "a name has no line breaks or control characters")
            .advise("write it on one line");
    }
    let smtp = raw.smtp.as_ref().map(|raw| server(findings, &at("smtp"), raw, (465, 587)));
    let imap = raw.imap.as_ref().map(|raw| imap(findings, &at("imap"), raw));
    let ramp = raw.ramp.as_ref().and_then(|ramp| campaign::ramp(findings, &at("ramp"), ramp, raw.per_day));
    let gap = bounded(findings, &at("gap"), raw.gap.as_ref(), 0, 86_400);
    let zone = raw.timezone.as_deref().and_then(|name| timing::timezone(findings, &at("timezone"), name));
    Some(Mailbox {
        name: name.to_owned(),
        address: address?,
        display_name: raw.name.clone(),
        smtp: smtp.map_or(Some(None), |server| server.map(Some))?,
        imap: imap.map_or(Some(None), |imap| imap.map(Some))?,
        limits: SenderLimits {
            per_day: raw.per_day,
            ramp,
            gap: gap.map_or(Duration::ZERO, Span::approximate),
        },
        timezone: zone.unwrap_or(defaults.timezone),
    })
}

/// An address, in the form in which addresses are compared.
pub(super) fn address(findings: &mut Findings<'_>, pointer: &str, text: &str) -> Option<String> {
    let address = normalize_address(text);
    if is_address(&address) {
        return Some(address);
    }
    findings
        .error(pointer, "bad-value", "this is not a mail address")
        .advise("write it alone, such as `alice@example.com`; a name goes into `name`");
    None
}

fn server(
    findings: &mut Findings<'_>,
    pointer: &str,
    raw: &RawServer,
    (implicit, starttls): (u16, u16),
) -> Option<MailServer> {
    let at = |key: &str| child(pointer, key);
    let tls = raw.tls.unwrap_or(MailTls::Implicit);
    let host = raw.host.clone()?;
    let loopback =
        host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    if tls == MailTls::None && !loopback {
        findings
            .error(&at("tls"), "contradiction", "mails and the password would travel in the clear")
            .advise("use `implicit` or `starttls`; `none` is for this machine only (localhost, 127.0.0.1)");
    }
    let password = raw.password.as_deref().and_then(|text| secret(findings, &at("password"), text));
    if raw.user.is_some() != raw.password.is_some() {
        let (has, lacks) = if raw.user.is_some() { ("user", "password") } else { ("password", "user") };
        findings
            .error_at_key(pointer, "missing-key", format!("`{has}` stands here without `{lacks}`"))
            .advise("give both, or neither where nobody has to log in");
    }
    Some(MailServer {
        host,
        port: raw.port.unwrap_or(if tls == MailTls::Implicit { implicit } else { starttls }),
        tls,
        user: raw.user.clone(),
        password,
        ca: raw.ca.as_deref().map_or(Some(None), |text| folder(findings, &at("ca"), text).map(Some))?,
    })
}

fn imap(findings: &mut Findings<'_>, pointer: &str, raw: &RawImap) -> Option<ImapSettings> {
    let RawImap { host, port, tls, user, password, ca, .. } = raw;
    let (host, user, password, ca) = (host.clone(), user.clone(), password.clone(), ca.clone());
    let raw_server = RawServer { host, port: *port, tls: *tls, user, password, ca };
    let server = server(findings, pointer, &raw_server, (993, 143));
    let poll_every = bounded(findings, &child(pointer, "poll_every"), raw.poll_every.as_ref(), 1, 3600);
    let stale_after = bounded(findings, &child(pointer, "stale_after"), raw.stale_after.as_ref(), 1, 86_400);
    let append_sent = raw.append_sent.unwrap_or(false);
    if append_sent && raw.sent.is_none() {
        findings
            .error(&child(pointer, "append_sent"), "missing-key", "there is no folder to put sent mails into")
            .advise("name it: `sent: Sent`");
    }
    Some(ImapSettings {
        server: server?,
        folders: raw.folders.clone().unwrap_or_else(|| vec!["INBOX".to_owned()]),
        sent: raw.sent.clone(),
        append_sent,
        poll_every: poll_every.map_or(Duration::from_mins(1), Span::approximate),
        stale_after: stale_after.map_or(Duration::from_mins(15), Span::approximate),
    })
}

/// The mailbox of that name, if it has a server to send through.
pub(super) fn sender<'m>(
    findings: &mut Findings<'_>,
    pointer: &str,
    name: &str,
    mailboxes: &'m BTreeMap<String, Mailbox>,
    declared: &BTreeMap<String, RawMailbox>,
) -> Option<&'m Mailbox> {
    match mailboxes.get(name) {
        Some(mailbox) if mailbox.smtp.is_some() => return Some(mailbox),
        Some(_) => {
            findings
                .error(pointer, "missing-key", format!("the mailbox `{name}` has no server to send through"))
                .advise("give it `smtp: { host: ..., user: ..., password: ... }`");
        }
        // One that is declared and at fault has been reported where it stands.
        None if declared.contains_key(name) => {}
        None => {
            let known = declared.keys().map(String::as_str);
            findings.error(pointer, "unknown-mailbox", format!("there is no mailbox `{name}`")).advise_some(
                suggestion(name, known)
                    .or_else(|| Some("declare it under `mailboxes` in outreach.yaml".to_owned())),
            );
        }
    }
    None
}

/// The provider that sends through `mailboxes`.
pub(super) fn smtp(
    findings: &mut Findings<'_>,
    pointer: &str,
    raw: &RawSmtp,
    mailboxes: &BTreeMap<String, Mailbox>,
    declared: &BTreeMap<String, RawMailbox>,
) -> Option<ProviderKind> {
    let at = |key: &str| child(pointer, key);
    let mut senders: Vec<Mailbox> = Vec::new();
    for (index, name) in raw.senders.iter().enumerate() {
        let place = format!("{}/{index}", at("senders"));
        if senders.iter().any(|sender| sender.name == *name) {
            findings.error(&place, "duplicate", format!("`{name}` is named twice")).advise("name it once");
        } else {
            senders.extend(sender(findings, &place, name, mailboxes, declared).cloned());
        }
    }
    let timeout = bounded(findings, &at("timeout"), raw.timeout.as_ref(), 1, 600);
    let key = raw.key.as_deref().and_then(|text| secret(findings, &at("key"), text));
    let previous_keys = raw
        .previous_keys
        .iter()
        .enumerate()
        .filter_map(|(index, text)| secret(findings, &format!("{}/{index}", at("previous_keys")), text))
        .collect();
    let tagged = |findings: &mut Findings<'_>, pointer: &str, text: &str| {
        let address = address(findings, pointer, text)?;
        if address.find('@').is_some_and(|at| at <= LOCAL) {
            return Some(address);
        }
        findings
            .error(
                pointer,
                "too-long",
                "a token is added to the part before the `@`, which has 64 letters at most",
            )
            .advise(format!("use one of {LOCAL} letters or fewer, such as `bounce@...`"));
        None
    };
    let bounces = raw.bounces.as_deref().and_then(|text| tagged(findings, &at("bounces"), text));
    if raw.bounces.is_none() {
        for sender in senders.iter().filter(|sender| sender.address.find('@').is_none_or(|at| at > LOCAL)) {
            findings
                .error_at_key(
                    pointer,
                    "missing-key",
                    format!(
                        "no return path can be made from the address of `{}`: it is too long",
                        sender.name
                    ),
                )
                .advise("name an address for them: `bounces: bounce@example.com`");
        }
    }
    let unsubscribe = raw.unsubscribe.as_ref().and_then(|raw| {
        let RawUnsubscribe { url, mailto } = raw;
        let pointer = at("unsubscribe");
        if url.is_none() && mailto.is_none() {
            findings
                .error(&pointer, "missing-key", "nothing says how to unsubscribe")
                .advise("give a `url`, a `mailto`, or both");
            return None;
        }
        Some(Unsubscribe {
            url: url.as_deref().and_then(|text| endpoint(findings, &child(&pointer, "url"), text)),
            mailto: mailto.as_deref().and_then(|text| tagged(findings, &child(&pointer, "mailto"), text)),
        })
    });
    if raw.unsubscribe.is_none() {
        findings
            .warning(pointer, "no-unsubscribe", "mails will not say how to stop them")
            .advise("large mail services ask for it: `unsubscribe: { url: https://..., mailto: ... }`");
    }
    let dkim = raw.dkim.as_ref().and_then(|RawDkim { domain, selector, key }| {
        let key = key.as_deref().and_then(|text| secret(findings, &child(&at("dkim"), "key"), text));
        Some(Dkim { domain: domain.clone()?, selector: selector.clone()?, key: key? })
    });
    Some(ProviderKind::Smtp(Box::new(SmtpSettings {
        senders,
        key: key?,
        previous_keys,
        bounces,
        unsubscribe,
        dkim,
        auto_submitted: raw.auto_submitted.unwrap_or(false),
        timeout: timeout.map_or(Duration::from_mins(1), Span::approximate),
    })))
}
