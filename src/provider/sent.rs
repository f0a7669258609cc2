//! What a sender has to ask elsewhere: the folder of what was sent, and whether a mail may still go.

use futures_util::future::BoxFuture;

use super::ProviderError;
use crate::model::{Mailbox, PushKey};

/// Looks among the sent mails of a mailbox, and at the stops that came meanwhile.
pub trait SentFolder: Send + Sync {
    /// Says of each Message-ID (without brackets) whether it lies there, in their order.
    fn holds<'a>(
        &'a self,
        mailbox: &'a Mailbox,
        message_ids: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<bool>, ProviderError>>;

    /// Whether nothing has stopped a mail since it was taken up: asked when all but its end is said.
    fn may_go<'a>(&'a self, key: &'a PushKey) -> BoxFuture<'a, bool>;

    /// Puts copies of mails there that were accepted, where the mailbox wants that. They went out already: a fault is told and
    /// no more.
    fn keep<'a>(&'a self, mailbox: &'a Mailbox, mails: &'a [Vec<u8>]) -> BoxFuture<'a, ()>;
}

/// Nobody looks: nothing is found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unseen;

impl SentFolder for Unseen {
    fn holds<'a>(
        &'a self,
        _mailbox: &'a Mailbox,
        message_ids: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<bool>, ProviderError>> {
        Box::pin(std::future::ready(Ok(vec![false; message_ids.len()])))
    }

    fn may_go<'a>(&'a self, _key: &'a PushKey) -> BoxFuture<'a, bool> {
        Box::pin(std::future::ready(true))
    }

    fn keep<'a>(&'a self, _mailbox: &'a Mailbox, _mails: &'a [Vec<u8>]) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}
