//! Senders' folders of sent mails: whether a mail in doubt is there, and copies of what was accepted.

use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::timeout;
use tracing::warn;

use super::account;
use crate::mailbox;
use crate::model::{Clock, Mailbox, PushKey};
use crate::provider::{ProviderError, SentFolder};
use crate::reconcile::ReconcileError;
use crate::store::{Store, pushes};

/// Verdicts wait for the copies, and leases are held meanwhile.
const KEEPING: Duration = Duration::from_secs(30);
/// A server waits for the end of a mail meanwhile.
const ASKING: Duration = Duration::from_secs(5);

/// The folders that senders' servers keep what was sent in.
#[derive(Clone, Copy)]
pub struct SentMails<'c> {
    store: &'c Store,
    clock: &'c dyn Clock,
    /// The project folder.
    root: &'c Path,
}

impl<'c> SentMails<'c> {
    pub const fn new(store: &'c Store, clock: &'c dyn Clock, root: &'c Path) -> Self {
        Self { store, clock, root }
    }

    /// Of each Message-ID whether the mailbox holds it among what was sent. Where there is nowhere to look nothing is found.
    async fn search(&self, mailbox: &Mailbox, message_ids: &[String]) -> Result<Vec<bool>, ReconcileError> {
        let place = mailbox.imap.as_ref().and_then(|imap| Some((imap, imap.sent.as_ref()?)));
        let Some((imap, folder)) = place else { return Ok(vec![false; message_ids.len()]) };
        let account = account(self.root, &imap.server)?;
        Ok(mailbox::holds(&account, folder, message_ids).await?)
    }

    /// Puts copies of accepted mails where their sender looks for them.
    async fn add(&self, mailbox: &Mailbox, mails: &[Vec<u8>]) -> Result<(), ReconcileError> {
        let place = mailbox.imap.as_ref().filter(|imap| imap.append_sent);
        let Some((imap, folder)) = place.and_then(|imap| Some((imap, imap.sent.as_ref()?))) else {
            return Ok(());
        };
        let account = account(self.root, &imap.server)?;
        Ok(mailbox::append(&account, folder, mails).await?)
    }
}

impl SentFolder for SentMails<'_> {
    fn holds<'a>(
        &'a self,
        mailbox: &'a Mailbox,
        message_ids: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<bool>, ProviderError>> {
        Box::pin(async move {
            let found = self.search(mailbox, message_ids).await;
            // One folder that cannot be looked into must not keep the others' mails in doubt.
            Ok(found.unwrap_or_else(|error| {
                warn!(mailbox = mailbox.name, code = error.code(), "could not look among the sent mails");
                vec![false; message_ids.len()]
            }))
        })
    }

    fn may_go<'a>(&'a self, key: &'a PushKey) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            match timeout(ASKING, pushes::may_go(self.store, *key, self.clock.now())).await {
                Ok(Ok(may_go)) => may_go,
                // Who cannot ask does not send.
                Ok(Err(_)) | Err(_) => {
                    warn!(push = %key, "could not ask whether a mail may still go");
                    false
                }
            }
        })
    }

    fn keep<'a>(&'a self, mailbox: &'a Mailbox, mails: &'a [Vec<u8>]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let code = match timeout(KEEPING, self.add(mailbox, mails)).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.code(),
                Err(_) => "Slow",
            };
            warn!(mailbox = mailbox.name, code, "no copy among the sent mails");
        })
    }
}
