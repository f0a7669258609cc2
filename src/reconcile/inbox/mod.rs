//! Answers: mailboxes are read where they were left, and what is read is brought to bear on contacts.
//!
//! One process reads a mailbox, under a lease. Reading a mail twice changes nothing, so that a reader may end anywhere. A
//! mailbox that cannot be read says so in its row; what that means for sending is not decided here.

mod decide;
mod follow;
mod judge;
mod sent;

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use secrecy::SecretString;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use self::judge::{Bench, Found};
use super::{Context, ReconcileError, held};
use crate::mailbox::{self, Account, Batch, Checkpoint, MailboxError, Reader};
use crate::model::{Campaign, Colleagues, ImapSettings, MailServer, Mailbox, normalize_address};
use crate::provider::resolve_secret;
use crate::store::StoreError;
use crate::store::feedback::TakenIn;
use crate::store::replies::feed as mailboxes;
use crate::store::replies::{self, Place, Terms};

pub use decide::{Changed, correct, reclassify};
pub use follow::follow;
pub use sent::SentMails;

/// Of a folder that was never read, or that was made anew, older mails answer nothing of ours any more.
const HORIZON: TimeDelta = TimeDelta::days(90);
/// How long a pass waits for a mailbox that somebody has just begun to follow.
const BEGINNING: Duration = Duration::from_secs(5);
/// What was read so lately is not read again before a pass.
const FRESH: TimeDelta = TimeDelta::milliseconds(500);

/// Why a mailbox is not read.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    Mailbox(#[from] MailboxError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Other(#[from] ReconcileError),
}

impl Unread {
    fn code(&self) -> &'static str {
        match self {
            Self::Mailbox(error) => error.code(),
            Self::Store(_) => "Database",
            Self::Other(error) => error.code(),
        }
    }

    /// For people: the whole chain.
    fn words(&self) -> String {
        match self {
            Self::Mailbox(error) => crate::store::causes(error).join(": "),
            Self::Store(error) => crate::store::causes(error).join(": "),
            Self::Other(error) => error.chain(),
        }
    }
}

impl From<Unread> for ReconcileError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Mailbox(source) => Self::Mailbox(source),
            Unread::Store(error) => error.into(),
            Unread::Other(error) => error,
        }
    }
}

fn lease_name(mailbox: &Mailbox) -> String {
    format!("mailbox:{}", mailbox.name)
}

async fn note_fault(context: &Context<'_>, mailbox: &Mailbox, fault: &Unread) {
    if let Err(error) = mailboxes::failed(context.store, &mailbox.name, &fault.words()).await {
        warn!(mailbox = mailbox.name, error = %error, "its fault is not written down");
    }
}

async fn open(
    context: &Context<'_>,
    mailbox: &Mailbox,
    imap: &ImapSettings,
) -> Result<(Bench, Reader), Unread> {
    let bench = bench(context)?;
    let account = account(context.root, &imap.server)?;
    let known: Vec<Checkpoint> = replies::places(context.store, &mailbox.name)
        .await?
        .into_iter()
        .filter_map(|place| {
            Some(Checkpoint {
                folder: place.folder,
                uid_validity: place.uid_validity.try_into().ok()?,
                last_uid: place.last_uid.try_into().ok()?,
            })
        })
        .collect();
    let horizon = (context.clock.now() - HORIZON).date_naive();
    Ok((bench, Reader::open(&account, &imap.folders, &known, horizon).await?))
}

/// Every folder to its end.
#[tracing::instrument(name = "read", skip_all, fields(mailbox = mailbox.name))]
async fn round(
    context: &Context<'_>,
    mailbox: &Mailbox,
    bench: &Bench,
    reader: &mut Reader,
    heard: &dyn Fn(),
) -> Result<TakenIn, Unread> {
    let started = context.clock.now();
    let terms = terms(context);
    let mut taken = TakenIn::default();
    while let Some(batch) = reader.next().await? {
        let place = batch.checkpoint.clone();
        let one = take_in(context, mailbox, bench, batch, &terms).await?;
        reader.stored(&place);
        if (TakenIn { strangers: 0, ..one }) != TakenIn::default() {
            info!(
                mailbox = mailbox.name,
                moved = one.moved,
                written = one.written,
                stopped = one.stopped,
                "mails have come"
            );
            heard();
        }
        taken += one;
    }
    mailboxes::read(context.store, &mailbox.name, started).await?;
    Ok(taken)
}

