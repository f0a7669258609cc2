//! `http` in `outreach.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::Role;

/// Where the daemon answers HTTP: dashboard, API, metrics, health.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::manifest) struct RawHttp {
    /// Address and port. `127.0.0.1:8466` unless given. Anything but this machine's own wants `tokens`.
    #[schemars(extend("examples" = ["127.0.0.1:8466"]))]
    pub listen: Option<String>,
    /// Host names under which browsers ask for it, such as that of a proxy before it. Those of this machine and
    /// the address it listens on are known.
    #[schemars(length(max = 20))]
    pub hosts: Option<Vec<String>>,
    /// Who may come in. With any here, nobody comes in without one, also on this machine.
    #[schemars(length(max = 200))]
    pub tokens: Option<Vec<RawToken>>,
    /// A listener of its own for what strangers may reach: signed webhooks and unsubscribe links.
    pub public: Option<RawPublic>,
}

/// Somebody who may come in. `outreachd token` makes one.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "role", "sha256"]))]
pub(in crate::manifest) struct RawToken {
    /// Stands in the event log as who did it.
    pub name: Option<String>,
    /// `view` looks; `operate` also pauses, resolves, suppresses.
    pub role: Option<Role>,
    /// SHA-256 of the token, in hexadecimal.
    #[schemars(extend("pattern" = "^[0-9a-f]{64}$"))]
    pub sha256: Option<String>,
}

/// What strangers may reach.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["listen"]))]
pub(in crate::manifest) struct RawPublic {
    /// Address and port.
    #[schemars(extend("examples" = ["0.0.0.0:8467"]))]
    pub listen: Option<String>,
    /// Requests a minute from one address that may be refused (forged, unknown) before it has to wait. 120 unless
    /// given. What is genuine never waits.
    #[schemars(range(min = 1, max = 60_000))]
    pub per_minute: Option<u32>,
}
