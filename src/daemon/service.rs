//! Words to systemd (`sd_notify`); nothing happens where nobody listens.

use sd_notify::NotifyState;
use tracing::debug;

/// The first look may begin: `Type=notify` units are up from here.
pub(super) fn ready() {
    say(NotifyState::Ready);
}

pub(super) fn stopping() {
    say(NotifyState::Stopping);
}

/// For `WatchdogSec=`.
pub(super) fn alive() {
    if sd_notify::watchdog_enabled().is_some() {
        say(NotifyState::Watchdog);
    }
}

fn say(word: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[word]) {
        debug!(%error, "the service manager did not hear");
    }
}
