//! A parsed mail as the rules want it: headers, the report for machines, the text for people, what was returned.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::LazyLock;

use chrono::NaiveDate;
use mail_parser::{ContentType, HeaderName, Message, MessageParser, MessagePart, MimeHeaders as _, PartType};

use super::fields::Fields;
use super::{addresses, html, returned, said};
use crate::model::normalize_address;

/// More nested messages or multiparts than any honest mail has; a chain of them costs stack and time.
const MOST_NESTED: usize = 60;
/// Text beyond this is not read: what a report or a person has to say stands before it.
const MOST_TEXT: usize = 128 * 1024;

/// Only what is asked for is parsed; the rest stays as it came.
static PARSER: LazyLock<MessageParser> = LazyLock::new(|| {
    MessageParser::new()
        .with_mime_headers()
        .header_text(HeaderName::Subject)
        .header_address(HeaderName::From)
        .header_date(HeaderName::Date)
});

/// The structure of a mail; `None` where there is no header at all.
pub(super) fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    let message = PARSER.parse(shallow(without_envelope(bytes)))?;
    (!message.parts.is_empty() && !message.headers().is_empty()).then_some(message)
}

/// Mailbox files put `From sender date` before the headers; some mails begin with blank lines.
fn without_envelope(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len());
    let rest = &bytes[start..];
    if !rest.starts_with(b"From ") && !rest.starts_with(b">From ") {
        return rest;
    }
    let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
    &rest[end..]
}

/// The mail up to where it nests deeper than is sane.
fn shallow(bytes: &[u8]) -> &[u8] {
    let mut nested = 0;
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        let before = &bytes[at.saturating_sub(9)..at];
        if before.to_ascii_lowercase().ends_with(b"message") || before.eq_ignore_ascii_case(b"multipart") {
            nested += 1;
            if nested > MOST_NESTED {
                return &bytes[..at];
            }
        }
    }
    bytes
}

/// One mail, taken apart.
pub(super) struct Mail<'m> {
    message: &'m Message<'m>,
    pub subject: String,
    /// Lower-cased.
    pub subject_lower: String,
    pub from: Option<String>,
    /// Display name and address of From, lower-cased.
    pub from_lower: String,
    delivered_to: Vec<String>,
    /// Text for people as it came: of a report, the notice above what is returned.
    body: String,
    /// Of an HTML mail, the text without what its markup says is quoted.
    unquoted: Option<String>,
    /// The multipart is broken: `body` is the raw source of its parts.
    pub broken: bool,
    pub has_calendar: bool,
    pub report_type: Option<String>,
    status: Option<String>,
    pub feedback: Option<Fields>,
    receipt: Option<Fields>,
    attached: Fields,
    pub returns_something: bool,
    cut: OnceCell<(usize, Fields)>,
    status_blocks: OnceCell<Vec<Fields>>,
    original_recipients: OnceCell<Vec<String>>,
    said: OnceCell<String>,
}

impl<'m> Mail<'m> {
    pub(super) fn of(message: &'m Message<'m>) -> Self {
        let root = message.root_part();
        let subject = message.subject().unwrap_or_default().trim().to_owned();
        let from_raw = raw_header(message, "from").unwrap_or_default();
        let mailbox = message.from().and_then(|from| from.first());
        let from = mailbox
            .and_then(|mailbox| mailbox.address())
            .filter(|address| address.contains('@'))
            .map(normalize_address)
            .or_else(|| addresses::first(&from_raw));
        let name = mailbox.and_then(|mailbox| mailbox.name()).unwrap_or_default();
        let mut mail = Self {
            message,
            subject_lower: subject.to_lowercase(),
            subject,
            from_lower: format!("{name} {from_raw}").to_lowercase(),
            from,
            delivered_to: delivered_to(message),
            body: String::new(),
            unquoted: None,
            broken: matches!(root.body, PartType::Text(_)) && kind_of(root).starts_with("multipart/"),
            has_calendar: false,
            report_type: root
                .content_type()
                .and_then(|kind| kind.attribute("report-type"))
                .map(str::to_ascii_lowercase),
            status: None,
            feedback: None,
            receipt: None,
            attached: Fields::default(),
            returns_something: false,
            cut: OnceCell::new(),
            status_blocks: OnceCell::new(),
            original_recipients: OnceCell::new(),
            said: OnceCell::new(),
        };
        mail.take_parts();
        mail
    }

