//! Mails that wait for a person's word, each with what was said in it.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::model::Clock as _;
use crate::store::replies::{self, Listed};
use crate::web::Shared;
use crate::web::fault::Fault;

/// Mails of a page; the rest follow when these are decided.
const MOST: i64 = 50;
/// Letters of a mail.
const SAID: usize = 1500;

/// One mail.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct AnswerView {
    pub id: Uuid,
    pub listed: Listed,
    /// What its writer wrote, without quotes and signatures.
    pub said: String,
}

/// Mails that wait, newest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct AnswersView {
    pub as_of: DateTime<Utc>,
    pub replies: Vec<AnswerView>,
}

pub(in crate::web) async fn answers(shared: &Shared) -> Result<AnswersView, Fault> {
    let waiting = replies::undecided(&shared.store, MOST).await?;
    let read = tokio::task::spawn_blocking(move || {
        let read = |(listed, raw): (Listed, Vec<u8>)| {
            let said: String = crate::reply::read(&raw).said.chars().take(SAID).collect();
            AnswerView { id: listed.id, listed, said }
        };
        waiting.into_iter().map(read).collect()
    });
    // A reader that panics would be a fault of ours; the list is shown empty rather than not at all.
    let replies = read.await.unwrap_or_default();
    Ok(AnswersView { as_of: shared.clock.now(), replies })
}
