//! The conversation with a mail server, step by step (RFC 5321): whoever reads a failure knows how far it came.
//!
//! Never says a mail again by itself, and never goes on in the clear where TLS was declared.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use data_encoding::BASE64;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::tls;
use super::wire::{Reply, Stream, Wire};
use crate::model::MailTls;
use crate::provider::last_look::LastLook;

/// How far a conversation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Connect,
    Tls,
    Hello,
    Login,
    /// MAIL: who sends.
    Sender,
    /// RCPT: to whom.
    Recipient,
    /// DATA, and the mail up to its end.
    Text,
    /// The end has been said: from here on the mail may be there.
    End,
}

impl Stage {
    pub(super) const fn doing(self) -> &'static str {
        match self {
            Self::Connect => "connecting to the mail server",
            Self::Tls => "beginning TLS with the mail server",
            Self::Hello => "greeting the mail server",
            Self::Login => "logging in at the mail server",
            Self::Sender => "naming the sender to the mail server",
            Self::Recipient => "naming the recipient to the mail server",
            Self::Text => "handing the mail to the mail server",
            Self::End => "waiting for the mail server's word on the mail",
        }
    }
}

/// Why a mail was not accepted, as far as is known.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server said no.
    Refused(Stage, Reply),
    /// The connection broke or nothing came in time.
    Lost(Stage, io::Error),
    /// The server cannot be used as it is declared.
    Unfit(Stage, &'static str),
    /// The right to send ended before the end of the mail was said.
    TooLate,
    /// A stop came while the mail was on its way; its end was not said.
    Stopped,
    /// The server cannot carry this mail.
    Unable(&'static str),
}

/// A server, and who we are to it.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: MailTls,
    pub(super) connector: TlsConnector,
    pub(super) login: Option<(String, SecretString)>,
    /// What we call ourselves.
    pub(super) hello: String,
    /// For each step but the last.
    pub(super) patience: Duration,
}

/// RFC 5321 4.5.3.2.6 asks for this much after the end of a mail.
const LONGEST_END: Duration = Duration::from_mins(10);

impl Server {
    /// A server that looks at a mail before it answers needs longer than for a line.
    pub(super) fn patience_at_the_end(&self) -> Duration {
        (self.patience * 5).min(LONGEST_END).max(self.patience)
    }
}

/// What one mail is called on the way.
pub(super) struct Envelope<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    /// Comes back in reports (RFC 3461).
    pub(super) id: &'a str,
}

/// What a server offers.
#[derive(Debug, Default)]
struct Offers {
    starttls: bool,
    plain: bool,
    login: bool,
    size: Option<u64>,
    has_size: bool,
    reports: bool,
    utf8: bool,
}

impl Offers {
    fn of(reply: &Reply) -> Self {
        let mut offers = Self::default();
        for line in reply.lines.iter().skip(1) {
            let mut words = line.split([' ', '=']).map(str::to_ascii_uppercase);
            match words.next().as_deref() {
                Some("STARTTLS") => offers.starttls = true,
                Some("SIZE") => {
                    offers.has_size = true;
                    offers.size = words.next().and_then(|word| word.parse().ok()).filter(|size| *size > 0);
                }
                Some("DSN") => offers.reports = true,
                Some("SMTPUTF8") => offers.utf8 = true,
                Some("AUTH") => {
                    for word in words {
                        offers.plain |= word == "PLAIN";
                        offers.login |= word == "LOGIN";
                    }
                }
                _ => {}
            }
        }
        offers
    }
}

/// A connection over which mails go, one after the other.
pub(super) struct Session {
    wire: Wire,
    offers: Offers,
    patience: Duration,
    at_the_end: Duration,
    pub(super) opened: Instant,
    pub(super) mails: u32,
}

