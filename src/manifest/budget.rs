//! What all files together may take up in memory.

/// Values of all files: fifteen hundred campaigns of a page each.
pub(super) const MAX_ALL_VALUES: usize = 60_000;
/// Bytes of all pointers: 48 levels of long keys for as many values would be gigabytes.
const MAX_POINTERS: usize = 16 * 1024 * 1024;

/// What the documents read so far have taken.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Budget {
    pub(super) values: usize,
    pub(super) pointers: usize,
}

impl Budget {
    /// Whether nothing more can be read.
    pub(super) const fn is_spent(self) -> bool {
        self.values >= MAX_ALL_VALUES || self.pointers >= MAX_POINTERS
    }
}
