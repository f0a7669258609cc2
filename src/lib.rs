//! Declarative sync and reconciliation for sales outreach.

pub mod audience;
pub mod manifest;
pub mod model;
