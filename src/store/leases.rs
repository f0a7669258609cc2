//! Row leases: who may plan a campaign, who may push to a provider account.
//!
//! A lease ends by the database's clock. Each new holder gets a higher token, and statements that
//! need the lease check the token, so a holder that slept through its end can settle nothing.
//! Not session locks: they must work behind a transaction-mode pooler.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{Store, StoreError, sql};

/// Proof that this process holds a lease; statements take it as an argument.
#[derive(Debug)]
pub struct Lease {
    pub name: String,
    pub token: i64,
    holder: Uuid,
    length: Duration,
    /// By our own clock, and counted from before the database was asked: never later than its end there.
    good_until: Mutex<Instant>,
}

impl Lease {
    /// How often a holder renews.
    pub fn renewal(&self) -> Duration {
        self.length / 3
    }

    /// Whether nobody else can have taken over yet. To be asked where no statement checks the token: a
    /// process that was stopped for a while must not go on with what it had in hand.
    pub fn is_surely_held(&self) -> bool {
        Instant::now() < *self.good_until.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Takes the lease if it is free, has ended, or is ours already.
pub async fn acquire(
    store: &Store,
    name: String,
    holder: Uuid,
    length: Duration,
) -> Result<Option<Lease>, StoreError> {
    let good_until = Mutex::new(Instant::now() + length);
    let token: Option<i64> = sql::query_scalar(
        "insert into outreach.leases as l (name, holder, token, until)
         values ($1, $2, 1, clock_timestamp() + $3 * interval '1 millisecond')
         on conflict (name) do update
             set holder = excluded.holder, token = l.token + 1, until = excluded.until
             where l.until <= clock_timestamp() or l.holder = excluded.holder
         returning token",
    )
    .bind(&name)
    .bind(holder.to_string())
    .bind(length.as_millis() as i64)
    .fetch_optional(store)
    .await
    .map_err(StoreError::on("take a lease"))?;
    Ok(token.map(|token| Lease { name, token, holder, length, good_until }))
}

/// Puts the end off; false when somebody else has taken over.
pub async fn renew(store: &Store, lease: &Lease) -> Result<bool, StoreError> {
    let good_until = Instant::now() + lease.length;
    let renewed = sql::query(
        "update outreach.leases
         set until = clock_timestamp() + $3 * interval '1 millisecond'
         where name = $1 and token = $2 and until > clock_timestamp()",
    )
    .bind(&lease.name)
    .bind(lease.token)
    .bind(lease.length.as_millis() as i64)
    .execute(store)
    .await
    .map_err(StoreError::on("renew a lease"))?;
    let renewed = renewed.rows_affected() == 1;
    if renewed {
        *lease.good_until.lock().unwrap_or_else(PoisonError::into_inner) = good_until;
    }
    Ok(renewed)
}

/// Gives the lease back, so that nobody has to wait for its end. The token stays.
pub async fn release(store: &Store, lease: &Lease) -> Result<(), StoreError> {
    sql::query(
        "update outreach.leases set until = '-infinity' where name = $1 and token = $2 and holder = $3",
    )
    .bind(&lease.name)
    .bind(lease.token)
    .bind(lease.holder.to_string())
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("give a lease back"))
}
