//! A logged-in connection to an IMAP server; every step has its time.
//!
//! Commands go out by themselves rather than by the library's methods wherever an answer of NO matters: those take a
//! refused or cut-off FETCH for one that found nothing.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use async_imap::imap_proto::{Response, Status};
use async_imap::{Client, Session};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::MailboxError;
use super::error::shortened;
use super::name::encoded;
use super::tls::{self, Link};
use crate::model::MailTls;

const CONNECTING: Duration = Duration::from_secs(15);
/// From one answer to the next; the longest is a mail as large as we read.
pub(super) const ANSWERING: Duration = Duration::from_mins(2);
/// Of the first answer after the greeting: a server that cannot look a password up soon is not well.
const LOGGING_IN: Duration = Duration::from_secs(30);
const LEAVING: Duration = Duration::from_secs(2);

pub(super) type Stream = Box<dyn Link>;

/// A server, and who we are to it.
#[derive(Debug, Clone)]
pub struct Account {
    pub host: String,
    pub port: u16,
    pub tls: MailTls,
    pub user: String,
    pub password: SecretString,
    /// A file of certificates that are trusted beside the system's.
    pub ca: Option<PathBuf>,
}

/// What the server says of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Examined {
    pub(super) uid_validity: u32,
    /// The next mail will have this UID or a higher one.
    pub(super) uid_next: Option<u32>,
}

/// How a command ended.
pub(super) enum Ended {
    Done,
    /// NO or BAD, with the server's words.
    Refused(String),
}

pub(super) struct Connection {
    /// Away while it waits in IDLE.
    session: Option<Session<Stream>>,
    pub(super) can_idle: bool,
}

/// A step of ours within its time.
pub(super) async fn within<T>(
    patience: Duration,
    doing: &'static str,
    step: impl Future<Output = Result<T, MailboxError>>,
) -> Result<T, MailboxError> {
    timeout(patience, step).await.unwrap_or(Err(MailboxError::Slow { doing, patience }))
}

impl Connection {
    pub(super) async fn open(account: &Account) -> Result<Self, MailboxError> {
        let client = within(CONNECTING, "let us in", greet(account)).await?;
        let login = async {
            let session = client.login(&account.user, account.password.expose_secret()).await;
            session.map_err(|(error, _)| match MailboxError::of("log in", error) {
                MailboxError::Refused { words, .. } => MailboxError::Login(words),
                other => other,
            })
        };
        let mut session = within(LOGGING_IN, "log us in", login).await?;
        let capabilities = async {
            let doing = "say what it can do";
            session.capabilities().await.map_err(|error| MailboxError::of(doing, error))
        };
        let can_idle = within(ANSWERING, "say what it can do", capabilities).await?.has_str("IDLE");
        Ok(Self { session: Some(session), can_idle })
    }

    pub(super) fn session(&mut self) -> Result<&mut Session<Stream>, MailboxError> {
        self.session.as_mut().ok_or(MailboxError::Lost("go on"))
    }

