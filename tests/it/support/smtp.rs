//! A mail server that misbehaves on request: at any step it drops the line, falls silent or says something else. It keeps
//! what it took, so that tests count from its side.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use outreachd::model::{MailServer, MailTls, Mailbox, PushKey, SecretRef};
use outreachd::provider::{ProviderError, SentFolder};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::folder;
use super::mail::Certificates;

/// The password of `user`, in the file `password` below the project folder.
pub(crate) const PASSWORD: &str = "p=ss \u{44f}";

/// A step of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Connect,
    Hello,
    Starttls,
    Login,
    Sender,
    Recipient,
    Data,
    /// While the mail comes in: after its first line.
    Text,
    End,
    Reset,
}

/// What it does there, once.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Drop,
    /// Takes the mail, and drops the line without a word.
    KeepAndDrop,
    Silence,
    /// Waits until the script is another one, and goes on as if nothing had been.
    Hold,
    Say(&'static str),
}

/// A mail that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) user: Option<String>,
    pub(crate) encrypted: bool,
    pub(crate) mail: String,
}

impl Taken {
    /// A header on one line.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let head = self.mail.split("\r\n\r\n").next()?.replace("\r\n ", " ").replace("\r\n\t", " ");
        head.split("\r\n").find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }
}

#[derive(Default)]
struct State {
    script: VecDeque<(At, Act)>,
    taken: Vec<Taken>,
    connections: usize,
    /// Visits that stand before a step which is held.
    held: usize,
}

impl State {
    fn act(&mut self, at: At) -> Option<Act> {
        let place = self.script.iter().position(|(when, _)| *when == at)?;
        if self.is_held(at) {
            return Some(Act::Hold);
        }
        self.script.remove(place).map(|(_, act)| act)
    }

    fn is_held(&self, at: At) -> bool {
        self.script.iter().any(|(when, act)| *when == at && matches!(act, Act::Hold))
    }
}

type Shared = Arc<Mutex<State>>;

trait Line: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Line for S {}

/// The server; gone with the value.
pub(crate) struct PostOffice {
    state: Shared,
    port: u16,
    tls: MailTls,
    folder: tempfile::TempDir,
    certificates: Certificates,
    _tasks: JoinSet<()>,
}

impl PostOffice {
    pub(crate) async fn start(tls: MailTls) -> Self {
        Self::start_named(tls, "localhost", &["AUTH PLAIN", "DSN", "SIZE 1000000"]).await
    }

    /// With a certificate for `name` and what EHLO offers beside STARTTLS.
    pub(crate) async fn start_named(tls: MailTls, name: &str, offers: &[&'static str]) -> Self {
        let folder = folder();
        std::fs::write(folder.path().join("password"), PASSWORD).unwrap();
        let certificates = Certificates::make(folder.path(), &[name]);
        let acceptor = acceptor(&certificates);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Shared::default();
        let mut tasks = JoinSet::new();
        let (shared, offers) = (Arc::clone(&state), offers.to_vec());
        tasks.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (state, acceptor, offers) = (Arc::clone(&shared), acceptor.clone(), offers.clone());
                clients.spawn(async move {
                    state.lock().unwrap().connections += 1;
                    let encrypted = tls == MailTls::Implicit;
                    let line: Box<dyn Line> = if encrypted {
                        match acceptor.accept(socket).await {
                            Ok(line) => Box::new(line),
                            Err(_) => return,
                        }
                    } else {
                        Box::new(socket)
                    };
                    let mut visit = Visit {
                        state,
                        offers,
                        acceptor: (tls == MailTls::Starttls).then_some(acceptor),
                        encrypted,
                        user: None,
                    };
                    let _ = visit.serve(line).await;
                });
            }
        });
        Self { state, port, tls, folder, certificates, _tasks: tasks }
    }

    /// The project folder that its settings refer to.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn server(&self) -> MailServer {
        MailServer {
            host: "localhost".to_owned(),
            port: self.port,
            tls: self.tls,
            user: Some("user".to_owned()),
            password: Some(SecretRef::File("password".into())),
            ca: Some(self.certificates.ca.clone()),
        }
    }

    /// From here on, each once.
    pub(crate) fn script(&self, acts: impl IntoIterator<Item = (At, Act)>) {
        self.state.lock().unwrap().script = acts.into_iter().collect();
    }

    /// Whether the script still waits for that step.
    pub(crate) fn waiting(&self, at: At) -> bool {
        self.state.lock().unwrap().script.iter().any(|(when, _)| *when == at)
    }

    /// Whether a visit stands before a step that is held.
    pub(crate) fn holds(&self) -> bool {
        self.state.lock().unwrap().held > 0
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.state.lock().unwrap().taken.clone()
    }

    /// Its folder of sent mails: it has a copy of all that it took.
    pub(crate) fn sent(&self) -> Copies {
        Copies(Arc::clone(&self.state))
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }
}

/// Looks among what a post office took.
pub(crate) struct Copies(Shared);

impl SentFolder for Copies {
    fn holds<'a>(
        &'a self,
        _mailbox: &'a Mailbox,
        message_ids: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<bool>, ProviderError>> {
        let state = self.0.lock().unwrap();
        let ids: Vec<String> = state.taken.iter().filter_map(|taken| taken.header("Message-ID")).collect();
        let held = message_ids.iter().map(|id| ids.contains(&format!("<{id}>"))).collect();
        Box::pin(std::future::ready(Ok(held)))
    }

