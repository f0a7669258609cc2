//! Senders' folders of sent mails: whether a mail in doubt is there, and copies of what was accepted.

use futures_util::future::BoxFuture;
use tracing::warn;

use super::account;
use crate::mailbox;
use crate::model::Mailbox;
use crate::reconcile::Context;

/// The folders that senders' servers keep what was sent in.
pub struct SentMails<'c> {
    context: &'c Context<'c>,
}

impl<'c> SentMails<'c> {
    pub const fn new(context: &'c Context<'c>) -> Self {
        Self { context }
    }

    /// Of each Message-ID whether the mailbox holds it among what was sent; `None` where there is nowhere to look.
    pub fn holds<'a>(
        &'a self,
        mailbox: &'a Mailbox,
        message_ids: &'a [String],
    ) -> BoxFuture<'a, Result<Option<Vec<bool>>, super::ReconcileError>> {
        Box::pin(async move {
            let Some(imap) = &mailbox.imap else { return Ok(None) };
            let Some(folder) = &imap.sent else { return Ok(None) };
            let account = account(self.context, &imap.server)?;
            Ok(Some(mailbox::holds(&account, folder, message_ids).await?))
        })
    }

    /// Puts copies of accepted mails where their sender looks for them. They went out already: a fault is told and no more.
    pub fn keep<'a>(&'a self, mailbox: &'a Mailbox, mails: &'a [Vec<u8>]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Some(imap) = mailbox.imap.as_ref().filter(|imap| imap.append_sent) else { return };
            let Some(folder) = &imap.sent else { return };
            let done = async {
                let account = account(self.context, &imap.server)?;
                Ok::<_, super::ReconcileError>(mailbox::append(&account, folder, mails).await?)
            };
            if let Err(error) = done.await {
                warn!(mailbox = mailbox.name, code = error.code(), "no copy among the sent mails");
            }
        })
    }
}
