//! The one integration binary; a file a subject.
#![cfg(test)]

mod demo;
mod embedded;
mod import;
mod manifest;
mod migrate;
mod pass;
mod support;
mod tidy;
