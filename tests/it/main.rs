//! The one integration binary; a file a subject.
#![cfg(test)]

mod cases;
mod embedded;
mod import;
mod manifest;
mod migrate;
mod model;
mod support;
