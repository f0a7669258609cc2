//! Provider `smtp`: sends each mail of a sequence itself, through the mailbox that the contact stays with.
//!
//! A mail is accepted when the server has taken it, and in doubt only between the end of the mail and the server's word.
//! A mailbox's trouble is told apart from a contact's. Never picks a sender, a subject or a time: those come with the mail.

mod compose;
mod conversation;
mod dkim;
mod notice;
mod tls;
mod verdict;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use tokio::sync::Mutex as Turn;

use super::last_look::LastLook;
use super::{
    Answer, Destination, Item, Mail, Presence, Provider, ProviderError, SenderFault, secret, sent::SentFolder,
};
use crate::model::{ActionKind, Clock, Dkim, Mailbox, SmtpSettings, Verdict, domain_of};
use compose::compose;
use conversation::{Envelope, Server, Session};
use dkim::Signer;
pub use notice::{Notice, Notifier};

/// A connection is given up when it is as old as this, or has carried so many mails.
const OLDEST: Duration = Duration::from_mins(5);
const MOST_MAILS: u32 = 50;
/// Steps up to the end of a mail, each of which may take all its time.
const STEPS: u32 = 12;

/// A mailbox with its connection, which one mail at a time goes over.
struct Sender {
    mailbox: Mailbox,
    server: Server,
    session: Turn<Option<Session>>,
}

pub(super) struct SmtpProvider<'c> {
    settings: SmtpSettings,
    senders: BTreeMap<String, Sender>,
    signer: Option<Signer>,
    look: LastLook,
    sent: Box<dyn SentFolder + 'c>,
    faults: Mutex<Vec<SenderFault>>,
    clock: &'c dyn Clock,
}

fn signer(dkim: Option<&Dkim>, root: &Path) -> Result<Option<Signer>, ProviderError> {
    let Some(dkim) = dkim else { return Ok(None) };
    Signer::new(&dkim.domain, &dkim.selector, &secret::resolve::reference(&dkim.key, root)?).map(Some)
}

/// The server that the mailbox sends through, if it has one.
fn server(mailbox: &Mailbox, root: &Path, patience: Duration) -> Result<Option<Server>, ProviderError> {
    let Some(declared) = &mailbox.smtp else { return Ok(None) };
    let ca = declared.ca.as_ref().map(|path| root.join(path));
    let login = match (&declared.user, &declared.password) {
        (Some(user), Some(password)) => Some((user.clone(), secret::resolve::reference(password, root)?)),
        _ => None,
    };
    let domain = domain_of(&mailbox.address).unwrap_or("localhost");
    Ok(Some(Server {
        host: declared.host.clone(),
        port: declared.port,
        tls: declared.tls,
        connector: tls::connector(ca.as_deref())?,
        login,
        hello: compose::ascii_host(domain),
        patience,
    }))
}

/// `LEFT@` the domain that the mailbox writes from, as any server reads it; without angle brackets.
pub fn message_id(mailbox: &Mailbox, left: &str) -> String {
    format!("{left}@{}", compose::ascii_host(domain_of(&mailbox.address).unwrap_or("localhost")))
}

/// The mail as it would travel, its headers first. Nothing is sent.
pub(super) fn written(
    settings: &SmtpSettings,
    root: &Path,
    mail: &Mail,
    to: &str,
    clock: &dyn Clock,
) -> Result<Result<Vec<u8>, String>, ProviderError> {
    let signer = signer(settings.dkim.as_ref(), root)?;
    let Some(sender) = settings.senders.iter().find(|sender| sender.name == mail.sender) else {
        return Ok(Err(format!("there is no mailbox `{}` among the senders", mail.sender)));
    };
    Ok(compose(settings, signer.as_ref(), sender, mail, to, clock.now()).map(|composed| composed.bytes))
}

impl<'c> SmtpProvider<'c> {
    pub(super) fn new(
        settings: &SmtpSettings,
        root: &Path,
        clock: &'c dyn Clock,
        look: LastLook,
        sent: Box<dyn SentFolder + 'c>,
    ) -> Result<Self, ProviderError> {
        let mut senders = BTreeMap::new();
        for mailbox in &settings.senders {
            let Some(server) = server(mailbox, root, settings.timeout)? else { continue };
            let sender = Sender { mailbox: mailbox.clone(), server, session: Turn::default() };
            senders.insert(mailbox.name.clone(), sender);
        }
        let signer = signer(settings.dkim.as_ref(), root)?;
        Ok(Self { settings: settings.clone(), senders, signer, look, sent, faults: Mutex::default(), clock })
    }

    /// One mail after the other through one mailbox; after its first trouble the rest waits.
    async fn send_all(&self, name: &str, items: &[(usize, &Item, &Mail)]) -> Vec<(usize, Verdict)> {
        let mut verdicts = Vec::with_capacity(items.len());
        let Some(sender) = self.senders.get(name) else {
            let verdict = Verdict::Misconfigured(format!("there is no mailbox `{name}` among the senders"));
            return items.iter().map(|(at, ..)| (*at, verdict.clone())).collect();
        };
        let mut stopped: Option<Verdict> = None;
        let mut copies = Vec::new();
        for (at, item, mail) in items {
            let verdict = match &stopped {
                Some(verdict) => verdict.clone(),
                None => {
                    let (verdict, fault) = self.send(sender, item, mail, &mut copies).await;
                    if let Some(fault) = fault {
                        stopped =
                            Some(Verdict::Retry { after: Some(fault.pause), reason: fault.reason.clone() });
                        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
                    }
                    verdict
                }
            };
            verdicts.push((*at, verdict));
        }
        if !copies.is_empty() {
            self.sent.keep(&sender.mailbox, &copies).await;
        }
        verdicts
    }

