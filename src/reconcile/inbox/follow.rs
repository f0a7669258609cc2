//! One mailbox, read for as long as the process runs: under a lease, with a new connection after every fault.

use std::future::Future;
use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use super::{Context, ReconcileError, Unread, held, lease_name, note_fault, open, round};
use crate::model::{ImapSettings, Mailbox};
use crate::store::Lease;

/// After a failure: 1 s, 2 s, 4 s ... up to this.
const LONGEST_BACKOFF: Duration = Duration::from_mins(2);
const LONGEST_LOCKED: Duration = Duration::from_mins(15);
const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// Reads a mailbox for ever, or until `ended`; `heard` is called when a mail has changed something.
pub async fn follow(
    context: &Context<'_>,
    mailbox: &Mailbox,
    heard: &dyn Fn(),
    ended: impl Future<Output = ()>,
) {
    let Some(imap) = &mailbox.imap else { return };
    let mut ended = std::pin::pin!(ended);
    loop {
        let lease = tokio::select! {
            lease = turn(context, mailbox) => lease,
            () = &mut ended => return,
        };
        let lost = tokio::select! {
            lost = held::while_held(context, &lease, keep_reading(context, mailbox, imap, heard)) => lost,
            () = &mut ended => {
                held::give_back(context, &lease).await;
                return;
            }
        };
        if let Err(error) = lost {
            warn!(mailbox = mailbox.name, error = error.chain(), "another process reads the mailbox now");
        }
    }
}

/// Waits until it is our turn to read: another process may do so.
async fn turn(context: &Context<'_>, mailbox: &Mailbox) -> Lease {
    let pause = (context.manifest.project.lease / 3).max(Duration::from_millis(200));
    loop {
        match held::take_within(context, lease_name(mailbox), Duration::ZERO).await {
            Ok(lease) => return lease,
            Err(ReconcileError::LeaseHeld(_)) => {}
            Err(error) => warn!(mailbox = mailbox.name, error = error.chain(), "could not take a lease"),
        }
        sleep(pause).await;
    }
}

async fn keep_reading(
    context: &Context<'_>,
    mailbox: &Mailbox,
    imap: &ImapSettings,
    heard: &dyn Fn(),
) -> Result<(), ReconcileError> {
    let mut failures = 0_u32;
    loop {
        let fault = until_it_fails(context, mailbox, imap, heard, &mut failures).await;
        warn!(mailbox = mailbox.name, code = fault.code(), "the mailbox cannot be read; tried again");
        note_fault(context, mailbox, &fault).await;
        // Who is turned away again and again is locked out.
        let longest = if fault.code() == "LoginRefused" { LONGEST_LOCKED } else { LONGEST_BACKOFF };
        sleep(FIRST_BACKOFF.saturating_mul(1 << failures.min(12)).min(longest)).await;
        failures += 1;
    }
}

/// Never comes to an end but by a fault.
async fn until_it_fails(
    context: &Context<'_>,
    mailbox: &Mailbox,
    imap: &ImapSettings,
    heard: &dyn Fn(),
    failures: &mut u32,
) -> Unread {
    let work = async {
        let (bench, mut reader) = open(context, mailbox, imap).await?;
        loop {
            round(context, mailbox, &bench, &mut reader, heard).await?;
            *failures = 0;
            reader.wait(imap.poll_every).await?;
        }
    };
    let ended: Result<std::convert::Infallible, Unread> = work.await;
    match ended {
        Err(fault) => fault,
        Ok(never) => match never {},
    }
}
