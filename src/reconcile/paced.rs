//! Handing over where each call waits for its turn on the account's budget. Several calls are under way at once, so
//! that a slow answer costs no turns; nothing is claimed before its turn has come.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::batch::Handed;
use super::budget::Budget;
use super::push::{Ended, Pushed, Turn};
use super::{ReconcileError, destination};
use crate::provider::Destination;
use crate::store::pushes::{self, Batch, Claimed, Gate, Settled};

/// Withdrawals and updates that are claimed at once: each is a call of its own, and a stop must not wait for many.
const SINGLES: u32 = 4;
/// Batches that are settled at once: on a slow database the others wait here, and not for the connections with which
/// leases are renewed.
const SETTLED_AT_ONCE: usize = 2;
const MOMENT: Duration = Duration::from_millis(20);

impl Turn<'_> {
    pub(super) async fn take_paced(
        &self,
        budget: &Budget<'_>,
        pushed: &mut Pushed,
    ) -> Result<Ended, ReconcileError> {
        let Self { context, campaign, account, .. } = *self;
        let to = destination(campaign, account);
        let most = account.provider.at_once();
        let stops_under_way = AtomicUsize::new(0);
        let settling = Semaphore::new(SETTLED_AT_ONCE);
        let mut under_way = FuturesUnordered::new();
        // What ends the turn; what is under way is settled first.
        let mut end: Option<Result<Ended, ReconcileError>> = None;
        let mut nothing_due = false;
        // Once it has begun a claim is seen through: a claim that is given up half-way leaves pushes in doubt.
        let claiming = AtomicBool::new(false);
        // Kept over the rounds: a turn that was reserved is not given up.
        let mut next = Box::pin(self.claim_in_turn(budget, 0, &stops_under_way, &claiming));
        loop {
            if end.is_none() && context.stop.is_asked() {
                end = Some(Ok(Ended::Stopping));
            } else if end.is_none() && account.lease.is_wanted() {
                end = Some(Ok(Ended::Yielded));
            }
            let claims = end.is_none() && !nothing_due && under_way.len() < most;
            let claims = claims || claiming.load(Ordering::SeqCst);
            tokio::select! {
                Some(done) = under_way.next() => {
                    nothing_due = false;
                    let done: Result<(Handed, Settled), ReconcileError> = done;
                    let failed = match done {
                        Ok((handed, settled)) => {
                            pushed.settled += settled;
                            handed.misconfigured.map(|message| {
                                let provider = campaign.provider.clone();
                                ReconcileError::Misconfigured { provider, message }
                            })
                        }
                        Err(error) => Some(error),
                    };
                    if let Some(error) = failed {
                        end = Some(Err(error));
                    }
                }
                claimed = &mut next, if claims => {
                    let mut spare = 0;
                    match claimed {
                        Ok(Claim { batch, turns, stops }) => {
                            pushed.stopped += batch.dropped;
                            nothing_due = batch.pushes.is_empty() && batch.dropped == 0;
                            if batch.pushes.is_empty() {
                                spare = turns;
                            } else {
                                let stops = stops.then_some(&stops_under_way);
                                let call = self.hand_over_and_settle(&to, batch.pushes, stops, &settling);
                                under_way.push(call);
                            }
                        }
                        Err(error) => end = Some(Err(error)),
                    }
                    next = Box::pin(self.claim_in_turn(budget, spare, &stops_under_way, &claiming));
                }
                else => match end {
                    Some(end) => return end,
                    None if self.wait_for_due().await? => nothing_due = false,
                    None => return Ok(Ended::Through),
                }
            }
        }
    }

    async fn hand_over_and_settle(
        &self,
        to: &Destination,
        claimed: Vec<Claimed>,
        stops_under_way: Option<&AtomicUsize>,
        settling: &Semaphore,
    ) -> Result<(Handed, Settled), ReconcileError> {
        let handed = self.hand_over(to, claimed).await;
        if let Some(stops) = stops_under_way {
            stops.fetch_sub(1, Ordering::SeqCst);
        }
        let handed = handed?;
        // Never closed: an error cannot be.
        let _turn = settling.acquire().await;
        let settled = self.settle(&handed.outcomes).await?;
        Ok((handed, settled))
    }

    /// Claims what one turn is for, once it has come; `spare` turns were not used. Withdrawals that are due go first.
    async fn claim_in_turn(
        &self,
        budget: &Budget<'_>,
        spare: u32,
        stops_under_way: &AtomicUsize,
        claiming: &AtomicBool,
    ) -> Result<Claim, ReconcileError> {
        let Self { context, campaign, account, .. } = *self;
        let (store, number) = (context.store, campaign.number);
        let due = pushes::due_calls(store, number, self.gate(), self.due_by(), i64::from(SINGLES)).await?;
        let stops = due.single > 0;
        let (size, calls) = if stops { (due.single, due.single) } else { (account.batch, due.enroll.min(1)) };
        budget.reserve(calls.saturating_sub(spare)).await?;
        // Nobody enters while somebody is on the way out.
        while !stops && stops_under_way.load(Ordering::SeqCst) > 0 {
            sleep(MOMENT).await;
        }
        // Turns may be long in coming, and a window may have closed meanwhile.
        let gate = self.gate();
        let gate = if stops { Gate { enroll: false, ..gate } } else { gate };
        claiming.store(true, Ordering::SeqCst);
        let batch = self.claim(gate, size, None).await;
        claiming.store(false, Ordering::SeqCst);
        let batch = batch?;
        let stops = stops && !batch.pushes.is_empty();
        stops_under_way.fetch_add(usize::from(stops), Ordering::SeqCst);
        Ok(Claim { batch, turns: calls.max(spare), stops })
    }
}

/// What was claimed, and the turns that were reserved for it.
struct Claim {
    batch: Batch,
    turns: u32,
    /// It is withdrawals and updates.
    stops: bool,
}
