//! The one integration binary; a file a subject.
#![cfg(test)]

mod audience;
mod cases;
mod crash;
mod demo;
mod embedded;
mod import;
mod manifest;
mod migrate;
mod model;
mod segment;
mod support;
mod tidy;
