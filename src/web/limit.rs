//! How often one address may be refused. Kept in memory, bounded; each process counts for itself. What is genuine is
//! never counted and never refused.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Addresses that are remembered.
const MOST: usize = 20_000;

/// The generic cell rate algorithm: of each address only the instant from which it is within its rate.
#[derive(Debug)]
pub(super) struct Limiter {
    interval: Duration,
    /// What may come at once: a quarter of a minute's.
    burst: Duration,
    next: Mutex<HashMap<IpAddr, Instant>>,
    /// Those who were refused too often keep no more than one processor busy.
    turn: Semaphore,
}

impl Limiter {
    pub(super) fn per_minute(requests: u32) -> Self {
        let interval = Duration::from_mins(1) / requests.max(1);
        Self {
            interval,
            burst: interval * (requests / 4).max(1),
            next: Mutex::default(),
            turn: Semaphore::new(1),
        }
    }

    /// Lets everybody be looked at: behind a proxy all have one address, and a webhook that its provider has signed
    /// must not suffer for what others sent. Of those who are over their rate one is looked at at a time.
    pub(super) async fn let_in(&self, from: IpAddr) -> Asker<'_> {
        let over = self.check(from, Instant::now()).err();
        // It is never closed.
        let turn = if over.is_some() { self.turn.acquire().await.ok() } else { None };
        Asker { limiter: self, from, over, _turn: turn }
    }

    /// Whether an address is within its rate; else how long to wait.
    fn check(&self, from: IpAddr, now: Instant) -> Result<(), Duration> {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        match next.get(&network(from)) {
            Some(at) if *at > now + self.burst => Err(at.saturating_duration_since(now + self.burst)),
            _ => Ok(()),
        }
    }

    /// Counts one. With too many addresses at once the others are not counted, rather than turned away.
    fn count(&self, from: IpAddr, now: Instant) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let from = network(from);
        if next.len() >= MOST && !next.contains_key(&from) {
            next.retain(|_, at| *at > now);
            if next.len() >= MOST {
                return;
            }
        }
        let at = next.get(&from).copied().unwrap_or(now).max(now);
        next.insert(from, at + self.interval);
    }
}

/// Somebody with IPv6 has a whole network of addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

fn too_many(wait: Duration) -> Response {
    let wait = wait.as_secs() + 1;
    (StatusCode::TOO_MANY_REQUESTS, [("retry-after", wait.to_string())], "too many requests\n")
        .into_response()
}

/// Middleware: 429 with `Retry-After` for whoever was refused too often.
pub(super) async fn hold(
    State(limiter): State<Arc<Limiter>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    held(&limiter, peer, request, next).await
}

/// The same, for a side that lets some requests past.
pub(super) async fn held(limiter: &Limiter, peer: SocketAddr, request: Request, next: Next) -> Response {
    match limiter.check(peer.ip(), Instant::now()) {
        Ok(()) => {
            let response = next.run(request).await;
            if response.status().is_client_error() {
                limiter.count(peer.ip(), Instant::now());
            }
            response
        }
        Err(wait) => too_many(wait),
    }
}

/// One whose request has been read and is to be looked at, which costs something.
pub(super) struct Asker<'l> {
    limiter: &'l Limiter,
    from: IpAddr,
    over: Option<Duration>,
    _turn: Option<SemaphorePermit<'l>>,
}

impl Asker<'_> {
    /// It was looked at and refused: counted, and 429 for whoever was refused too often.
    pub(super) fn refused(&self, status: StatusCode) -> Response {
        match self.over {
            None => {
                self.limiter.count(self.from, Instant::now());
                status.into_response()
            }
            Some(wait) => too_many(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_rate_and_the_memory_a_bound() {
        let limiter = Limiter::per_minute(60);
        let now = Instant::now();
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let take = |from: IpAddr, at: Instant| {
            let checked = limiter.check(from, at);
            if checked.is_ok() {
                limiter.count(from, at);
            }
            checked
        };
        let within = (0..100).take_while(|_| take(one, now).is_ok()).count();
        assert_eq!(within, 16, "a quarter of a minute's, and one");
        assert!(take("192.0.2.2".parse().unwrap(), now).is_ok());
        assert!(take("::ffff:192.0.2.1".parse().unwrap(), now).is_err(), "the same address");
        assert!(take(one, now + Duration::from_secs(1)).is_ok());
        let wait = take(one, now + Duration::from_secs(1)).unwrap_err();
        assert!(wait <= Duration::from_secs(1));
        let in_network = |n: u32| format!("2001:db8::{n:x}").parse().unwrap();
        let within = (0..100).take_while(|n| take(in_network(*n), now).is_ok()).count();
        assert_eq!(within, 16, "one network, one rate");
        for n in 0..MOST as u32 * 2 {
            let _ = take(IpAddr::V4(n.into()), now);
        }
        assert!(limiter.next.lock().unwrap().len() <= MOST);
        assert!(take(one, now + Duration::from_mins(2)).is_ok(), "the past is forgotten");
    }
}
