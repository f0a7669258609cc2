//! The declared files as they are now, for whoever asks over HTTP. Never changes them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::manifest::{self, Diagnostic, Manifest};

/// The files are read again when they are older than this.
const FRESH: Duration = Duration::from_secs(2);

/// What was read last.
#[derive(Debug, Clone)]
pub(super) struct Declared {
    /// The last good one: bad files stop nothing.
    pub manifest: Arc<Manifest>,
    /// What is wrong in the files since, warnings too.
    pub diagnostics: Arc<Vec<Diagnostic>>,
}

/// The project folder, and what was last read from it.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    known: Mutex<(Instant, Declared)>,
}

impl Files {
    pub(super) fn new(root: PathBuf, manifest: Manifest) -> Self {
        let declared = Declared { manifest: Arc::new(manifest), diagnostics: Arc::default() };
        // Warnings of the files that were given are read with the first question.
        let long_ago = Instant::now().checked_sub(FRESH).unwrap_or_else(Instant::now);
        Self { root, known: Mutex::new((long_ago, declared)) }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) async fn declared(&self) -> Declared {
        let (read, known) = self.known();
        if read.elapsed() < FRESH {
            return known;
        }
        let root = self.root.clone();
        let Ok(loaded) = tokio::task::spawn_blocking(move || manifest::load(&root)).await else {
            return known;
        };
        let manifest = loaded.manifest.map_or_else(|| Arc::clone(&known.manifest), Arc::new);
        let declared = Declared { manifest, diagnostics: Arc::new(loaded.diagnostics) };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), declared.clone());
        declared
    }

    fn known(&self) -> (Instant, Declared) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
