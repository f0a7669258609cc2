//! Mail: sent to and read from real servers.

mod sending;
mod servers;
