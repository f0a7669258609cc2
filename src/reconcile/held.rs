//! Leases for as long as work goes on.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use super::{Context, ReconcileError};
use crate::store::{self, Lease};

/// How often a waiting pass tries again.
pub(super) const POLL: Duration = Duration::from_millis(200);

/// Takes a lease, waiting for a holder that died to run out: at most one lease length and a bit.
pub(super) async fn take(context: &Context<'_>, name: String) -> Result<Lease, ReconcileError> {
    let patience = context.manifest.project.lease + Duration::from_secs(1);
    take_within(context, name, patience).await
}

/// Takes a lease, waiting for up to `patience`.
pub(super) async fn take_within(
    context: &Context<'_>,
    name: String,
    patience: Duration,
) -> Result<Lease, ReconcileError> {
    let length = context.manifest.project.lease;
    let deadline = Instant::now() + patience;
    loop {
        if let Some(lease) = store::acquire(context.store, name.clone(), context.holder, length).await? {
            return Ok(lease);
        }
        if Instant::now() >= deadline {
            return Err(ReconcileError::LeaseHeld(name));
        }
        debug!(lease = name, "waiting for a lease");
        sleep(POLL).await;
    }
}

/// Does the work and renews the lease meanwhile; gives the work up when the lease is lost.
pub(super) async fn while_held<T>(
    context: &Context<'_>,
    lease: &Lease,
    work: impl Future<Output = Result<T, ReconcileError>>,
) -> Result<T, ReconcileError> {
    tokio::select! {
        result = work => result,
        name = until_lost(context, lease) => Err(ReconcileError::LeaseLost(name)),
    }
}

async fn until_lost(context: &Context<'_>, lease: &Lease) -> String {
    loop {
        sleep(lease.renewal()).await;
        match store::renew(context.store, lease).await {
            Ok(true) => {}
            Ok(false) => return lease.name.clone(),
            // The statements of the work itself check the lease; a renewal that fails once may go
            // through the next time, and if it does not, the lease ends by itself.
            Err(error) => warn!(lease = lease.name, error = %error, "could not renew a lease"),
        }
    }
}

/// Gives the lease back; when that fails it ends by itself.
pub(super) async fn give_back(context: &Context<'_>, lease: &Lease) {
    if let Err(error) = store::release(context.store, lease).await {
        debug!(lease = lease.name, error = %error, "could not give a lease back");
    }
}
