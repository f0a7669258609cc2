//! The one integration binary; a file a subject.
#![cfg(test)]

mod audience;
mod cases;
mod classify;
mod cli;
mod crash;
mod demo;
mod embedded;
mod import;
mod manifest;
mod migrate;
mod model;
mod provider;
mod segment;
mod soak;
mod support;
mod tidy;