    fn may_go<'a>(&'a self, _key: &'a PushKey) -> BoxFuture<'a, bool> {
        Box::pin(std::future::ready(true))
    }

    fn keep<'a>(&'a self, _mailbox: &'a Mailbox, mails: &'a [Vec<u8>]) -> BoxFuture<'a, ()> {
        assert!(mails.is_empty(), "nobody asked for copies");
        Box::pin(std::future::ready(()))
    }
}

fn acceptor(certificates: &Certificates) -> tokio_rustls::TlsAcceptor {
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(&certificates.chain).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&certificates.key).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

struct Visit {
    state: Shared,
    offers: Vec<&'static str>,
    acceptor: Option<tokio_rustls::TlsAcceptor>,
    encrypted: bool,
    user: Option<String>,
}

type Served = std::io::Result<()>;

impl Visit {
    /// Says it, unless the script has something else for this step. False ends the visit.
    async fn say(&self, line: &mut BufReader<Box<dyn Line>>, at: At, said: &str) -> std::io::Result<bool> {
        let act = self.state.lock().unwrap().act(at);
        match act {
            Some(Act::Hold) => {
                self.state.lock().unwrap().held += 1;
                while self.state.lock().unwrap().is_held(at) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                self.state.lock().unwrap().held -= 1;
                line.write_all(format!("{said}\r\n").as_bytes()).await?;
            }
            None => line.write_all(format!("{said}\r\n").as_bytes()).await?,
            Some(Act::Say(other)) => line.write_all(format!("{other}\r\n").as_bytes()).await?,
            Some(Act::Drop | Act::KeepAndDrop) => return Ok(false),
            Some(Act::Silence) => {
                tokio::time::sleep(Duration::from_mins(5)).await;
                return Ok(false);
            }
        }
        line.flush().await?;
        Ok(true)
    }

    async fn serve(&mut self, line: Box<dyn Line>) -> Served {
        let mut line = BufReader::new(line);
        if !self.say(&mut line, At::Connect, "220 mx.test").await? {
            return Ok(());
        }
        let (mut from, mut to) = (String::new(), String::new());
        loop {
            let mut text = String::new();
            if line.read_line(&mut text).await? == 0 {
                return Ok(());
            }
            let text = text.trim_end().to_owned();
            let word = text.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            let goes_on = match word.as_str() {
                "EHLO" => {
                    let mut offers = self.offers.clone();
                    if self.acceptor.is_some() && !self.encrypted {
                        offers.push("STARTTLS");
                    }
                    let lines = offers.join("\r\n250-");
                    self.say(&mut line, At::Hello, &format!("250-mx.test\r\n250-{lines}\r\n250 8BITMIME"))
                        .await?
                }
                "STARTTLS" => {
                    if !self.say(&mut line, At::Starttls, "220 go on").await? {
                        return Ok(());
                    }
                    let Some(acceptor) = self.acceptor.take() else { return Ok(()) };
                    line = BufReader::new(Box::new(acceptor.accept(line.into_inner()).await?));
                    self.encrypted = true;
                    true
                }
                "AUTH" => {
                    self.user = Some(text.rsplit(' ').next().unwrap_or_default().to_owned());
                    self.say(&mut line, At::Login, "235 2.7.0 welcome").await?
                }
                "MAIL" => {
                    from = text;
                    self.say(&mut line, At::Sender, "250 2.1.0 ok").await?
                }
                "RCPT" => {
                    to = text;
                    self.say(&mut line, At::Recipient, "250 2.1.5 ok").await?
                }
                "DATA" => {
                    if self.say(&mut line, At::Data, "354 go on").await? {
                        self.take(&mut line, &from, &to).await?
                    } else {
                        false
                    }
                }
                "RSET" => self.say(&mut line, At::Reset, "250 2.0.0 ok").await?,
                "QUIT" => return Ok(()),
                _ => self.say(&mut line, At::Hello, "500 5.5.2 what?").await?,
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    async fn take(&self, line: &mut BufReader<Box<dyn Line>>, from: &str, to: &str) -> std::io::Result<bool> {
        let mut mail = String::new();
        let mut first = true;
        loop {
            let mut text = String::new();
            if line.read_line(&mut text).await? == 0 {
                return Ok(false);
            }
            if std::mem::take(&mut first) && self.state.lock().unwrap().act(At::Text).is_some() {
                return Ok(false);
            }
            if text == ".\r\n" {
                break;
            }
            mail += text.strip_prefix('.').unwrap_or(&text);
        }
        let taken = Taken {
            from: from.to_owned(),
            to: to.to_owned(),
            user: self.user.clone(),
            encrypted: self.encrypted,
            mail,
        };
        {
            let mut state = self.state.lock().unwrap();
            let act = state.script.iter().find(|(at, _)| *at == At::End).map(|(_, act)| act);
            // Silence comes after the mail was taken: a slow server.
            if matches!(act, None | Some(Act::KeepAndDrop | Act::Silence)) {
                state.taken.push(taken);
            }
        }
        self.say(line, At::End, "250 2.0.0 queued").await
    }
}
