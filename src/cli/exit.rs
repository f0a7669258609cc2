//! Exit codes: what a script may rely on.

use std::process::ExitCode;

use crate::intake::draft::DraftError;
use crate::intake::enrich::EnrichError;
use crate::intake::import::ImportError;
use crate::provider::ProviderError;
use crate::reconcile::ReconcileError;
use crate::store::StoreError;
use crate::store::migrate::MigrateError;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    Failed = 1,
    /// `plan --detailed-exitcode` found changes.
    Changes = 2,
    /// Something was held back; the rest is done.
    HeldBack = 3,
    Usage = 64,
    InvalidFiles = 65,
    /// Database or provider away: try again.
    TryAgain = 75,
    /// Ended by SIGHUP: the terminal went away.
    HungUp = 129,
    /// Ended by Ctrl-C.
    Interrupted = 130,
    /// Ended by SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// The code of a failure, by what is at its bottom.
    pub fn of(error: &anyhow::Error) -> Self {
        for cause in error.chain() {
            if let Some(error) = cause.downcast_ref::<ReconcileError>() {
                return match error {
                    error if error.is_temporary() => Self::TryAgain,
                    ReconcileError::Stale { .. } | ReconcileError::ProviderChanged { .. } => Self::HeldBack,
                    _ => Self::Failed,
                };
            }
            if let Some(error) = cause.downcast_ref::<EnrichError>() {
                return if error.is_temporary() { Self::TryAgain } else { Self::Failed };
            }
            if let Some(error) = cause.downcast_ref::<DraftError>() {
                return if error.is_temporary() { Self::TryAgain } else { Self::Failed };
            }
            if let Some(error) = cause.downcast_ref::<StoreError>() {
                return if error.is_away() { Self::TryAgain } else { Self::Failed };
            }
            if let Some(MigrateError::Misfit(_)) = cause.downcast_ref::<MigrateError>() {
                return Self::HeldBack;
            }
            if cause.downcast_ref::<ProviderError>().is_some() {
                return Self::Failed;
            }
            if let Some(error) = cause.downcast_ref::<ImportError>() {
                return super::import::exit_of(error);
            }
            if let Some(coded) = cause.downcast_ref::<Coded>() {
                return coded.exit;
            }
        }
        Self::Failed
    }
}

impl Exit {
    /// Whether a signal ended the command.
    pub const fn is_by_signal(self) -> bool {
        matches!(self, Self::HungUp | Self::Interrupted | Self::Terminated)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A message for people with the exit code that belongs to it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Coded {
    pub exit: Exit,
    pub message: String,
}

impl Coded {
    pub(super) fn error(exit: Exit, message: impl Into<String>) -> anyhow::Error {
        Self { exit, message: message.into() }.into()
    }
}
