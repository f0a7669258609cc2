//! The one integration binary; a file a subject.
#![cfg(test)]

mod embedded;
mod import;
mod migrate;
mod support;
