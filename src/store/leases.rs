//! Row leases: who may plan a campaign, who may push to a provider account.
//!
//! A lease ends by the database's clock. Each new holder gets a higher token, and statements that
//! need the lease check the token, so a holder that slept through its end can settle nothing.
//! Not session locks: they must work behind a transaction-mode pooler.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{Store, StoreError, sql};
use crate::model::Term;

/// Proof that a pass holds a lease; statements take it as an argument.
#[derive(Debug)]
pub struct Lease {
    pub name: String,
    pub token: i64,
    holder: Uuid,
    length: Duration,
    /// By our own clock, and counted from before the database was asked: never later than its end there.
    good_until: Term,
    /// Somebody waits for it.
    wanted: AtomicBool,
}

impl Lease {
    /// How often a holder renews.
    pub fn renewal(&self) -> Duration {
        self.length / 3
    }

    /// Whether nobody else can have taken over yet. To be asked where no statement checks the token: a
    /// process that was stopped for a while must not go on with what it had in hand.
    pub fn is_surely_held(&self) -> bool {
        !self.good_until.is_over(Instant::now())
    }

    /// Its end as far as we know, for those who use it out of our sight.
    pub fn term(&self) -> Term {
        self.good_until.clone()
    }

    /// Whether somebody waited for it when it was last renewed: long work lets go between two batches.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }
}

/// Name of the lease of a campaign's planner.
pub fn campaign_lease(number: i32) -> String {
    format!("campaign:{number}")
}

/// Name of the lease of a provider account's pusher.
pub fn provider_lease(name: &str) -> String {
    format!("provider:{name}")
}

/// Plans are made and recorded one after the other: what one records, the next one sees, so that two
/// campaigns cannot both take a contact or the last place under a cap.
pub const PLANNING_LEASE: &str = "planning";

/// Takes the lease if it is free or has ended; otherwise leaves word that it is wanted.
pub async fn acquire(
    store: &Store,
    name: String,
    holder: Uuid,
    length: Duration,
) -> Result<Option<Lease>, StoreError> {
    let good_until = Term::until(Instant::now() + length);
    let (token, ours): (i64, bool) = sql::query_as(
        "insert into outreach.leases as l (name, holder, token, until)
         values ($1, $2, 1, clock_timestamp() + $3 * interval '1 millisecond')
         on conflict (name) do update
             set holder = case when l.until <= clock_timestamp() then excluded.holder else l.holder end,
                 token = case when l.until <= clock_timestamp() then l.token + 1 else l.token end,
                 until = case when l.until <= clock_timestamp() then excluded.until else l.until end,
                 wanted_at = case when l.until <= clock_timestamp() then null else clock_timestamp() end
         returning token, holder = $2 and wanted_at is null",
    )
    .bind(&name)
    .bind(holder.to_string())
    .bind(length.as_millis() as i64)
    .fetch_one(store)
    .await
    .map_err(StoreError::on("take a lease"))?;
    let wanted = AtomicBool::new(false);
    Ok(ours.then_some(Lease { name, token, holder, length, good_until, wanted }))
}

/// Puts the end off; false when somebody else has taken over.
pub async fn renew(store: &Store, lease: &Lease) -> Result<bool, StoreError> {
    let good_until = Instant::now() + lease.length;
    let renewed: Option<bool> = sql::query_scalar(
        "update outreach.leases
         set until = clock_timestamp() + $3 * interval '1 millisecond'
         where name = $1 and token = $2 and until > clock_timestamp()
         returning wanted_at is not null",
    )
    .bind(&lease.name)
    .bind(lease.token)
    .bind(lease.length.as_millis() as i64)
    .fetch_optional(store)
    .await
    .map_err(StoreError::on("renew a lease"))?;
    if let Some(wanted) = renewed {
        lease.good_until.move_to(good_until);
        lease.wanted.store(wanted, Ordering::Relaxed);
    }
    Ok(renewed.is_some())
}

/// Gives the lease back, so that nobody has to wait for its end. The token stays.
pub async fn release(store: &Store, lease: &Lease) -> Result<(), StoreError> {
    sql::query(
        "update outreach.leases set until = '-infinity', wanted_at = null
         where name = $1 and token = $2 and holder = $3",
    )
    .bind(&lease.name)
    .bind(lease.token)
    .bind(lease.holder.to_string())
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("give a lease back"))
}
