//! How contacts come in and become whole: files of companies and employees, addresses that are looked up,
//! texts that are drafted.
//!
//! Never hands anybody to a provider and never decides who is written to.

pub mod draft;
pub mod enrich;
pub mod import;