impl Session {
    /// Connects, protects the connection as declared, and logs in.
    pub(super) async fn open(server: &Server) -> Result<Self, Failure> {
        let mut stream = connect(server).await?;
        if server.tls == MailTls::Implicit {
            stream = protect(server, stream).await?;
        }
        let mut session = Self {
            wire: Wire::new(stream),
            offers: Offers::default(),
            patience: server.patience,
            at_the_end: server.patience_at_the_end(),
            opened: Instant::now(),
            mails: 0,
        };
        session.hear(Stage::Hello, session.patience).await?;
        session.greet(&server.hello).await?;
        if server.tls == MailTls::Starttls {
            if !session.offers.starttls {
                return Err(Failure::Unfit(Stage::Tls, "the server does not offer STARTTLS"));
            }
            session.say(Stage::Tls, "STARTTLS").await?;
            let stream = session.wire.into_stream().map_err(|error| Failure::Lost(Stage::Tls, error))?;
            session.wire = Wire::new(protect(server, stream).await?);
            // What was offered in the clear may have been made up.
            session.greet(&server.hello).await?;
        }
        if let Some((user, password)) = &server.login {
            session.log_in(user, password).await?;
        }
        Ok(session)
    }

    /// Whether the connection still stands, and carries nothing of an earlier mail.
    pub(super) async fn is_ready(&mut self) -> bool {
        self.say(Stage::Hello, "RSET").await.is_ok()
    }

    /// Hands over one mail, whose lines end in CR LF. Its end is said only where the last look allows and nothing has
    /// stopped it meanwhile: a server may have taken minutes up to here.
    pub(super) async fn send(
        &mut self,
        envelope: &Envelope<'_>,
        mail: &[u8],
        look: &LastLook,
        may_go: impl Future<Output = bool>,
    ) -> Result<(), Failure> {
        self.mails += 1;
        let needs_utf8 = !(envelope.from.is_ascii() && envelope.to.is_ascii() && mail.is_ascii());
        if needs_utf8 && !self.offers.utf8 {
            return Err(Failure::Unable("the mail server takes no addresses beyond ASCII (SMTPUTF8)"));
        }
        if self.offers.size.is_some_and(|most| mail.len() as u64 > most) {
            return Err(Failure::Unable("the mail is larger than the mail server takes"));
        }
        let mut from = format!("MAIL FROM:<{}>", envelope.from);
        if self.offers.has_size {
            let _ = write!(from, " SIZE={}", mail.len());
        }
        if needs_utf8 {
            from += " SMTPUTF8";
        }
        let mut to = format!("RCPT TO:<{}>", envelope.to);
        if self.offers.reports {
            let _ = write!(from, " RET=HDRS ENVID={}", xtext(envelope.id));
            to += " NOTIFY=FAILURE,DELAY";
            if envelope.to.is_ascii() {
                let _ = write!(to, " ORCPT=rfc822;{}", xtext(envelope.to));
            }
        }
        self.say(Stage::Sender, &from).await?;
        self.say(Stage::Recipient, &to).await?;
        let reply = self.ask(Stage::Text, "DATA").await?;
        if reply.code != 354 {
            return Err(Failure::Refused(Stage::Text, reply));
        }
        // Without its last line the server has no mail, whatever becomes of the connection.
        let lost = |error| Failure::Lost(Stage::Text, error);
        self.wire.write(&stuffed(mail), self.patience).await.map_err(lost)?;
        if !may_go.await {
            return Err(Failure::Stopped);
        }
        if look.is_too_late() {
            return Err(Failure::TooLate);
        }
        let doubt = |error| Failure::Lost(Stage::End, error);
        self.wire.write(b".\r\n", self.patience).await.map_err(doubt)?;
        self.hear(Stage::End, self.at_the_end).await
    }

    /// Says goodbye; whether it is heard does not matter.
    pub(super) async fn close(mut self) {
        let _ = self.wire.write(b"QUIT\r\n", Duration::from_secs(1)).await;
    }

    async fn greet(&mut self, hello: &str) -> Result<(), Failure> {
        let reply = self.ask(Stage::Hello, &format!("EHLO {hello}")).await?;
        if !reply.is_positive() {
            return Err(Failure::Refused(Stage::Hello, reply));
        }
        self.offers = Offers::of(&reply);
        Ok(())
    }

