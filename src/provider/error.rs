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
    #[error("could not read or write the outbox file {path}")]
    File { path: String, source: std::io::Error },
}
