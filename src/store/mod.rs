//! All SQL: migrations, the diff, pushes, enrollments, write-back, leases, the embedded server.
//!
//! Nothing here decides what should happen; it says what is, and writes what was decided.

mod binds;
pub mod campaigns;
pub mod diff;
mod error;
pub mod history;
mod leases;
pub mod pushes;

pub use binds::arguments;
pub use error::StoreError;
pub use leases::{Lease, acquire, campaign_lease, provider_lease, release, renew};
