//! Mail: sent to and read from real servers.

mod outbound;
mod sending;
mod servers;
