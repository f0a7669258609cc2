//! Declarative sync and reconciliation for sales outreach.

pub mod audience;
pub mod manifest;
pub mod model;
pub mod store;
pub mod manifest;
pub mod provider;
pub mod reconcile;
