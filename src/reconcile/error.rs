//! What ends a pass.

use crate::mailbox::MailboxError;
use crate::provider::ProviderError;
use crate::store::{StoreError, causes};

/// A pass that could not go on. A refusal by the guard is no error but a value of the plan.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("could not use provider {provider}")]
    Provider { provider: String, source: ProviderError },
    #[error("provider {provider} cannot be used: {message}")]
    Misconfigured { provider: String, message: String },
    #[error("no provider is named {0} in outreach.yaml")]
    UnknownProvider(String),
    #[error("another outreachd works on {0}; nothing was done here, try again when it is through")]
    LeaseHeld(String),
    #[error("another outreachd has taken over {0}; what was in flight is settled by it")]
    LeaseLost(String),
    #[error(
        "campaign {campaign} still has contacts at provider {provider}, which alone can stop them; nothing was done: declare that provider again, or archive the campaign there first"
    )]
    ProviderChanged { campaign: String, provider: String },
    #[error("the calls that provider {0} allows for now are spent; the rest waits for the next pass")]
    RateSpent(String),
    #[error("could not read a mailbox")]
    Mailbox(#[from] MailboxError),
    #[error(
        "stopped between two calls, because the process ends or its files have changed; what is not handed over yet is left to the next pass"
    )]
    Stopping,
    #[error("campaign {campaign} is not what was reviewed any more; nothing was done, make a new plan")]
    Stale { campaign: String },
}

impl ReconcileError {
    /// One word for programs: a condition's reason, a metric's label.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) if error.is_away() => "DatabaseAway",
            Self::Store(_) => "DatabaseRefused",
            Self::Provider { .. } if self.is_temporary() => "ProviderAway",
            Self::Provider { .. } => "ProviderUnusable",
            Self::Misconfigured { .. } => "Misconfigured",
            Self::UnknownProvider(_) => "UnknownProvider",
            Self::LeaseHeld(_) => "StandingBy",
            Self::LeaseLost(_) => "TakenOver",
            Self::RateSpent(_) => "RateSpent",
            Self::Mailbox(error) => error.code(),
            Self::Stopping => "Stopping",
            Self::ProviderChanged { .. } => "ProviderChanged",
            Self::Stale { .. } => "Stale",
        }
    }

    /// The message and its causes.
    pub fn chain(&self) -> String {
        causes(self).join(": ")
    }

    /// Whether the same call may go through later without anybody's doing.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Store(error) => error.is_away(),
            Self::LeaseHeld(_) | Self::LeaseLost(_) | Self::Stopping | Self::RateSpent(_) => true,
            Self::Mailbox(error) => error.is_temporary(),
            Self::Provider { source, .. } => match source {
                ProviderError::LookUp(_) | ProviderError::LookUpStatus(_) => true,
                ProviderError::Call(error) => error.is_temporary(),
                _ => false,
            },
            Self::Misconfigured { .. }
            | Self::UnknownProvider(_)
            | Self::ProviderChanged { .. }
            | Self::Stale { .. } => false,
        }
    }
}
