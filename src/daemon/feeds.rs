//! Mailboxes that are read as long as the daemon runs: one reader each, made anew when the files change.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::Notify;

use super::files::Declared;
use super::look::World;
use super::wake::{Reason, Wake};
use crate::reconcile::{Context, inbox};

/// How long leases may take to be given back at the end; they end by themselves otherwise.
const ENDING: Duration = Duration::from_secs(2);

/// The readers of all mailboxes.
pub(super) struct Feeds<'w> {
    world: &'w World<'w>,
    wake: &'w Wake,
    /// The manifest that the readers were made from.
    digest: Option<String>,
    running: FuturesUnordered<LocalBoxFuture<'w, String>>,
    /// Of the mailboxes that have one.
    ends: BTreeMap<String, Rc<End>>,
    declared: Option<Declared>,
}

/// Asks one reader to end.
#[derive(Default)]
struct End {
    asked: Cell<bool>,
    bell: Notify,
}

impl End {
    fn ask(&self) {
        self.asked.set(true);
        self.bell.notify_one();
    }

    async fn wait(&self) {
        while !self.asked.get() {
            self.bell.notified().await;
        }
    }
}

impl<'w> Feeds<'w> {
    pub(super) fn new(world: &'w World<'w>, wake: &'w Wake) -> Self {
        Self {
            world,
            wake,
            digest: None,
            running: FuturesUnordered::new(),
            ends: BTreeMap::new(),
            declared: None,
        }
    }

    /// Takes over a manifest: readers of another one end, and begin anew as it says.
    pub(super) fn declare(&mut self, declared: &Declared) {
        if self.digest.as_ref() == Some(&declared.manifest.digest) {
            return;
        }
        self.digest = Some(declared.manifest.digest.clone());
        self.declared = Some(declared.clone());
        self.ends.values().for_each(|end| end.ask());
        self.begin();
    }

    /// Lets the readers read; comes back when one has ended.
    pub(super) async fn go_on(&mut self) {
        match self.running.next().await {
            Some(name) => {
                self.ends.remove(&name);
                self.begin();
            }
            None => std::future::pending().await,
        }
    }

    /// Ends all of them.
    pub(super) async fn end(&mut self) {
        self.declared = None;
        self.ends.values().for_each(|end| end.ask());
        let all = async { while self.running.next().await.is_some() {} };
        // What a lease's end was not written down for ends by time.
        let _ = tokio::time::timeout(ENDING, all).await;
    }

    /// Begins to read each declared mailbox that nobody here reads.
    fn begin(&mut self) {
        let Some(declared) = &self.declared else { return };
        let mailboxes = &declared.manifest.project.mailboxes;
        let idle: BTreeSet<&String> = mailboxes
            .iter()
            .filter(|(name, mailbox)| mailbox.imap.is_some() && !self.ends.contains_key(*name))
            .map(|(name, _)| name)
            .collect();
        for name in idle {
            let end = Rc::new(End::default());
            self.ends.insert(name.clone(), Rc::clone(&end));
            let (world, wake, declared, name) = (self.world, self.wake, declared.clone(), name.clone());
            self.running.push(Box::pin(async move {
                let context = Context {
                    store: world.store,
                    manifest: &declared.manifest,
                    clock: world.clock,
                    root: world.root,
                    holder: world.holder,
                    revision: declared.revision.as_deref(),
                    stop: &world.stop,
                };
                if let Some(mailbox) = declared.manifest.project.mailboxes.get(&name) {
                    inbox::follow(&context, mailbox, &|| wake.ring(Reason::Mail), end.wait()).await;
                }
                name
            }));
        }
    }
}
