//! Why a mailbox could not be read. Words of a server are for people; logs carry the code, for a server may name addresses.

use std::time::Duration;

/// What was tried with a mail server, and what stood in the way.
#[derive(Debug, thiserror::Error)]
pub enum MailboxError {
    #[error("could not read the certificates in {path}")]
    Certificates { path: String, source: std::io::Error },
    #[error("{path} holds no certificate (PEM)")]
    NoCertificate { path: String },
    #[error("could not set TLS up: {0}")]
    Setup(String),
    #[error("could not reach {host}:{port}")]
    Reach { host: String, port: u16, source: std::io::Error },
    #[error("`tls: none` is for this machine only, and {0} is another one")]
    NotLocal(String),
    #[error("{0} does not let TLS begin (STARTTLS); nothing is read in the clear")]
    NoStarttls(String),
    #[error("TLS with {host} failed: {reason}")]
    Tls { host: String, reason: String },
    #[error("the server refused the login: {0}")]
    Login(String),
    #[error("the server refused to {doing}: {words}")]
    Refused { doing: &'static str, words: String },
    #[error("the server refused folder {folder}: {words}")]
    Folder { folder: String, words: String },
    #[error("folder {0} has no UIDVALIDITY, so a place in it cannot be kept")]
    NoValidity(String),
    #[error("the server did not {doing} within {} s", patience.as_secs())]
    Slow { doing: &'static str, patience: Duration },
    #[error("the connection ended while we tried to {0}")]
    Lost(&'static str),
    #[error("the server's answer could not be understood when we tried to {0}")]
    Garbled(&'static str),
}

impl MailboxError {
    /// One word for programs and logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Certificates { .. } | Self::NoCertificate { .. } | Self::Setup(_) => "Certificates",
            Self::Reach { .. } => "Unreachable",
            Self::NotLocal(_) | Self::NoStarttls(_) => "Unprotected",
            Self::Tls { .. } => "Tls",
            Self::Login(_) => "LoginRefused",
            Self::Refused { .. } => "Refused",
            Self::Folder { .. } | Self::NoValidity(_) => "Folder",
            Self::Slow { .. } => "Slow",
            Self::Lost(_) => "Lost",
            Self::Garbled(_) => "Garbled",
        }
    }

    /// Whether the same may go through later without anybody's doing.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Reach { .. } | Self::Slow { .. } | Self::Lost(_) | Self::Garbled(_))
    }

    /// Of the client library. Its own words may hold a piece of a mail, and are not repeated.
    pub(super) fn of(doing: &'static str, error: async_imap::error::Error) -> Self {
        use async_imap::error::Error;
        match error {
            Error::Io(fault) => Self::from_io(doing, &fault),
            Error::No(words) | Error::Bad(words) => Self::Refused { doing, words: shortened(&plain(&words)) },
            Error::ConnectionLost => Self::Lost(doing),
            Error::Validate(_) => {
                Self::Refused { doing, words: "a line break in a name or a password".to_owned() }
            }
            _ => Self::Garbled(doing),
        }
    }

    pub(super) fn from_io(doing: &'static str, fault: &std::io::Error) -> Self {
        // `Other` is what the parser says.
        if fault.kind() == std::io::ErrorKind::Other { Self::Garbled(doing) } else { Self::Lost(doing) }
    }
}

/// A server's own text. The client library gives it as Rust prints it: `code: None, info: Some("[TRYAGAIN] ...")`, or
/// `outcome: Outcome { code: None, information: Some("...") }`.
fn plain(words: &str) -> String {
    let told = [", info: ", ", information: "].iter().find_map(|mark| words.split_once(mark));
    let Some((_, info)) = told else { return words.to_owned() };
    let info = info.trim_end_matches(" }");
    match info.strip_prefix("Some(\"").and_then(|rest| rest.strip_suffix("\")")) {
        Some(text) => unescaped(text),
        None => "no, without saying why".to_owned(),
    }
}

/// What `Debug` had escaped.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, c == '\\') {
            (_, true) => match rest.next() {
                Some('n' | 'r' | 't' | '0') => plain.push(' '),
                // `\u{301}`: what would not show by itself.
                Some('u') => {
                    let code: String =
                        rest.by_ref().skip_while(|c| *c == '{').take_while(|c| *c != '}').collect();
                    plain.extend(u32::from_str_radix(&code, 16).ok().and_then(char::from_u32));
                }
                Some(c) => plain.push(c),
                None => {}
            },
            (c, false) => plain.push(c),
        }
    }
    plain
}

/// As much of a server's words as a person wants to read.
pub(super) fn shortened(words: &str) -> String {
    const MOST: usize = 200;
    let one_line: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect();
    one_line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_speaks_for_itself() {
        let said = |code: Option<&str>, info: Option<&str>| {
            let words = format!("code: {code:?}, info: {info:?}");
            MailboxError::of("log in", async_imap::error::Error::No(words)).to_string()
        };
        let text = "[AUTHENTICATIONFAILED] say \"please\", a\\b\tc e\u{301}";
        assert_eq!(
            said(None, Some(text)),
            "the server refused to log in: [AUTHENTICATIONFAILED] say \"please\", a\\b c e\u{301}"
        );
        let outcome = format!("outcome: Outcome {{ code: None, information: {:?} }}", Some("not now"));
        let bad = MailboxError::of("search", async_imap::error::Error::Bad(outcome)).to_string();
        assert_eq!(bad, "the server refused to search: not now");
        assert_eq!(said(Some("x"), None), "the server refused to log in: no, without saying why");
    }
}
