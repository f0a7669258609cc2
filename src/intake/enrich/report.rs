//! What a run did, or would do.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Serialize;

/// Counts of one step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StepReport {
    pub step: &'static str,
    /// Questions that were there to ask.
    pub waiting: i64,
    /// Sorted out before they cost: no address at all, a domain that takes no mail.
    pub refused: i64,
    pub asked: i64,
    /// Answers by outcome: `valid`, `invalid`, `found`, `missed` ...
    pub answers: BTreeMap<String, i64>,
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub dry_run: bool,
    pub steps: Vec<StepReport>,
    /// Credits that this run used; of a dry run what it would use at most.
    pub credits: Decimal,
    /// Credits that are left of the day's budget.
    pub left_today: Decimal,
    /// Contacts that took over what was known of their address.
    pub shared: u64,
    /// Answers that were lost and wait for a person.
    pub lost: i64,
    /// Jobs that are still worked on.
    pub jobs_open: i64,
    /// Why it ended before it was through.
    pub stopped: Option<String>,
}