    async fn log_in(&mut self, user: &str, password: &SecretString) -> Result<(), Failure> {
        let password = password.expose_secret();
        if self.offers.plain {
            let both = BASE64.encode(format!("\0{user}\0{password}").as_bytes());
            return self.say(Stage::Login, &format!("AUTH PLAIN {both}")).await;
        }
        if !self.offers.login {
            return Err(Failure::Unfit(
                Stage::Login,
                "the server takes passwords by neither PLAIN nor LOGIN",
            ));
        }
        for said in ["AUTH LOGIN".to_owned(), BASE64.encode(user.as_bytes())] {
            let reply = self.ask(Stage::Login, &said).await?;
            if reply.code != 334 {
                return Err(Failure::Refused(Stage::Login, reply));
            }
        }
        self.say(Stage::Login, &BASE64.encode(password.as_bytes())).await
    }

    /// Says a line and wants a yes.
    async fn say(&mut self, stage: Stage, line: &str) -> Result<(), Failure> {
        let reply = self.ask(stage, line).await?;
        if reply.is_positive() { Ok(()) } else { Err(Failure::Refused(stage, reply)) }
    }

    async fn ask(&mut self, stage: Stage, line: &str) -> Result<Reply, Failure> {
        let lost = |error| Failure::Lost(stage, error);
        self.wire.write(format!("{line}\r\n").as_bytes(), self.patience).await.map_err(lost)?;
        self.wire.read(self.patience).await.map_err(lost)
    }

    /// Waits for a yes.
    async fn hear(&mut self, stage: Stage, patience: Duration) -> Result<(), Failure> {
        let reply = self.wire.read(patience).await.map_err(|error| Failure::Lost(stage, error))?;
        if reply.is_positive() { Ok(()) } else { Err(Failure::Refused(stage, reply)) }
    }
}

async fn connect(server: &Server) -> Result<Box<dyn Stream>, Failure> {
    let lost = |error| Failure::Lost(Stage::Connect, error);
    let connecting = TcpStream::connect((server.host.as_str(), server.port));
    let stream = timeout(server.patience, connecting)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "there was no answer in time")))
        .map_err(lost)?;
    if server.tls == MailTls::None && !stream.peer_addr().map_err(lost)?.ip().is_loopback() {
        return Err(Failure::Unfit(
            Stage::Connect,
            "without TLS, only a server on this machine is spoken to",
        ));
    }
    stream.set_nodelay(true).map_err(lost)?;
    Ok(Box::new(stream))
}

async fn protect(server: &Server, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>, Failure> {
    timeout(server.patience, tls::wrap(&server.connector, &server.host, stream))
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "there was no answer in time")))
        .map_err(|error| Failure::Lost(Stage::Tls, error))
}

/// A mail as it travels: whole lines, and a dot before each that begins with one.
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(mail.len() + 64);
    for line in mail.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Letters as they stand in a parameter (RFC 3461 4).
fn xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~' if byte != b'+' && byte != b'=' => out.push(char::from(byte)),
            _ => drop(write!(out, "+{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_doubled_and_the_end_is_a_line() {
        assert_eq!(stuffed(b".a\r\nb.\r\n..\r\nc"), b"..a\r\nb.\r\n...\r\nc\r\n");
        assert_eq!(stuffed(b""), b"\r\n");
        assert_eq!(xtext("a+b=c d"), "a+2Bb+3Dc+20d");
    }

    #[test]
    fn offers_are_read() {
        let lines = ["mx.x.example", "SIZE 1000", "auth=LOGIN", "AUTH PLAIN XOAUTH2", "dsn", "8BITMIME"];
        let offers = Offers::of(&Reply::new(250, lines.map(ToOwned::to_owned).to_vec()));
        assert!(offers.plain && offers.login && offers.reports && !offers.starttls && !offers.utf8);
        assert_eq!((offers.has_size, offers.size), (true, Some(1000)));
    }
}