async fn take_in(
    context: &Context<'_>,
    mailbox: &Mailbox,
    bench: &Bench,
    batch: Batch,
    terms: &Terms,
) -> Result<TakenIn, Unread> {
    let Batch { checkpoint, mails } = batch;
    let now = context.clock.now();
    let incoming: Vec<_> = mails
        .into_iter()
        .map(|mail| {
            let found = Found {
                mailbox: &mailbox.name,
                folder: &checkpoint.folder,
                uid_validity: checkpoint.uid_validity,
                uid: mail.uid,
                received_at: mail.received_at.unwrap_or(now),
                timezone: mailbox.timezone,
            };
            bench.incoming(&found, mail.bytes)
        })
        .collect();
    let place = Place {
        folder: checkpoint.folder,
        uid_validity: checkpoint.uid_validity.into(),
        last_uid: checkpoint.last_uid.into(),
    };
    let terms = Terms { now, ..terms.clone() };
    Ok(replies::take_in(context.store, &mailbox.name, &place, &incoming, &terms).await?)
}

/// Reads one mailbox to its end, now. `None`: another process reads it, and what it hears is heard here.
pub async fn read_once(context: &Context<'_>, mailbox: &Mailbox) -> Result<Option<TakenIn>, ReconcileError> {
    let Some(imap) = &mailbox.imap else { return Ok(None) };
    let lease = match held::take_within(context, lease_name(mailbox), Duration::ZERO).await {
        Err(ReconcileError::LeaseHeld(_)) => return Ok(None),
        lease => lease?,
    };
    let work = async {
        let result = async {
            let (bench, mut reader) = open(context, mailbox, imap).await?;
            let taken = round(context, mailbox, &bench, &mut reader, &|| ()).await?;
            reader.close().await;
            Ok::<_, Unread>(taken)
        }
        .await;
        if let Err(fault) = &result {
            note_fault(context, mailbox, fault).await;
        }
        Ok(result?)
    };
    let result = held::while_held(context, &lease, work).await;
    held::give_back(context, &lease).await;
    result.map(Some)
}

/// Reads the mailboxes that were not read just now and that nobody follows. One that cannot be read fails nothing: it
/// is stale after a while, and does not send then.
pub(super) async fn read_due(context: &Context<'_>) -> Result<(), ReconcileError> {
    if context.manifest.project.mailboxes.values().all(|mailbox| mailbox.imap.is_none()) {
        return Ok(());
    }
    let read_at = mailboxes::list(context.store).await?;
    let now = context.clock.now();
    let due = context.manifest.project.mailboxes.values().filter(|mailbox| {
        let read = read_at.iter().find(|row| row.name == mailbox.name).and_then(|row| row.read_at);
        mailbox.imap.is_some() && read.is_none_or(|read| read + FRESH <= now)
    });
    let read = join_all(due.map(|mailbox| async move { (mailbox, read_once(context, mailbox).await) })).await;
    for (mailbox, result) in read {
        match result {
            Ok(Some(_)) => {}
            Ok(None) => soon_read(context, mailbox).await?,
            Err(error) => warn!(mailbox = mailbox.name, code = error.code(), "the mailbox cannot be read"),
        }
    }
    Ok(())
}

