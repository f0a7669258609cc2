//! A rendered mail as the bytes that travel: headers, text and HTML, signature.
//!
//! What goes out is ASCII unless an address is not, and no text can begin a header of its own.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox as From, MessageBuilder, MultiPart, SinglePart};
use lettre::{Address, Message};
use sha2::{Digest as _, Sha256};

use super::dkim::Signer;
use super::notice::Notice;
use crate::model::{Mailbox, SmtpSettings};
use crate::provider::Mail;

/// That a machine wrote it (RFC 3834): machines do not answer it.
const AUTO_SUBMITTED: (&str, &str) = ("Auto-Submitted", "auto-generated");

/// A mail that can be handed over.
pub(super) struct Composed {
    /// Where what cannot be delivered goes back to.
    pub(super) return_path: String,
    /// As the envelope has it.
    pub(super) to: String,
    pub(super) bytes: Vec<u8>,
}

/// Writes the mail, or says why it cannot be written.
pub(super) fn compose(
    settings: &SmtpSettings,
    signer: Option<&Signer>,
    sender: &Mailbox,
    mail: &Mail,
    to: &str,
    now: DateTime<Utc>,
) -> Result<Composed, String> {
    let own = on_the_wire(&sender.address);
    let to = on_the_wire(to);
    let base = settings.bounces.as_deref().map_or_else(|| own.clone(), on_the_wire);
    let return_path = tagged(&base, "b", &mail.return_token);
    let mut message = begun(sender, &to, &mail.subject, &mail.message_id, now)?;
    if let Some(last) = mail.thread.last() {
        let all: Vec<String> = mail.thread.iter().map(|text| id(text)).collect::<Result<_, _>>()?;
        message = message.in_reply_to(id(last)?).references(all.join(" "));
    }
    let mut add = |name: &'static str, value: String| {
        message = std::mem::take(&mut message).raw_header(header(name, value));
    };
    let ways = ways_to_stop(settings, &mail.unsubscribe_token);
    if !ways.is_empty() {
        add("List-Unsubscribe", ways.iter().map(|way| format!("<{way}>")).collect::<Vec<_>>().join(", "));
    }
    if ways.iter().any(|way| way.starts_with("https:")) {
        add("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned());
    }
    add("X-Outreachd-Token", mail.return_token.clone());
    if settings.auto_submitted {
        add(AUTO_SUBMITTED.0, AUTO_SUBMITTED.1.to_owned());
    }
    let text = SinglePart::plain(mail.text.clone());
    let written = match &mail.html {
        None => message.singlepart(text),
        Some(html) => message.multipart(
            MultiPart::alternative()
                .boundary(boundary(&mail.message_id))
                .singlepart(text)
                .singlepart(SinglePart::html(html.clone())),
        ),
    };
    Ok(Composed { return_path, to, bytes: signed(written, signer, now)? })
}

/// Writes a notice: a machine's word to whoever runs it, which answers nobody's mail and carries no token.
pub(super) fn compose_notice(
    signer: Option<&Signer>,
    sender: &Mailbox,
    notice: &Notice,
    now: DateTime<Utc>,
) -> Result<Composed, String> {
    let own = on_the_wire(&sender.address);
    let to = on_the_wire(&notice.to);
    let message = begun(sender, &to, &notice.subject, &super::message_id(sender, &notice.id), now)?
        .raw_header(header(AUTO_SUBMITTED.0, AUTO_SUBMITTED.1.to_owned()))
        .singlepart(SinglePart::plain(notice.text.clone()));
    Ok(Composed { bytes: signed(message, signer, now)?, return_path: own, to })
}

/// What every mail begins with.
fn begun(
    sender: &Mailbox,
    to: &str,
    subject: &str,
    message_id: &str,
    now: DateTime<Utc>,
) -> Result<MessageBuilder, String> {
    let name = sender.display_name.as_deref().map(one_line);
    Ok(Message::builder()
        .from(From::new(name, address(&on_the_wire(&sender.address))?))
        .to(From::new(None, address(to)?))
        .subject(one_line(subject))
        .date(SystemTime::from(now))
        .message_id(Some(id(message_id)?)))
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// The bytes of what was written, with a signature before them where there is somebody to sign.
fn signed(
    written: Result<Message, lettre::error::Error>,
    signer: Option<&Signer>,
    now: DateTime<Utc>,
) -> Result<Vec<u8>, String> {
    let mut bytes = written.map_err(|error| format!("the mail cannot be written: {error}"))?.formatted();
    if let Some(signer) = signer {
        let mut signed = signer.signature(&bytes, now)?.into_bytes();
        signed.append(&mut bytes);
        bytes = signed;
    }
    Ok(bytes)
}

/// Where to go, or to write, to hear no more.
fn ways_to_stop(settings: &SmtpSettings, token: &str) -> Vec<String> {
    let Some(unsubscribe) = &settings.unsubscribe else { return Vec::new() };
    let link = unsubscribe.url.as_ref().map(|url| format!("{}/u/{token}", url.trim_end_matches('/')));
    let mailto = unsubscribe
        .mailto
        .as_deref()
        .map(|address| format!("mailto:{}?subject=unsubscribe", tagged(&on_the_wire(address), "u", token)));
    link.into_iter().chain(mailto).collect()
}

/// `local+LETTER-TOKEN@domain`.
fn tagged(address: &str, letter: &str, token: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{local}+{letter}-{token}@{domain}"),
        None => address.to_owned(),
    }
}

/// The address with a domain that any server reads; a local part beyond ASCII stays.
fn on_the_wire(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", ascii_host(domain)),
        None => address.to_owned(),
    }
}

pub(super) fn ascii_host(domain: &str) -> String {
    match url::Host::parse(domain) {
        Ok(url::Host::Domain(ascii)) if !domain.is_ascii() => ascii,
        _ => domain.to_owned(),
    }
}

fn address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|_| "the address cannot be written into a mail".to_owned())
}

/// A Message-ID in its brackets.
fn id(text: &str) -> Result<String, String> {
    let clean = text.chars().all(|letter| letter.is_ascii_graphic() && !matches!(letter, '<' | '>'));
    if clean && text.contains('@') {
        Ok(format!("<{text}>"))
    } else {
        Err("the Message-ID is not one".to_owned())
    }
}

/// Line breaks and controls become blanks.
fn one_line(text: &str) -> String {
    let apart =
        |letter: char| letter == ' ' || letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}');
    text.split(apart).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The same for the same mail, so that a second try is the first.
fn boundary(message_id: &str) -> String {
    format!("part-{}", hex::encode(&Sha256::digest(message_id.as_bytes())[..16]))
}
