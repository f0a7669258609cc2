//! LeadMagic's API: whether an address is alive, what a missing one is, facts of a company.
//!
//! Asks and reads, nothing else: what may be asked, and how often, is decided and written down before. Nothing that
//! costs is asked twice here.
//!
//! # What this relies on and nobody has confirmed on a live account
//!
//! | fact | where | if it is otherwise |
//! | --- | --- | --- |
//! | `GET /bulk/jobs` lists a job as soon as its submission was taken, newest first, with `total_rows` | `jobs` | a job whose answer was lost is bought again |
//! | `/bulk/jobs/{id}/rows` shows what was submitted before it is worked on, as `lm_input` by `row_index` | `rows` | the same |
//! | rows of a finished job that have no result were not charged | `intake::enrich` | credits are counted too low |
//! | results of a job can be read again, for free | `results` | a crash while they are read loses them |
//! | a 402 was refused before anything was charged | `client` | credits are counted too low |
//! | an answer without `credits_consumed` costs the declared price, and nothing when it is `unknown` or a miss | `wire` | credits are counted wrong |
//! | `valid` in a catch-all domain (newer API) is what older versions call `valid_catch_all` | `wire` | told apart wrongly; both count as verified |

mod client;
mod wire;

use std::path::Path;
use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::last_look::LastLook;
use super::{CallError, Pace, ProviderError, resolve_secret};
use crate::model::{Clock, EnrichStep, EnrichmentSettings, Term};
use client::Client;

pub use wire::{CompanyFacts, JobSeen, JobStatus, Row, Said};

/// Rows of one page of results.
const PAGE: u32 = 500;
/// Jobs that are looked through for one whose answer was lost.
const JOBS: u32 = 100;

/// An account, opened.
pub struct LeadMagic<'c> {
    client: Client<'c>,
}

/// What a step is called in paths.
const fn path(step: EnrichStep) -> &'static str {
    match step {
        EnrichStep::Validate => "v1/people/email-validation",
        EnrichStep::Find => "v1/people/email-finder",
        EnrichStep::Company => "v1/companies/company-search",
    }
}

/// What a step is called in jobs.
const fn product(step: EnrichStep) -> &'static str {
    match step {
        EnrichStep::Validate => "email_validation",
        EnrichStep::Find => "email_finder",
        EnrichStep::Company => "company_finder",
    }
}

impl<'c> LeadMagic<'c> {
    /// Opens the declared account. `root` is the project folder; nothing that costs is asked after `until`.
    pub fn open(
        settings: &EnrichmentSettings,
        root: &Path,
        clock: &'c dyn Clock,
        pace: Box<dyn Pace + 'c>,
        until: Option<Term>,
    ) -> Result<Self, ProviderError> {
        let client = Client::new(
            &resolve_secret::text(&settings.url)?,
            resolve_secret::reference(&settings.key, root)?,
            settings.timeout,
            clock,
            pace,
            LastLook::new(until),
        )?;
        Ok(Self { client })
    }

    /// Longest time one call can take.
    pub fn timeout(&self) -> Duration {
        self.client.timeout()
    }

    /// Credits that are left, if the account says so. Free.
    pub async fn credits(&self) -> Result<Option<Decimal>, CallError> {
        Ok(wire::number(self.client.get("v1/credits", &[]).await?.get("credits")))
    }

    /// Asks one question. An error other than doubt was surely not charged.
    pub async fn ask(&self, step: EnrichStep, asked: &Value) -> Result<Said, CallError> {
        let answer = self.client.pay(path(step), asked).await?;
        wire::said(step, &answer)
            .ok_or_else(|| CallError::InDoubt("LeadMagic's answer says nothing".to_owned()))
    }

    /// Hands questions over as one job; its name.
    pub async fn submit(&self, step: EnrichStep, rows: &[Value]) -> Result<String, CallError> {
        let body = json!({ "product": product(step), "rows": rows });
        let answer = self.client.pay("bulk/submit", &body).await?;
        wire::job_id(&answer).ok_or_else(|| CallError::InDoubt("LeadMagic's answer names no job".to_owned()))
    }

    /// The account's latest jobs of a step.
    pub async fn jobs(&self, step: EnrichStep) -> Result<Vec<JobSeen>, CallError> {
        let query =
            [("product", product(step).to_owned()), ("limit", JOBS.to_string()), ("offset", "0".to_owned())];
        Ok(wire::jobs(&self.client.get("bulk/jobs", &query).await?))
    }

    /// How far a job is.
    pub async fn job(&self, id: &str) -> Result<JobStatus, CallError> {
        Ok(wire::job_status(&self.client.get(&format!("bulk/jobs/{id}"), &[]).await?))
    }

    /// Asks for a job that was paused for want of credits to go on.
    pub async fn resume(&self, id: &str) -> Result<(), CallError> {
        self.client.pay(&format!("bulk/jobs/{id}/resume"), &json!({})).await.map(|_| ())
    }

    /// The first rows that were submitted as a job, whether they are through or not.
    pub async fn first_rows(&self, id: &str, most: u32) -> Result<Vec<Row>, CallError> {
        let query = [("limit", most.to_string()), ("offset", "0".to_owned())];
        Ok(wire::rows(&self.client.get(&format!("bulk/jobs/{id}/rows"), &query).await?))
    }

    /// Every answer of a job.
    pub async fn results(&self, id: &str) -> Result<Vec<Row>, CallError> {
        let mut rows = Vec::new();
        loop {
            let query = [("limit", PAGE.to_string()), ("offset", rows.len().to_string())];
            let page = wire::rows(&self.client.get(&format!("bulk/jobs/{id}/results"), &query).await?);
            let is_last = page.len() < PAGE as usize;
            rows.extend(page);
            if is_last {
                return Ok(rows);
            }
        }
    }

    /// Reads the answer to one row of a job.
    pub fn read(step: EnrichStep, row: &Row) -> Option<Said> {
        wire::said(step, &row.answer)
    }
}