    fn take_parts(&mut self) {
        let mut markup = String::new();
        for part in &self.message.parts {
            let kind = kind_of(part);
            match (&part.body, kind.as_str()) {
                (_, "message/delivery-status" | "message/global-delivery-status") => {
                    let text = self.status.get_or_insert_default();
                    text.push_str(&contents(part));
                    text.push_str("\n\n");
                }
                (_, "message/feedback-report") => self.feedback = Some(one_block(&contents(part))),
                (_, "message/disposition-notification" | "message/global-disposition-notification") => {
                    self.receipt = Some(one_block(&contents(part)));
                }
                (_, "text/rfc822-headers" | "text/rfc822-header" | "message/global-headers") => {
                    self.attach(returned::headers(&contents(part)));
                }
                (PartType::Message(nested), _) => self.attach(header_fields(nested)),
                (PartType::Multipart(_), _) => {}
                (_, "message/rfc822" | "message/global" | "message/partial") => {
                    self.attach(returned::headers(&contents(part)));
                }
                (_, "text/calendar") => self.has_calendar = true,
                (PartType::Html(text), _) => push_limited(&mut markup, text),
                (PartType::Text(text), _) if !self.returns_something && !is_file(part, &self.body) => {
                    push_limited(&mut self.body, text);
                    self.body.push('\n');
                }
                _ => {}
            }
        }
        self.keep_what_has_no_parts();
        if self.body.trim().is_empty() && !markup.is_empty() {
            self.body = html::plain(&markup);
            self.unquoted = Some(html::unquoted(&markup));
        }
    }

    /// A multipart without a boundary, a text without a subtype: what is there is read as it is.
    fn keep_what_has_no_parts(&mut self) {
        let root = self.message.root_part();
        let kind = kind_of(root);
        if self.message.parts.len() > 1 || !(kind.starts_with("multipart/") || kind.starts_with("text/")) {
            return;
        }
        if let PartType::Binary(_) | PartType::InlineBinary(_) = root.body {
            self.broken = kind.starts_with("multipart/");
            push_limited(&mut self.body, &contents(root));
        }
    }

    fn attach(&mut self, headers: Fields) {
        if !self.returns_something {
            self.attached = headers;
        }
        self.returns_something = true;
    }

    /// The first header of a name, unfolded.
    pub(super) fn header_text(&self, name: &str) -> String {
        raw_header(self.message, name).unwrap_or_default()
    }

