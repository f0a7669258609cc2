//! The one integration binary; a file a subject.
#![cfg(test)]

mod audience;
mod embedded;
mod migrate;
mod segment;
mod support;
