//! How contacts come in: files of companies and employees.
//!
//! Never talks to a provider and never decides who is written to.

pub mod import;
