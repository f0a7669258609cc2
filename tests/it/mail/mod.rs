//! Mail: sent to and read from real servers.

mod effects;
mod latency;
mod outbound;
mod reading;
mod sending;
mod servers;
mod story;
