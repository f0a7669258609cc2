//! Mail: sent to and read from real servers.

mod effects;
mod latency;
mod reading;
mod sending;
mod servers;
mod story;
