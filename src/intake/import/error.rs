//! Why a file as a whole was not imported. Rows that were refused are no error: they are in the report.

use std::io;
use std::path::PathBuf;

use crate::store::StoreError;

/// Nothing was changed in the database.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("could not read {}", file.display())]
    Read { file: PathBuf, source: io::Error },

    /// The file is not what an import takes; `problem` says where and what to do.
    #[error("{} cannot be imported: {problem}", file.display())]
    Invalid { file: PathBuf, problem: String },

    #[error("could not write the rejects to {}", file.display())]
    Rejects { file: PathBuf, source: io::Error },

    #[error("{} changed while it was imported: nothing was written, run the import again", file.display())]
    Changed { file: PathBuf },

    #[error("the database has no column {columns} in table {table}: run `outreachd migrate`")]
    NotMigrated { table: &'static str, columns: String },

    /// Somebody else wrote the same key between our look and our write.
    #[error("another program added the same companies meanwhile: nothing was written, run the import again")]
    Raced(#[source] StoreError),

    #[error("the import failed, and nothing of it was written")]
    Store(#[source] StoreError),

    #[error("the reader stopped unexpectedly")]
    Stopped,
}

impl ImportError {
    /// Whether the file is at fault (exit code 65).
    pub const fn is_invalid_file(&self) -> bool {
        matches!(self, Self::Invalid { .. })
    }

    /// Whether the same may well succeed later (exit code 75).
    pub fn is_away(&self) -> bool {
        match self {
            Self::Store(source) => source.is_away(),
            Self::Raced(_) | Self::Changed { .. } => true,
            _ => false,
        }
    }
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        let raced = matches!(&error, StoreError::Query { source: sqlx::Error::Database(fault), .. }
            if fault.is_unique_violation());
        if raced { Self::Raced(error) } else { Self::Store(error) }
    }
}
