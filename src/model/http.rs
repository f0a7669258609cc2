//! Where the daemon answers HTTP, and to whom.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look at everything.
    View,
    /// Also pause, resume, approve, resolve, correct and suppress.
    Operate,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Operate => "operate",
        }
    }
}

/// Somebody who may come in. The token itself is nowhere in the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessToken {
    /// Stands in the event log as who did it.
    pub name: String,
    pub role: Role,
    /// SHA-256 of the token.
    pub digest: [u8; 32],
}

/// What strangers may reach: signed webhooks of providers, unsubscribe links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicSettings {
    pub listen: SocketAddr,
    /// Requests a minute from one address that may be refused before it has to wait.
    pub per_minute: u32,
}

/// The operators' side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HttpSettings {
    pub listen: SocketAddr,
    /// Names under which it is asked for, beside those of this machine.
    pub hosts: Vec<String>,
    pub tokens: Vec<AccessToken>,
    pub public: Option<PublicSettings>,
}