    async fn send(
        &self,
        sender: &Sender,
        item: &Item,
        mail: &Mail,
        copies: &mut Vec<Vec<u8>>,
    ) -> (Verdict, Option<SenderFault>) {
        let composed = compose(
            &self.settings,
            self.signer.as_ref(),
            &sender.mailbox,
            mail,
            &item.email,
            self.clock.now(),
        );
        let composed = match composed {
            Ok(composed) => composed,
            Err(reason) => return (Verdict::Refused(reason), None),
        };
        let envelope = Envelope { from: &composed.return_path, to: &composed.to, id: &mail.return_token };
        let mut place = sender.session.lock().await;
        let mut session = match ready(place.take()).await {
            Some(session) => session,
            None => match Session::open(&sender.server).await {
                Ok(session) => session,
                Err(failure) => return Self::judged(sender, &failure),
            },
        };
        let may_go = self.sent.may_go(&item.key);
        match session.send(&envelope, &composed.bytes, &self.look.for_call(), may_go).await {
            Ok(()) => {
                *place = Some(session);
                if sender.mailbox.imap.as_ref().is_some_and(|imap| imap.append_sent) {
                    copies.push(composed.bytes);
                }
                (Verdict::Accepted, None)
            }
            Err(failure) => {
                // A server that said no goes on talking; anything else leaves the connection in an unknown state.
                if let conversation::Failure::Refused(_, reply) = &failure
                    && reply.code != 421
                {
                    *place = Some(session);
                }
                Self::judged(sender, &failure)
            }
        }
    }

    fn judged(sender: &Sender, failure: &conversation::Failure) -> (Verdict, Option<SenderFault>) {
        let judgement = verdict::judge(failure);
        let fault = judgement.pause.map(|pause| SenderFault {
            mailbox: sender.mailbox.name.clone(),
            pause,
            reason: judgement.reason,
        });
        (judgement.verdict, fault)
    }

    async fn deliver(&self, items: &[Item]) -> Answer {
        // What is not a mail needs no call: nothing lies at a server of ours.
        let mut verdicts = vec![Verdict::Accepted; items.len()];
        let mut by_sender: BTreeMap<&str, Vec<(usize, &Item, &Mail)>> = BTreeMap::new();
        for (at, item) in items.iter().enumerate() {
            if let Some(mail) = &item.mail {
                by_sender.entry(&mail.sender).or_default().push((at, item, mail));
            } else if matches!(item.action, ActionKind::Enroll | ActionKind::Send) {
                verdicts[at] = Verdict::Refused("no mail was made for it".to_owned());
            }
        }
        let calls = by_sender.iter().map(|(name, items)| self.send_all(name, items));
        for (at, verdict) in join_all(calls).await.into_iter().flatten() {
            verdicts[at] = verdict;
        }
        Answer::Items(verdicts)
    }

    /// A mail that lies among the sent ones has left. One that does not may have left all the same: not every server
    /// keeps them, and the copy may be on its way.
    async fn presences(&self, items: &[Item]) -> Result<Vec<Presence>, ProviderError> {
        let mut found = vec![Presence::Unknown; items.len()];
        let names: BTreeSet<&str> =
            items.iter().filter_map(|item| Some(item.mail.as_ref()?.sender.as_str())).collect();
        for sender in names.into_iter().filter_map(|name| self.senders.get(name)) {
            let (places, ids): (Vec<usize>, Vec<String>) = items
                .iter()
                .enumerate()
                .filter_map(|(at, item)| Some((at, item.mail.as_ref()?)))
                .filter(|(_, mail)| mail.sender == sender.mailbox.name)
                .map(|(at, mail)| (at, mail.message_id.clone()))
                .unzip();
            let held = self.sent.holds(&sender.mailbox, &ids).await?;
            for (at, held) in places.into_iter().zip(held) {
                if held {
                    found[at] = Presence::Here;
                }
            }
        }
        // Nothing was handed over for these.
        for (at, item) in items.iter().enumerate() {
            if item.mail.is_none() {
                found[at] = Presence::NotHere;
            }
        }
        Ok(found)
    }
}

/// The connection of the last mail, if it can carry another.
async fn ready(session: Option<Session>) -> Option<Session> {
    let mut session = session?;
    if session.opened.elapsed() < OLDEST && session.mails < MOST_MAILS && session.is_ready().await {
        return Some(session);
    }
    session.close().await;
    None
}

impl Provider for SmtpProvider<'_> {
    fn perform<'a>(&'a self, _to: &'a Destination, items: &'a [Item]) -> BoxFuture<'a, Answer> {
        Box::pin(self.deliver(items))
    }

    fn look_up<'a>(
        &'a self,
        _to: &'a Destination,
        items: &'a [Item],
    ) -> BoxFuture<'a, Result<Vec<Presence>, ProviderError>> {
        Box::pin(self.presences(items))
    }

    fn sender_faults(&self) -> Vec<SenderFault> {
        std::mem::take(&mut *self.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Of one mail: a dozen steps at most, and the wait at its end.
    fn timeout(&self) -> Duration {
        self.senders
            .values()
            .map(|sender| sender.server.patience * STEPS + sender.server.patience_at_the_end())
            .max()
            .unwrap_or(self.settings.timeout)
    }
}
