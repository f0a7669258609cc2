//! The account's request limit: so many in a sliding window, with the headers that say so.

use std::collections::VecDeque;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::answer::Reply;
use super::readings::LimitBody;

/// `200/60`: requests in so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub requests: u32,
    pub seconds: u32,
}

impl Default for Rate {
    /// What live accounts were told.
    fn default() -> Self {
        Self { requests: 200, seconds: 60 }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (requests, seconds) = text.split_once('/').unwrap_or((text, "60"));
        match (requests.parse(), seconds.parse()) {
            (Ok(requests), Ok(seconds)) if requests > 0 && seconds > 0 => Ok(Self { requests, seconds }),
            _ => Err(format!("`{text}` is not a rate such as 200/60")),
        }
    }
}

/// Counts by the machine's clock.
#[derive(Debug)]
pub(super) struct Limiter {
    rate: Rate,
    taken: VecDeque<DateTime<Utc>>,
}

impl Limiter {
    pub(super) const fn new(rate: Rate) -> Self {
        Self { rate, taken: VecDeque::new() }
    }

    /// The headers of an answer, and whether the request is over the limit.
    pub(super) fn take(&mut self, now: DateTime<Utc>) -> (Vec<(&'static str, String)>, bool) {
        let window = TimeDelta::seconds(i64::from(self.rate.seconds));
        while self.taken.front().is_some_and(|first| *first + window <= now) {
            self.taken.pop_front();
        }
        let over = self.taken.len() >= self.rate.requests as usize;
        if !over {
            self.taken.push_back(now);
        }
        let reset = self.taken.front().map_or(now, |first| *first + window);
        let left = self.rate.requests as usize - self.taken.len();
        let mut headers = vec![
            ("x-ratelimit-limit", self.rate.requests.to_string()),
            ("x-ratelimit-remaining", left.to_string()),
            // Whole seconds, and never too early.
            ("x-ratelimit-reset", (reset.timestamp() + 1).to_string()),
        ];
        if over {
            headers.push(("retry-after", ((reset - now).num_milliseconds() / 1000 + 1).to_string()));
        }
        (headers, over)
    }

    pub(super) fn refusal(&self, body: LimitBody, headers: Vec<(&'static str, String)>) -> Reply {
        let sentence = format!(
            "Account limit of {} requests in {} seconds exceeded",
            self.rate.requests, self.rate.seconds
        );
        let mut reply = match body {
            LimitBody::Plain => Reply::text(429, sentence),
            LimitBody::Message => Reply::json(429, json!({ "message": sentence })),
            LimitBody::Guide => Reply::json(
                429,
                json!({ "error": { "code": "RATE_LIMIT_EXCEEDED", "message": sentence, "retry_after": 1 } }),
            ),
        };
        reply.headers = headers;
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_slides() {
        let mut limiter = Limiter::new("2/10".parse().unwrap());
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let over = |limiter: &mut Limiter, seconds| limiter.take(at(seconds)).1;
        assert_eq!(
            [over(&mut limiter, 0), over(&mut limiter, 5), over(&mut limiter, 9)],
            [false, false, true]
        );
        assert_eq!(
            [over(&mut limiter, 10), over(&mut limiter, 11), over(&mut limiter, 15)],
            [false, true, false]
        );
        let (headers, _) = limiter.take(at(16));
        assert!(headers.contains(&("retry-after", "5".to_owned())), "{headers:?}");
    }
}
