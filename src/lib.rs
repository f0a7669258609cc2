//! Declarative sync and reconciliation for sales outreach.

pub mod audience;
pub mod intake;
pub mod model;
pub mod store;