    /// The same, where there is one.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        raw_header(self.message, name)
    }

    pub(super) fn headers(&self, name: &str) -> Vec<String> {
        raw_headers(self.message, name)
    }

    /// Whether the envelope sender was empty, as far as the receiving server wrote it down.
    pub(super) fn has_null_sender(&self) -> bool {
        self.header("return-path").is_some_and(|path| {
            let path = path.trim_matches(['<', '>', ' ', '"']);
            path.is_empty() || path.eq_ignore_ascii_case("mailer-daemon")
        })
    }

    pub(super) fn delivered_to(&self) -> &[String] {
        &self.delivered_to
    }

    /// Whether an address is one that this mail was sent to: ours.
    pub(super) fn is_ours(&self, address: &str) -> bool {
        self.delivered_to.iter().any(|own| own.eq_ignore_ascii_case(address))
    }

    /// The day it was written.
    pub(super) fn date(&self) -> Option<NaiveDate> {
        let date = self.message.date()?;
        NaiveDate::from_ymd_opt(i32::from(date.year), date.month.into(), date.day.into())
    }

    /// All text for people.
    pub(super) fn body(&self) -> &str {
        &self.body
    }

    /// The text above what is returned.
    pub(super) fn notice(&self) -> &str {
        &self.body[..self.cut().0]
    }

    /// The text from where a returned mail begins.
    pub(super) fn below_notice(&self) -> &str {
        &self.body[self.cut().0..]
    }

    fn cut(&self) -> &(usize, Fields) {
        self.cut.get_or_init(|| returned::cut(&self.body))
    }

    /// Headers of the mail that came back.
    pub(super) fn original(&self) -> &Fields {
        if self.returns_something { &self.attached } else { &self.cut().1 }
    }

    /// Its recipients.
    pub(super) fn original_recipients(&self) -> &[String] {
        self.original_recipients.get_or_init(|| {
            let original = self.original();
            let mut recipients = Vec::new();
            for name in ["x-hmxmroriginalrecipient", "to", "cc", "x-original-to", "delivered-to"] {
                recipients.extend(original.all(name).flat_map(addresses::all));
            }
            recipients
        })
    }

    /// Blocks of the delivery status; where the MIME around it was lost, from the text.
    pub(super) fn status_blocks(&self) -> &[Fields] {
        self.status_blocks.get_or_init(|| {
            let text = match &self.status {
                Some(text) => text.as_str(),
                None => returned::status_in(&self.body).unwrap_or_default(),
            };
            Fields::blocks(text)
        })
    }

    pub(super) fn has_status_part(&self) -> bool {
        self.status.is_some()
    }

    /// A disposition notification.
    pub(super) fn receipt(&self) -> Cow<'_, Fields> {
        self.receipt.as_ref().map_or_else(Cow::default, Cow::Borrowed)
    }

    pub(super) fn has_receipt(&self) -> bool {
        self.receipt.is_some()
    }

    /// What the sender wrote: no quotes, no signature, no footer.
    pub(super) fn said(&self) -> &str {
        self.said.get_or_init(|| said::strip(self.unquoted.as_deref().unwrap_or(&self.body)))
    }
}

fn kind_of(part: &MessagePart<'_>) -> String {
    let Some(kind) = part.content_type() else { return String::new() };
    format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()).to_ascii_lowercase()
}

/// A text that is offered as a file beside a text that is not.
fn is_file(part: &MessagePart<'_>, text_so_far: &str) -> bool {
    part.content_disposition().is_some_and(ContentType::is_attachment) && !text_so_far.trim().is_empty()
}

fn contents<'p>(part: &'p MessagePart<'_>) -> Cow<'p, str> {
    String::from_utf8_lossy(part.contents())
}

/// Reports about one message sometimes come with blank lines between their fields.
fn one_block(text: &str) -> Fields {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    Fields::parse(&lines.join("\n"))
}

fn push_limited(text: &mut String, more: &str) {
    let room = MOST_TEXT.saturating_sub(text.len());
    let end = more.floor_char_boundary(room.min(more.len()));
    text.push_str(&more[..end]);
}

fn header_fields(message: &Message<'_>) -> Fields {
    let mut block = String::new();
    for header in message.headers() {
        block.push_str(header.name());
        block.push_str(": ");
        block.push_str(&unfolded(message, header.offset_start, header.offset_end));
        block.push('\n');
    }
    Fields::parse(&block)
}

fn unfolded(message: &Message<'_>, start: u32, end: u32) -> String {
    let raw = message.raw_message.get(start as usize..end as usize).unwrap_or_default();
    let text = String::from_utf8_lossy(raw);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

fn raw_headers(message: &Message<'_>, name: &str) -> Vec<String> {
    message
        .headers()
        .iter()
        .filter(|header| header.name().eq_ignore_ascii_case(name))
        .map(|header| unfolded(message, header.offset_start, header.offset_end))
        .collect()
}

fn raw_header(message: &Message<'_>, name: &str) -> Option<String> {
    let header = message.headers().iter().find(|header| header.name().eq_ignore_ascii_case(name))?;
    Some(unfolded(message, header.offset_start, header.offset_end))
}

/// The envelope's word comes first; letter case is kept, tokens may need it.
fn delivered_to(message: &Message<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for name in ["delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to", "to"] {
        for value in raw_headers(message, name) {
            for span in addresses::find(&value) {
                let address = value[span.start..span.end].to_owned();
                if !found.contains(&address) {
                    found.push(address);
                }
            }
        }
    }
    found
}
