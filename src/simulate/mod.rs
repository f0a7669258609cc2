//! Local stand-ins for providers: for rehearsals, and for tests that count from the other side.
//!
//! A stand-in is written after what is known of the real system and knows nothing of the client that talks to it:
//! this module imports `model` and crates only.

pub mod leadmagic;
pub mod smartlead;

/// What keeps a stand-in from running.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error("could not listen on {address}")]
    Listen { address: String, source: std::io::Error },
    #[error("could not read or write the state file {path}")]
    State { path: String, source: std::io::Error },
    #[error("the state file {path} was not written by this simulator")]
    Foreign { path: String, source: serde_json::Error },
    #[error("could not set up the HTTP client of the webhooks")]
    Client(#[source] reqwest::Error),
    #[error("the server stopped")]
    Serve(#[source] std::io::Error),
}
