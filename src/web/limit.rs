//! How often one address may be refused, and how much of what strangers send is held at once. Kept in memory,
//! bounded; each process counts for itself. What is genuine is never counted, and at worst asked to come again.

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
/// Bodies held at once of those within their rate, and of those over it.
const PLACES: usize = 32;
const PLACES_OVER: usize = 8;

/// The generic cell rate algorithm: of each address only the instant from which it is within its rate.
#[derive(Debug)]
pub(super) struct Limiter {
    interval: Duration,
    /// What may come at once: a quarter of a minute's.
    burst: Duration,
    next: Mutex<HashMap<IpAddr, Instant>>,
    places: Semaphore,
    places_over: Semaphore,
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
            places: Semaphore::new(PLACES),
            places_over: Semaphore::new(PLACES_OVER),
            turn: Semaphore::new(1),
        }
    }

    /// Nobody is turned away for the address alone: behind a proxy all have one, and a webhook that its provider has
    /// signed must not suffer for what others sent.
    pub(super) fn asker(&self, from: IpAddr) -> Asker<'_> {
        Asker { limiter: self, from, over: self.check(from, Instant::now()).err() }
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

/// One whose request is to be looked at, which costs something.
pub(super) struct Asker<'l> {
    limiter: &'l Limiter,
    from: IpAddr,
    over: Option<Duration>,
}

impl<'l> Asker<'l> {
    /// Whether it was refused too often.
    pub(super) const fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Room for its body, as long as there is some; nobody queues for it.
    pub(super) fn place(&self) -> Option<SemaphorePermit<'l>> {
        let places = if self.is_over() { &self.limiter.places_over } else { &self.limiter.places };
        places.try_acquire().ok()
    }

    /// Of those over their rate one is looked at at a time.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'l>> {
        // It is never closed.
        if self.is_over() { self.limiter.turn.acquire().await.ok() } else { None }
    }

    /// It was not looked at, and is to come again.
    pub(super) fn put_off(&self) -> Response {
        too_many(self.over.unwrap_or_default())
    }

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
    fn bodies_are_held_in_few_places_and_a_flood_takes_none_of_the_others() {
        let limiter = Limiter::per_minute(1);
        let (flood, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        while !limiter.asker(flood).is_over() {
            assert_eq!(limiter.asker(flood).refused(StatusCode::UNAUTHORIZED).status(), 401);
        }
        let over = limiter.asker(flood);
        let held: Vec<_> = std::iter::from_fn(|| over.place()).take(1000).collect();
        assert_eq!(held.len(), PLACES_OVER);
        assert_eq!(over.put_off().status(), 429);
        let within = limiter.asker(other);
        let others: Vec<_> = std::iter::from_fn(|| within.place()).take(1000).collect();
        assert_eq!(others.len(), PLACES);
        drop(held);
        assert!(over.place().is_some());
    }

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
