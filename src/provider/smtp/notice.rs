//! Mails to whoever runs outreachd. None of them is outreach: no contact, no limit and no ledger knows of them.
//!
//! Never sends one again by itself.

use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::compose::compose_notice;
use super::conversation::{Envelope, Server, Session};
use super::dkim::Signer;
use super::verdict::judge;
use crate::model::{Dkim, Mailbox, Term, Verdict};
use crate::provider::ProviderError;
use crate::provider::last_look::LastLook;

/// For each step of the conversation.
const PATIENCE: Duration = Duration::from_secs(10);
/// A conversation that has come no further by then is given up before the end of the mail.
const LONGEST: Duration = Duration::from_secs(30);

/// One mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub to: String,
    /// Of its Message-ID, before the `@`: the same when it is sent again.
    pub id: String,
    pub subject: String,
    pub text: String,
}

/// Sends notices through one mailbox, over one connection.
pub struct Notifier {
    mailbox: Mailbox,
    server: Option<Server>,
    signer: Option<Signer>,
    session: Option<Session>,
}

impl Notifier {
    /// `dkim`: what mails of the mailbox are signed with.
    pub fn new(mailbox: &Mailbox, dkim: Option<&Dkim>, root: &Path) -> Result<Self, ProviderError> {
        Ok(Self {
            server: super::server(mailbox, root, PATIENCE)?,
            signer: super::signer(dkim, root)?,
            mailbox: mailbox.clone(),
            session: None,
        })
    }

    /// Hands one over, and says what became of it.
    pub async fn send(&mut self, notice: &Notice, now: DateTime<Utc>) -> Verdict {
        let Some(server) = &self.server else {
            return Verdict::Misconfigured(format!("the mailbox `{}` has no `smtp`", self.mailbox.name));
        };
        let composed = match compose_notice(self.signer.as_ref(), &self.mailbox, notice, now) {
            Ok(composed) => composed,
            Err(reason) => return Verdict::Refused(reason),
        };
        let look = LastLook::new(Some(Term::until(Instant::now() + LONGEST)));
        let mut session = match self.session.take() {
            Some(session) => session,
            None => match Session::open(server).await {
                Ok(session) => session,
                Err(failure) => return judge(&failure).verdict,
            },
        };
        let envelope = Envelope { from: &composed.return_path, to: &composed.to, id: &notice.id };
        match session.send(&envelope, &composed.bytes, &look, std::future::ready(true)).await {
            Ok(()) => {
                self.session = Some(session);
                Verdict::Accepted
            }
            Err(failure) => judge(&failure).verdict,
        }
    }

    /// Says goodbye.
    pub async fn close(self) {
        if let Some(session) = self.session {
            session.close().await;
        }
    }
}
