//! Declarative sync and reconciliation for sales outreach.

pub mod model;
