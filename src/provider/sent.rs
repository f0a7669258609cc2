//! Where the server of a mailbox keeps what was sent from it; it is read elsewhere.

use futures_util::future::BoxFuture;

use super::ProviderError;
use crate::model::Mailbox;

/// Looks among the sent mails of a mailbox.
pub trait SentFolder: Send + Sync {
    /// Says of each Message-ID (without brackets) whether it lies there, in their order.
    fn holds<'a>(
        &'a self,
        mailbox: &'a Mailbox,
        message_ids: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<bool>, ProviderError>>;
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
}
