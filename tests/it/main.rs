//! The one integration binary; a file a subject.
#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "tests talk to a server of their own, without a pooler")]

mod audience;
mod cases;
mod chaos;
mod classify;
mod cli;
mod contact;
mod contract;
mod crash;
mod daemon;
mod deeds;
mod demo;
mod draft;
mod embedded;
mod enrich;
mod follow_ups;
mod import;
mod mail;
mod manifest;
mod migrate;
mod model;
mod plan_base;
mod provider;
mod rates;
mod segment;
mod smartlead;
mod soak;
mod support;
mod tidy;
mod web;
mod window;
