//! Mailboxes over IMAP: read from where they were left, and asked what was sent.
//!
//! TLS is verified and never dropped; every step has its time and every batch its size. Folders that answers come into are
//! opened read-only. Never writes the database, never marks a mail as seen, never decides what a mail means.

mod connection;
mod error;
mod name;
mod reader;
mod sent;
mod tls;

pub use connection::Account;
pub use error::MailboxError;
pub use reader::{Batch, Checkpoint, MAIL_AT_MOST, RawMail, Reader};
pub use sent::{append, holds};
