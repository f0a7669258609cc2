//! What the sources disagree about: each conflict with its readings, the newest first.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Statuses {
    #[default]
    Newer,
    Older,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum StatusField {
    #[default]
    EmailStatus,
    Status,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Names {
    #[default]
    Camel,
    Snake,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Prices {
    #[default]
    Newer,
    Older,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Errors {
    #[default]
    Problem,
    Listed,
    Flat,
}

/// One reading of each conflict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readings {
    /// Words of a validation.
    pub(super) statuses: Statuses,
    /// Where the word stands.
    pub(super) field: StatusField,
    /// Spelling of a company's facts.
    pub(super) names: Names,
    /// What a validation costs.
    pub(super) prices: Prices,
    /// Shape of an error.
    pub(super) errors: Errors,
}

impl Readings {
    /// Takes `name=reading`.
    pub fn set(&mut self, text: &str) -> Result<(), String> {
        match text {
            "statuses=newer" => self.statuses = Statuses::Newer,
            "statuses=older" => self.statuses = Statuses::Older,
            "field=email_status" => self.field = StatusField::EmailStatus,
            "field=status" => self.field = StatusField::Status,
            "names=camel" => self.names = Names::Camel,
            "names=snake" => self.names = Names::Snake,
            "prices=newer" => self.prices = Prices::Newer,
            "prices=older" => self.prices = Prices::Older,
            "errors=problem" => self.errors = Errors::Problem,
            "errors=listed" => self.errors = Errors::Listed,
            "errors=flat" => self.errors = Errors::Flat,
            _ => {
                return Err(format!(
                    "there is no reading `{text}`; there are: statuses=newer|older, field=email_status|status, names=camel|snake, prices=newer|older, errors=problem|listed|flat"
                ));
            }
        }
        Ok(())
    }
}
