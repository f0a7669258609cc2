//! `outreach.yaml` -> [`Project`].

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use url::{Host, Url};

use super::diagnostic::suggestion;
use super::finding::Findings;
use super::raw::{
    RawDaemon, RawDatabase, RawFile, RawMailbox, RawProject, RawSmartlead, RawSmtp, RawWebhook,
};
use super::yaml::child;
use super::{campaign, drafting, enrichment, http, mail, names, notify, shape, timing};
use crate::model::{
    DaemonSettings, DatabaseSettings, Defaults, Mailbox, Project, ProviderKind, ProviderSettings, SecretRef,
    Span,
};

const KINDS: [&str; 4] = ["file", "webhook", "smartlead", "smtp"];
/// Where Smartlead answers.
const SMARTLEAD: &str = "https://server.smartlead.ai/api/v1";

/// The project as far as it can be read; what cannot is reported and left at its default.
pub(super) fn check(findings: &mut Findings<'_>, raw: RawProject) -> Project {
    let mut project = Project::default();
    if let Some(database) = raw.database {
        project.database = self::database(findings, &database);
    }
    if let Some(raw) = raw.defaults {
        let zone = raw.timezone.as_deref();
        let timezone = zone.and_then(|name| timing::timezone(findings, "/defaults/timezone", name));
        project.defaults = Defaults {
            timezone: timezone.unwrap_or(project.defaults.timezone),
            cooldown: findings.optional_span("/defaults/cooldown", raw.cooldown.as_ref()),
            company_cap: raw.company_cap,
            safety: campaign::safety(raw.safety, project.defaults.safety),
        };
    }
    if let Some(lease) = bounded(findings, "/lease", raw.lease.as_ref(), 1, 3600) {
        project.lease = lease.approximate();
    }
    if let Some(raw) = raw.daemon {
        project.daemon = daemon(findings, &raw);
    }
    project.enrichment = raw.enrichment.and_then(|raw| enrichment::check(findings, &raw));
    project.drafting = raw.drafting.and_then(|raw| drafting::check(findings, &raw));
    project.http = raw.http.and_then(|raw| http::check(findings, &raw));
    project.mailboxes = mail::mailboxes(findings, &raw.mailboxes, &project.defaults);
    let told = raw.notify.as_deref().unwrap_or_default();
    project.notify = notify::check(findings, told, &project.mailboxes, &raw.mailboxes);
    if let Some(raw) = &raw.replies {
        project.replies = mail::replies(findings, raw);
    }
    for (name, value) in &raw.providers {
        let pointer = child("/providers", name);
        if let Some(settings) = provider(findings, &pointer, name, value, &project.mailboxes, &raw.mailboxes)
        {
            project.providers.insert(name.clone(), settings);
        }
    }
    project
}

fn database(findings: &mut Findings<'_>, raw: &RawDatabase) -> DatabaseSettings {
    DatabaseSettings {
        url: raw.url.as_ref().and_then(|text| secret(findings, "/database/url", text)),
        statement_timeout: bounded(
            findings,
            "/database/statement_timeout",
            raw.statement_timeout.as_ref(),
            1,
            3600,
        ),
    }
}

fn daemon(findings: &mut Findings<'_>, raw: &RawDaemon) -> DaemonSettings {
    let or = DaemonSettings::default();
    let mut span = |key: &str, text: &Option<String>, most: u64, default: Duration| {
        bounded(findings, &child("/daemon", key), text.as_ref(), 1, most).map_or(default, Span::approximate)
    };
    DaemonSettings {
        campaigns_at_once: raw.campaigns_at_once.unwrap_or(or.campaigns_at_once),
        look_every: span("look_every", &raw.look_every, 3600, or.look_every),
        full_look_every: span("full_look_every", &raw.full_look_every, 86_400, or.full_look_every),
        poll_files_every: span("poll_files_every", &raw.poll_files_every, 3600, or.poll_files_every),
        stop_within: span("stop_within", &raw.stop_within, 3600, or.stop_within),
    }
}

