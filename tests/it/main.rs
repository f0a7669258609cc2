//! The one integration binary; a file a subject.
#![cfg(test)]

mod audience;
mod crash;
mod demo;
mod embedded;
mod import;
mod manifest;
mod migrate;
mod segment;
mod support;
mod tidy;
