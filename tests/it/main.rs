//! The one integration binary; a file a subject.
#![cfg(test)]

mod embedded;
mod migrate;
mod support;
