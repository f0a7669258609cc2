//! The one integration binary; a file a subject.

mod import;
mod migrate;
mod support;
