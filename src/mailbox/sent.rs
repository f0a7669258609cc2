//! The folder of sent mails: whether it holds a mail of ours, and a copy put there where the server makes none.

use tokio::time::timeout;

use super::MailboxError;
use super::connection::{ANSWERING, Account, Connection};
use super::name::encoded;

/// Looks each Message-ID (without its angle brackets) up in a folder, in their order.
pub async fn holds(
    account: &Account,
    folder: &str,
    message_ids: &[String],
) -> Result<Vec<bool>, MailboxError> {
    let mut connection = Connection::open(account).await?;
    connection.examine(folder).await?;
    let mut found = Vec::with_capacity(message_ids.len());
    for id in message_ids {
        // The search is for a part of the header, and an id within its brackets is part of no other.
        let quoted = id.replace('\\', "\\\\").replace('"', "\\\"");
        found.push(!connection.search(&format!("HEADER Message-ID \"<{quoted}>\"")).await?.is_empty());
    }
    connection.close().await;
    Ok(found)
}

/// Puts copies of mails into a folder, as read by its owner.
pub async fn append(account: &Account, folder: &str, mails: &[Vec<u8>]) -> Result<(), MailboxError> {
    let doing = "keep a sent mail";
    let mut connection = Connection::open(account).await?;
    for mail in mails {
        let session = connection.session()?;
        let adding = session.append(encoded(folder), Some("(\\Seen)"), None, mail);
        match timeout(ANSWERING, adding).await {
            Ok(done) => done.map_err(|error| match MailboxError::of(doing, error) {
                MailboxError::Refused { words, .. } => {
                    MailboxError::Folder { folder: folder.to_owned(), words }
                }
                other => other,
            })?,
            Err(_) => return Err(MailboxError::Slow { doing, patience: ANSWERING }),
        }
    }
    connection.close().await;
    Ok(())
}
