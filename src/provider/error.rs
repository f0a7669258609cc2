//! What keeps a provider from being used at all.

/// A provider that cannot be opened or asked.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    #[error("the environment variable {0} is not set; it holds a secret that outreach.yaml refers to")]
    MissingVariable(String),
    #[error("could not read the secret file {path}")]
    SecretFile { path: String, source: std::io::Error },
    #[error("the webhook secret must look like `whsec_` followed by base64")]
    WebhookSecret,
    #[error(
        "the webhook address must be an https URL (http only to this machine), without user and password"
    )]
    WebhookUrl,
    #[error("could not set up the HTTP client")]
    Client(#[source] reqwest::Error),
    #[error("could not ask the webhook what it holds")]
    LookUp(#[source] reqwest::Error),
    #[error("the webhook answered the look-up with HTTP status {0}")]
    LookUpStatus(u16),
    #[error(
        "the provider's address must be an https URL (http only to this machine), without user and password"
    )]
    Url,
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("could not read the certificates in {path}; they are written in PEM")]
    Certificates { path: String, source: rustls::pki_types::pem::Error },
    #[error(
        "could not set up TLS for the mail server; without `ca` the machine's own authorities are needed"
    )]
    Tls(#[source] rustls::Error),
    #[error("the DKIM key cannot be used: {0}")]
    SigningKey(&'static str),
    #[error("could not look into the folder of sent mails: {0}")]
    SentFolder(String),
    #[error("could not read or write the outbox file {path}")]
    File { path: String, source: std::io::Error },
}

/// Why a call to a provider that keeps state brought nothing. Never names the address that was called: the key
/// travels in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Surely not done; it may well be later.
    #[error("{reason}")]
    Later { after: Option<std::time::Duration>, reason: String },
    /// The account or its settings are at fault.
    #[error("{0}")]
    Misconfigured(String),
    /// What was asked for is refused as it is.
    #[error("{reason}")]
    Refused { status: u16, reason: String },
    /// What it was about is not there.
    #[error("{0}")]
    Gone(String),
    /// It may or may not have been done.
    #[error("{0}")]
    InDoubt(String),
}

impl CallError {
    /// Whether the same call may go through later without anybody's doing.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Later { .. } | Self::InDoubt(_))
    }
}
