//! What ends a run of enrichment.

use crate::provider::{CallError, ProviderError};
use crate::store::{StoreError, causes};

/// A run that could not go on. What was asked before stays written down and settled.
#[derive(Debug, thiserror::Error)]
pub enum EnrichError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("could not use LeadMagic")]
    Service(#[source] ProviderError),
    #[error("another outreachd enriches; nothing was done here, try again when it is through")]
    LeaseHeld,
    #[error("another outreachd has taken over; what was asked is settled by it")]
    LeaseLost,
    #[error("could not ask LeadMagic")]
    Call(#[source] CallError),
}

impl EnrichError {
    /// The message and its causes.
    pub fn chain(&self) -> String {
        causes(self).join(": ")
    }

    /// Whether the same run may go through later without anybody's doing.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Store(error) => error.is_away(),
            Self::LeaseHeld | Self::LeaseLost => true,
            Self::Call(error) => error.is_temporary(),
            Self::Service(_) => false,
        }
    }
}
