//! Events of the file system, as wakes. They are only hints: folders are compared by time as well, for places
//! where events never come.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tracing::{debug, warn};

use crate::manifest::{CAMPAIGNS, PROMPTS, SEGMENTS};

/// Rings when something happens in the project's folders.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    watched: Vec<PathBuf>,
    root: PathBuf,
    bell: Arc<Notify>,
}

impl Watch {
    /// Watches as far as the system can; without events the comparison by time does it alone.
    pub(super) fn start(root: &Path) -> Self {
        let bell = Arc::new(Notify::new());
        let ring = Arc::clone(&bell);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading a file is an event as well, and we read them all the time.
            if !matches!(event, Ok(notify::Event { kind: EventKind::Access(_), .. })) {
                ring.notify_one();
            }
        });
        let watcher = watcher
            .inspect_err(|error| warn!(%error, "no file events here; files are compared by time"))
            .ok();
        let mut watch = Self { watcher, watched: Vec::new(), root: root.to_owned(), bell };
        watch.renew();
        watch
    }

    /// Watches the folders as they are now: one that was made anew is another one.
    pub(super) fn renew(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for path in self.watched.drain(..) {
            // Gone with its folder, as a rule.
            let _ = watcher.unwatch(&path);
        }
        let folders = [SEGMENTS, CAMPAIGNS, PROMPTS].map(|name| self.root.join(name));
        for path in std::iter::once(self.root.clone()).chain(folders) {
            match watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => self.watched.push(path),
                Err(error) => debug!(%error, path = %path.display(), "not watched"),
            }
        }
    }

    /// Waits for an event.
    pub(super) async fn event(&self) {
        self.bell.notified().await;
    }
}