/// A reference; a literal is refused and never repeated.
pub(super) fn secret(findings: &mut Findings<'_>, pointer: &str, text: &str) -> Option<SecretRef> {
    let reference = SecretRef::parse(text);
    if reference.is_none() {
        findings.error(pointer, "literal-secret", "a secret never stands in a file").advise(
            "write a reference, `${NAME}` or `file:/run/secrets/x`, and replace the secret: it was in git",
        );
    }
    reference
}

/// A length of time between two bounds, in seconds.
pub(super) fn bounded(
    findings: &mut Findings<'_>,
    pointer: &str,
    text: Option<&String>,
    least: u64,
    most: u64,
) -> Option<Span> {
    let span = findings.optional_span(pointer, text)?;
    if (least..=most).contains(&span.approximate().as_secs()) {
        return Some(span);
    }
    findings
        .error(pointer, "out-of-range", format!("`{span}` is out of range"))
        .advise(format!("write {least}s to {most}s"));
    None
}

fn provider(
    findings: &mut Findings<'_>,
    pointer: &str,
    name: &str,
    value: &Value,
    mailboxes: &BTreeMap<String, Mailbox>,
    declared: &BTreeMap<String, RawMailbox>,
) -> Option<ProviderSettings> {
    if !names::is_name(name) {
        findings
            .error_at_key(pointer, "bad-name", format!("`{name}` is not a name"))
            .advise("use lower-case letters, digits and single hyphens, at most 64");
    }
    let kind = match value.get("kind") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(_) => {
            findings
                .error(&child(pointer, "kind"), "wrong-type", "`kind` takes text")
                .advise_some(suggestion("", KINDS));
            return None;
        }
        None => {
            findings
                .error_at_key(pointer, "missing-key", format!("the provider `{name}` has no `kind`"))
                .advise_some(suggestion("", KINDS));
            return None;
        }
    };
    let (kind, batch, per_minute) = match kind {
        "file" => {
            let raw: RawFile = shape::FILE.read(findings, pointer, value);
            let dir = raw.dir.as_deref().unwrap_or("outbox");
            (
                ProviderKind::File { dir: folder(findings, &child(pointer, "dir"), dir)? },
                raw.batch.unwrap_or(2000),
                None,
            )
        }
        "webhook" => {
            let raw: RawWebhook = shape::WEBHOOK.read(findings, pointer, value);
            let batch = raw.batch.unwrap_or(100);
            (webhook(findings, pointer, &raw)?, batch, raw.per_minute)
        }
        "smartlead" => {
            let raw: RawSmartlead = shape::SMARTLEAD.read(findings, pointer, value);
            let batch = raw.batch.unwrap_or(100);
            (smartlead(findings, pointer, &raw)?, batch, None)
        }
        "smtp" => {
            let raw: RawSmtp = shape::SMTP.read(findings, pointer, value);
            // One mail, one conversation: what a stop forbids is asked before each.
            (mail::smtp(findings, pointer, &raw, mailboxes, declared)?, 1, None)
        }
        other => {
            findings
                .error(
                    &child(pointer, "kind"),
                    "unknown-kind",
                    format!("there is no provider kind `{other}`"),
                )
                .advise_some(suggestion(other, KINDS));
            return None;
        }
    };
    Some(ProviderSettings { name: name.to_owned(), kind, batch, per_minute })
}

/// A folder below the project's: a manifest must not write elsewhere on the machine.
pub(super) fn folder(findings: &mut Findings<'_>, pointer: &str, text: &str) -> Option<PathBuf> {
    let path = Path::new(text);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if text.is_empty() || !inside {
        findings
            .error(pointer, "bad-value", format!("`{text}` is not below the project folder"))
            .advise("write a relative path without `..`, such as `outbox`");
        return None;
    }
    Some(path.to_owned())
}