    /// Sends one command and looks at each answer up to the last.
    pub(super) async fn command(
        &mut self,
        doing: &'static str,
        text: &str,
        mut look: impl FnMut(&Response<'_>),
    ) -> Result<Ended, MailboxError> {
        let session = self.session()?;
        let sending =
            async { session.run_command(text).await.map_err(|error| MailboxError::of(doing, error)) };
        let tag = within(ANSWERING, doing, sending).await?;
        loop {
            let session = self.session()?;
            let reading =
                async { session.read_response().await.map_err(|fault| MailboxError::from_io(doing, &fault)) };
            let answer = within(ANSWERING, doing, reading).await?.ok_or(MailboxError::Lost(doing))?;
            match answer.parsed() {
                Response::Done { tag: ended, status, outcome } if *ended == tag => {
                    return Ok(match status {
                        Status::Ok => Ended::Done,
                        _ => Ended::Refused(shortened(outcome.information.as_deref().unwrap_or("NO"))),
                    });
                }
                other => look(other),
            }
        }
    }

    /// Opens a folder to read it only: nothing is marked as seen or as recent.
    pub(super) async fn examine(&mut self, folder: &str) -> Result<Examined, MailboxError> {
        let doing = "open a folder";
        let session = self.session()?;
        let opening =
            async { session.examine(encoded(folder)).await.map_err(|error| MailboxError::of(doing, error)) };
        let opened = within(ANSWERING, doing, opening).await.map_err(|error| match error {
            MailboxError::Refused { words, .. } => MailboxError::Folder { folder: folder.to_owned(), words },
            other => other,
        })?;
        let uid_validity = opened.uid_validity.ok_or_else(|| MailboxError::NoValidity(folder.to_owned()))?;
        Ok(Examined { uid_validity, uid_next: opened.uid_next })
    }

    /// UIDs of the open folder that a search finds, in their order.
    pub(super) async fn search(&mut self, query: &str) -> Result<Vec<u32>, MailboxError> {
        use async_imap::imap_proto::MailboxDatum;
        let doing = "search a folder";
        let mut found = Vec::new();
        let ended = self
            .command(doing, &format!("UID SEARCH {query}"), |answer| {
                if let Response::MailboxData(MailboxDatum::Search(uids)) = answer {
                    found.extend(uids);
                }
            })
            .await?;
        if let Ended::Refused(words) = ended {
            return Err(MailboxError::Refused { doing, words });
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Waits until the server tells of anything in the open folder, or the time is over.
    pub(super) async fn idle(&mut self, at_most: Duration) -> Result<(), MailboxError> {
        let doing = "wait for mails";
        let session = self.session.take().ok_or(MailboxError::Lost(doing))?;
        // What came before we asked is no news; what comes between the question and its answer is.
        let told = session.unsolicited_responses.clone();
        while told.try_recv().is_ok() {}
        let mut handle = session.idle();
        let asking = async { handle.init().await.map_err(|error| MailboxError::of(doing, error)) };
        within(ANSWERING, doing, asking).await?;
        let mut lost = false;
        if told.is_empty() {
            let (waiting, _interrupt) = handle.wait_with_timeout(at_most);
            // Signs of life from the server put the library's own time off, but not ours.
            if let Ok(word) = timeout(at_most, waiting).await {
                use async_imap::extensions::idle::IdleResponse;
                // Nobody here interrupts it: it is the end of the stream.
                lost = matches!(word, Err(_) | Ok(IdleResponse::ManualInterrupt));
            }
        }
        if lost {
            return Err(MailboxError::Lost(doing));
        }
        let ending = async { handle.done().await.map_err(|error| MailboxError::of(doing, error)) };
        self.session = Some(within(ANSWERING, doing, ending).await?);
        Ok(())
    }

    /// Says goodbye; the server closes the connection anyhow.
    pub(super) async fn close(mut self) {
        if let Some(session) = &mut self.session {
            let _ = timeout(LEAVING, session.logout()).await;
        }
    }
}

async fn greet(account: &Account) -> Result<Client<Stream>, MailboxError> {
    let Account { host, port, .. } = account;
    let reach = |source| MailboxError::Reach { host: host.clone(), port: *port, source };
    let tcp = TcpStream::connect((host.as_str(), *port)).await.map_err(reach)?;
    let _ = tcp.set_nodelay(true);
    match account.tls {
        MailTls::Implicit => {
            let connector = tls::connector(account.ca.as_deref())?;
            greeted(Client::new(tls::protect(&connector, host, tcp).await?)).await
        }
        MailTls::Starttls => {
            let connector = tls::connector(account.ca.as_deref())?;
            let mut clear = greeted(Client::new(tcp)).await?;
            let begun = clear.run_command_and_check_ok("STARTTLS", None).await;
            begun.map_err(|error| match MailboxError::of("begin TLS", error) {
                MailboxError::Refused { .. } => MailboxError::NoStarttls(host.clone()),
                other => other,
            })?;
            // Whatever somebody in between had put behind the answer is dropped with the client's buffer.
            let stream = tls::protect(&connector, host, clear.into_inner()).await?;
            Ok(Client::new(stream))
        }
        MailTls::None => {
            if !tcp.peer_addr().map_err(reach)?.ip().is_loopback() {
                return Err(MailboxError::NotLocal(host.clone()));
            }
            greeted(Client::new(Box::new(tcp) as Stream)).await
        }
    }
}

async fn greeted<T: Link>(mut client: Client<T>) -> Result<Client<T>, MailboxError> {
    let doing = "be greeted";
    let greeting = client.read_response().await.map_err(|fault| MailboxError::from_io(doing, &fault))?;
    match greeting.as_ref().map(|answer| answer.parsed()) {
        Some(Response::Data { status: Status::Ok | Status::PreAuth, .. }) => Ok(client),
        Some(Response::Data { outcome, .. }) => {
            let words = shortened(outcome.information.as_deref().unwrap_or_default());
            Err(MailboxError::Refused { doing: "let us in", words })
        }
        Some(_) => Err(MailboxError::Garbled(doing)),
        None => Err(MailboxError::Lost(doing)),
    }
}
