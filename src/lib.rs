//! Declarative sync and reconciliation for sales outreach.

pub mod audience;
pub mod cli;
pub mod intake;
pub mod manifest;
pub mod model;
pub mod provider;
pub mod reconcile;
pub mod store;