fn webhook(findings: &mut Findings<'_>, pointer: &str, raw: &RawWebhook) -> Option<ProviderKind> {
    let timeout = bounded(findings, &child(pointer, "timeout"), raw.timeout.as_ref(), 1, 300);
    let url = raw.url.as_deref().and_then(|text| endpoint(findings, &child(pointer, "url"), text));
    let secret = raw.secret.as_deref().and_then(|text| secret(findings, &child(pointer, "secret"), text));
    let (idempotent, look_up) = (raw.idempotent.unwrap_or(true), raw.look_up.unwrap_or(false));
    if !idempotent && !look_up {
        findings
            .warning(pointer, "in-doubt", "after a failed call nothing can tell whether items arrived")
            .advise("let the receiver dedupe by key or answer `GET ?key=` (`look_up: true`); else each waits for a person");
    }
    Some(ProviderKind::Webhook {
        url: url?,
        secret: secret?,
        idempotent,
        look_up,
        timeout: timeout.map_or(Duration::from_secs(30), Span::approximate),
    })
}

fn smartlead(findings: &mut Findings<'_>, pointer: &str, raw: &RawSmartlead) -> Option<ProviderKind> {
    let timeout = bounded(findings, &child(pointer, "timeout"), raw.timeout.as_ref(), 1, 300);
    let listen_every =
        bounded(findings, &child(pointer, "listen_every"), raw.listen_every.as_ref(), 10, 86_400);
    let url = raw.url.as_deref().unwrap_or(SMARTLEAD);
    let url = endpoint(findings, &child(pointer, "url"), url);
    let key = raw.key.as_deref().and_then(|text| secret(findings, &child(pointer, "key"), text));
    let signed = raw.webhook_secret.as_deref();
    let webhook_secret = signed.map(|text| secret(findings, &child(pointer, "webhook_secret"), text));
    let told = raw.webhook_url.as_deref();
    let webhook_url = told.map(|text| public_endpoint(findings, &child(pointer, "webhook_url"), text));
    if told.is_some() && signed.is_none() {
        findings
            .error(
                &child(pointer, "webhook_url"),
                "missing-key",
                "what comes there would be refused: it is not verified",
            )
            .advise("declare `webhook_secret`, what Smartlead signs with");
    }
    Some(ProviderKind::Smartlead {
        url: url?,
        key: key?,
        per_minute: raw.per_minute.unwrap_or(50),
        timeout: timeout.map_or(Duration::from_secs(30), Span::approximate),
        other_campaigns: raw.other_campaigns.unwrap_or_default(),
        listen_every: listen_every.map_or(Duration::from_mins(5), Span::approximate),
        webhook_secret: webhook_secret.flatten(),
        webhook_url: webhook_url.flatten(),
    })
}

/// As an endpoint, and shown in plans.
fn public_endpoint(findings: &mut Findings<'_>, pointer: &str, text: &str) -> Option<String> {
    if SecretRef::parse(text).is_some() {
        findings
            .error(pointer, "bad-url", "a reference hides what plans show")
            .advise("write the address out: it is no secret, what comes there is verified");
        return None;
    }
    endpoint(findings, pointer, text)
}

/// `https://`, or `http://` on this machine, or a reference that is checked when it is used.
pub(super) fn endpoint(findings: &mut Findings<'_>, pointer: &str, text: &str) -> Option<String> {
    if matches!(SecretRef::parse(text), Some(SecretRef::Env(_))) {
        return Some(text.to_owned());
    }
    let Ok(url) = Url::parse(text) else {
        findings
            .error(pointer, "bad-url", "this is not a URL")
            .advise("write https://host/path, or a reference: `${NAME}`");
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() {
        findings.error(pointer, "literal-secret", "the URL carries a user name or password").advise(
            "calls are signed with `secret`; if the URL itself is secret, write a reference: `${NAME}`",
        );
        return None;
    }
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "https" || url.scheme() == "http" && loopback {
        return Some(text.to_owned());
    }
    findings
        .error(pointer, "bad-url", "contacts would travel in the clear")
        .advise("use https; http is for this machine only (localhost, 127.0.0.1)");
    None
}
