//! A mail, as bytes, to what it says and whom it answers.
//!
//! Pure: no network, no database, no clock. Nothing a stranger can put into a mail makes it panic or run for long.
//!
//! ```text
//! bytes -> Mail (headers, report, text, what was returned) -> the first rule that knows the mail -> Reading
//! ```
//!
//! Machines are asked first, people last: delivery status (RFC 3464), feedback report (RFC 5965), disposition
//! (RFC 8098), bounces in plain words, automatic answers (RFC 3834), and what is left was written by somebody.
//! A rule family is a file in `rules/` and a line in its registry; words are data.

mod addresses;
mod away;
mod fields;
mod html;
mod ids;
mod mail;
mod reading;
mod returned;
mod rules;
mod said;
mod status;
mod words;

pub use ids::Ids;
pub use reading::{Action, Confidence, Delivery, Kind, Reading};
pub use rules::rule_names;

/// What a reader looks at: reports and answers stand at the top of a mail, attachments below.
pub const READ_AT_MOST: usize = 1 << 20;

/// Reads one mail.
pub fn read(bytes: &[u8]) -> Reading {
    let top = bytes.get(..READ_AT_MOST).unwrap_or(bytes);
    match mail::parse(top) {
        Some(message) => rules::judge(&mail::Mail::of(&message)),
        None => Reading::unreadable(),
    }
}

/// Whether a server's words, on refusing a recipient, say that there is no such address.
pub fn says_dead(said: &str) -> bool {
    status::verdict("", said).hard
}
