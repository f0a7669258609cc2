//! Tells open pages that something has changed, by server-sent events. Carries nothing but that.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::debug;

use super::Shared;
use crate::store::{Store, engagement};

/// How often the database is asked, as long as somebody looks.
const EVERY: Duration = Duration::from_secs(2);
/// Open pages; more see what they have until they are opened anew.
const MOST: usize = 200;
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// A figure that changes with whatever pages show.
#[derive(Debug)]
pub(super) struct Live {
    figure: watch::Sender<i64>,
    open: Arc<AtomicUsize>,
}

impl Default for Live {
    fn default() -> Self {
        Self { figure: watch::Sender::new(0), open: Arc::default() }
    }
}

impl Live {
    /// Asks the database for ever, when there is somebody to tell.
    pub(super) async fn watch(&self, store: &Store) {
        loop {
            sleep(EVERY).await;
            if self.figure.receiver_count() == 0 {
                continue;
            }
            match engagement::changes(store).await {
                Ok(figure) => {
                    self.figure.send_if_modified(|known| std::mem::replace(known, figure) != figure);
                }
                Err(error) => debug!(%error, "nobody is told of changes"),
            }
        }
    }
}

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new().route("/live", get(follow))
}

/// One open page, counted.
struct Follower(Arc<AtomicUsize>, watch::Receiver<i64>);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn follow(State(shared): State<Arc<Shared>>) -> Response {
    let open = Arc::clone(&shared.live.open);
    if open.fetch_add(1, Ordering::Relaxed) >= MOST {
        open.fetch_sub(1, Ordering::Relaxed);
        return (StatusCode::SERVICE_UNAVAILABLE, "too many open pages\n").into_response();
    }
    let mut figure = shared.live.figure.subscribe();
    figure.mark_unchanged();
    let events = stream::unfold(Follower(open, figure), async |mut follower| {
        follower.1.changed().await.ok()?;
        let figure = *follower.1.borrow_and_update();
        let event = Event::default().event("changed").data(figure.to_string());
        Some((Ok::<_, Infallible>(event), follower))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}