/// Whoever follows a mailbox may have begun just now: until it has been through once, nothing could be sent.
async fn soon_read(context: &Context<'_>, mailbox: &Mailbox) -> Result<(), ReconcileError> {
    let end = Instant::now() + BEGINNING;
    while Instant::now() < end {
        let rows = mailboxes::list(context.store).await?;
        let row = rows.iter().find(|row| row.name == mailbox.name);
        let is_broken = row.is_some_and(|row| row.read_fault.is_some());
        if is_broken || !is_stale(mailbox, row, context.clock.now()) {
            break;
        }
        sleep(held::POLL).await;
    }
    Ok(())
}

/// Brings early answers of a campaign to bear, now that their pushes are settled.
pub(super) async fn catch_up(context: &Context<'_>, campaign: &Campaign) -> Result<(), ReconcileError> {
    let taken = replies::catch_up(context.store, campaign.number, &terms(context)).await?;
    if taken != TakenIn::default() {
        info!(
            campaign = campaign.number,
            moved = taken.moved,
            "answers had come before their mails were settled"
        );
    }
    Ok(())
}

/// Mailboxes of the campaign's senders that were not read for longer than they may be.
pub(super) async fn stale(context: &Context<'_>, campaign: &Campaign) -> Result<Vec<String>, ReconcileError> {
    let providers = &context.manifest.project.providers;
    let Some(settings) = providers.get(&campaign.provider).and_then(|provider| provider.kind.smtp()) else {
        return Ok(Vec::new());
    };
    let rows = mailboxes::list(context.store).await?;
    let now = context.clock.now();
    Ok(settings
        .senders
        .iter()
        .filter(|sender| is_stale(sender, rows.iter().find(|row| row.name == sender.name), now))
        .map(|sender| sender.name.clone())
        .collect())
}

/// Whether a mailbox that answers are read in was not read for longer than it may be.
pub fn is_stale(mailbox: &Mailbox, row: Option<&mailboxes::Row>, now: DateTime<Utc>) -> bool {
    mailbox.is_stale(row.and_then(|row| row.read_at), now)
}

fn terms(context: &Context<'_>) -> Terms {
    let settings = &context.manifest.project.replies;
    let sparing = context.manifest.campaigns.iter().filter(|one| one.colleagues == Colleagues::Pause);
    Terms {
        now: context.clock.now(),
        sparing: sparing.map(|campaign| campaign.number).collect(),
        soft_bounces: settings.soft_bounces,
        within: i64::try_from(settings.within.as_secs()).unwrap_or(i64::MAX),
    }
}

fn bench(context: &Context<'_>) -> Result<Bench, ReconcileError> {
    let project = &context.manifest.project;
    let mut secrets = Vec::new();
    for provider in project.providers.values() {
        let Some(settings) = provider.kind.smtp() else { continue };
        for secret in std::iter::once(&settings.key).chain(&settings.previous_keys) {
            secrets
                .push(resolve_secret::reference(secret, context.root).map_err(|source| {
                    ReconcileError::Provider { provider: provider.name.clone(), source }
                })?);
        }
    }
    Ok(judging(context, secrets))
}

/// Without secrets it tells what a mail is, and not whom it answers.
fn judging(context: &Context<'_>, secrets: Vec<SecretString>) -> Bench {
    let project = &context.manifest.project;
    let away = TimeDelta::from_std(project.replies.away).unwrap_or(TimeDelta::days(3));
    let ours = project.mailboxes.values().map(|mailbox| normalize_address(&mailbox.address)).collect();
    Bench { ours, secrets, away }
}

/// The server of a mailbox with its password.
fn account(root: &Path, server: &MailServer) -> Result<Account, ReconcileError> {
    let password = match &server.password {
        Some(secret) => resolve_secret::reference(secret, root)
            .map_err(|source| ReconcileError::Provider { provider: server.host.clone(), source })?,
        None => String::new().into(),
    };
    Ok(mailbox::Account {
        host: server.host.clone(),
        port: server.port,
        tls: server.tls,
        user: server.user.clone().unwrap_or_default(),
        password,
        ca: server.ca.as_ref().map(|path| root.join(path)),
    })
}
