//! The one integration binary: a file a subject.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod manifest;
