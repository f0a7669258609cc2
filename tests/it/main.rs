//! The one integration binary; a file a subject.
#![cfg(test)]

mod embedded;
mod import;
mod import_model;
mod migrate;
mod support;
