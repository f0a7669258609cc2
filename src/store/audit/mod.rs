//! The promises, each as a query that lists what breaks it. Reads only.

use serde::Serialize;

use super::{Store, StoreError, sql};

/// One promise and the query that looks for its violations.
pub struct Invariant {
    pub name: &'static str,
    pub promise: &'static str,
    sql: &'static str,
}

/// Every promise that the database can be asked about.
pub const INVARIANTS: &[Invariant] = &[
    Invariant {
        name: "never_twice",
        promise: "no contact is handed to a provider twice for the same step of the same campaign",
        sql: include_str!("never_twice.sql"),
    },
    Invariant {
        name: "one_mail_a_step",
        promise: "each mail of a sequence goes to a contact once, where we send it ourselves",
        sql: include_str!("one_mail_a_step.sql"),
    },
    Invariant {
        name: "one_address_once",
        promise: "one address is in a campaign once, however many rows carry it",
        sql: include_str!("one_address_once.sql"),
    },
    Invariant {
        name: "never_after_stop",
        promise: "nothing is handed over for an address after its suppression was committed",
        sql: include_str!("never_after_stop.sql"),
    },
    Invariant {
        name: "answered_is_left_alone",
        promise: "no mail of a sequence leaves after an answer, a bounce or a stop to it was read",
        sql: include_str!("answered_is_left_alone.sql"),
    },
    Invariant {
        name: "written_back_iff_accepted",
        promise: "a contact is written back if and only if the provider accepted",
        sql: include_str!("written_back_iff_accepted.sql"),
    },
    Invariant {
        name: "daily_limit_held",
        promise: "no more contacts are enrolled on a day than its limit admits",
        sql: include_str!("daily_limit_held.sql"),
    },
    Invariant {
        name: "ledger_agrees",
        promise: "every live enrollment stands on an accepted push, and every push on its enrollment",
        sql: include_str!("ledger_agrees.sql"),
    },
    Invariant {
        name: "credits_agree",
        promise: "budgets were charged with what the calls on record cost",
        sql: include_str!("credits_agree.sql"),
    },
];

/// One violation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Violation {
    pub employee_id: Option<uuid::Uuid>,
    pub campaign_number: Option<i32>,
    /// What is wrong, in words.
    pub detail: String,
}

/// What breaks the promise, at most `limit` rows.
pub async fn violations(
    store: &Store,
    invariant: &Invariant,
    limit: i64,
) -> Result<Vec<Violation>, StoreError> {
    sql::query_as(invariant.sql)
        .bind(limit)
        .fetch_all(store)
        .await
        .map_err(StoreError::on("look for violations"))
}
