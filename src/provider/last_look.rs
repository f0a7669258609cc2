//! The last look before a call goes out: whether the account is still ours.
//!
//! A process may be frozen anywhere, and its lease taken over meanwhile. So the question is asked where no waiting is
//! left: after the connection is made, in the poll that gives a request's body away. A request whose body is not given
//! is incomplete, and no server acts on it. Never decides what becomes of the items.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::stream;
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Body, RequestBuilder};

use crate::model::Term;

/// What a call that was held back is answered with.
pub(super) const HELD_BACK: &str = "the right to call the account ended before the call went out";

/// Whether a call may go out, until when; without an end always.
#[derive(Debug, Clone, Default)]
pub(super) struct LastLook {
    until: Option<Term>,
    /// The call was held back.
    held_back: Arc<AtomicBool>,
}

impl LastLook {
    pub(super) fn new(until: Option<Term>) -> Self {
        Self { until, held_back: Arc::default() }
    }

    /// For one call: what becomes of it says nothing about another one that is under way.
    pub(super) fn for_call(&self) -> Self {
        Self::new(self.until.clone())
    }

    /// Asks, and remembers a no.
    pub(super) fn is_too_late(&self) -> bool {
        let over = self.until.as_ref().is_some_and(|until| until.is_over(Instant::now()));
        if over {
            self.held_back.store(true, Ordering::SeqCst);
        }
        over
    }

    /// Whether a request failed because it was held back: nothing arrived then.
    pub(super) fn held_back(&self) -> bool {
        self.held_back.load(Ordering::SeqCst)
    }

    /// Gives the request a body that is given away only while the call may go out.
    pub(super) fn body(&self, request: RequestBuilder, bytes: Vec<u8>) -> RequestBuilder {
        let length = bytes.len();
        let look = self.clone();
        let body = stream::once(async move {
            if look.is_too_late() { Err(io::Error::other(HELD_BACK)) } else { Ok(bytes) }
        });
        // Said beforehand: a body of unknown length would be cut in pieces, which not every server takes.
        request.header(CONTENT_LENGTH, length).body(Body::wrap_stream(body))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// What a server gets of a request whose right ends while the connection is being made.
    async fn arrived(until: Option<Term>, look: &LastLook) -> (bool, String) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = vec![0; 4096];
            let mut all = String::new();
            while let Ok(n) = stream.read(&mut got).await
                && n > 0
            {
                all.push_str(&String::from_utf8_lossy(&got[..n]));
                if all.ends_with("whole body") {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                }
            }
            all
        };
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        let request = look.body(client.post(url), b"the whole body".to_vec());
        if let Some(until) = until {
            until.move_to(Instant::now());
        }
        let ask = async move {
            let answered = request.send().await.is_ok();
            drop(client);
            answered
        };
        tokio::join!(ask, serve)
    }

    #[tokio::test]
    async fn what_may_go_out_arrives_whole_and_with_its_length() {
        let look = LastLook::new(Some(Term::until(Instant::now() + Duration::from_hours(1))));
        let (answered, got) = arrived(None, &look).await;
        assert!(answered && !look.held_back(), "{got}");
        assert!(got.to_lowercase().contains("content-length: 14") && !got.contains("chunked"), "{got}");
    }

    #[tokio::test]
    async fn of_what_comes_too_late_no_server_gets_a_body() {
        let term = Term::until(Instant::now() + Duration::from_hours(1));
        let look = LastLook::new(Some(term.clone()));
        let (answered, got) = arrived(Some(term), &look).await;
        assert!(!answered && look.held_back(), "{got}");
        assert!(!got.contains("body"), "{got}");
    }
}
