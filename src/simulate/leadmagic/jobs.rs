//! Bulk jobs: taken at once, worked on row by row on the stand-in's clock, paused when the credits run out.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::world::{Product, Refusal, World};
use crate::simulate::smartlead::faults::throw_of;

/// Rows of one page, at most.
const LARGEST_PAGE: usize = 1000;
/// The service wants no look at a job oftener than this, in seconds of its own clock.
const CALM: i64 = 45;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum JobState {
    Processing,
    Paused,
    Completed,
    Cancelled,
}

impl JobState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Job {
    product: Product,
    rows: Vec<Value>,
    /// Answers by row; `None` where the row failed.
    done: Vec<Option<Value>>,
    state: JobState,
    created_at: DateTime<Utc>,
    /// Worked on until then.
    worked_at: DateTime<Utc>,
    looked_at: Option<DateTime<Utc>>,
    /// Some rows fail, for free.
    fails: bool,
}

impl World {
    /// Takes a job; its name.
    pub(super) fn submit(&mut self, body: &Value, fails: bool) -> Result<Value, &'static str> {
        let product = body.get("product").and_then(Value::as_str).and_then(Product::parse);
        let product = product.ok_or("product is not supported")?;
        let rows = body.get("rows").and_then(Value::as_array).filter(|rows| !rows.is_empty());
        let rows = rows.ok_or("rows are required")?.clone();
        let id = format!("job_{}", self.next_job);
        self.next_job += 1;
        let total = rows.len();
        let job = Job {
            product,
            rows,
            done: Vec::new(),
            state: JobState::Processing,
            created_at: self.now,
            worked_at: self.now,
            looked_at: None,
            fails,
        };
        self.jobs.insert(id.clone(), job);
        Ok(json!({ "job_id": id, "status": "queued", "total_rows": total }))
    }

    /// Works on every job up to now.
    pub(super) fn work(&mut self, now: DateTime<Utc>, rows_per_second: u32) {
        self.now = now;
        let ids: Vec<String> = self.jobs.keys().cloned().collect();
        for id in ids {
            let Some(mut job) = self.jobs.remove(&id) else { continue };
            let due = ((now - job.worked_at).num_milliseconds() * i64::from(rows_per_second) / 1000).max(0);
            if due > 0 {
                job.worked_at = now;
            }
            for _ in 0..due {
                let Some(row) = job.rows.get(job.done.len()).filter(|_| job.state == JobState::Processing)
                else {
                    break;
                };
                let failed = job.fails && throw_of(self.seed, &row.to_string()).is_multiple_of(4);
                match if failed { Err(Refusal::Malformed("")) } else { self.answer(job.product, row) } {
                    Ok(answer) => job.done.push(Some(answer)),
                    Err(Refusal::Malformed(_)) => job.done.push(None),
                    Err(Refusal::NoCredits) => job.state = JobState::Paused,
                }
            }
            if job.state == JobState::Processing && job.done.len() == job.rows.len() {
                job.state = JobState::Completed;
            }
            self.jobs.insert(id, job);
        }
    }

    /// `GET /bulk/jobs`, newest first.
    pub(super) fn list_jobs(&self, product: Option<&str>, limit: usize, offset: usize) -> Value {
        let mut jobs: Vec<(&String, &Job)> = self
            .jobs
            .iter()
            .filter(|(_, job)| product.is_none_or(|product| job.product.as_str() == product))
            .collect();
        jobs.sort_by_key(|(id, job)| std::cmp::Reverse((job.created_at, id.len(), (*id).clone())));
        let page: Vec<Value> =
            jobs.into_iter().skip(offset).take(limit).map(|(id, job)| job.shown(id)).collect();
        json!({ "jobs": page, "limit": limit, "offset": offset })
    }

    /// `GET /bulk/jobs/{id}`.
    pub(super) fn show_job(&mut self, id: &str) -> Option<Value> {
        let now = self.now;
        let job = self.jobs.get_mut(id)?;
        if job.looked_at.replace(now).is_some_and(|last| (now - last).num_seconds() < CALM) {
            self.hasty += 1;
        }
        self.jobs.get(id).map(|job| job.shown(id))
    }

    /// `/rows`, `/results` or `/errors` of a job.
    pub(super) fn job_rows(&self, id: &str, which: &str, limit: usize, offset: usize) -> Option<Value> {
        let job = self.jobs.get(id)?;
        let mut rows = Vec::new();
        for (index, input) in job.rows.iter().enumerate() {
            let mut row = json!({ "row_index": index, "lm_input": input });
            let take = match (which, job.done.get(index)) {
                ("rows", _) => true,
                ("results", Some(Some(answer))) => {
                    if let (Some(row), Some(answer)) = (row.as_object_mut(), answer.as_object()) {
                        row.extend(answer.clone());
                    }
                    true
                }
                ("errors", Some(None)) => {
                    row["error"] = json!("row failed");
                    true
                }
                _ => false,
            };
            if take {
                rows.push(row);
            }
        }
        // Never to be read by position.
        rows.reverse();
        let limit = limit.min(LARGEST_PAGE);
        let page: Vec<Value> = rows.into_iter().skip(offset).take(limit).collect();
        Some(json!({ "rows": page, "limit": limit, "offset": offset }))
    }

    /// `/pause`, `/resume`, `/cancel`.
    pub(super) fn change_job(&mut self, id: &str, verb: &str) -> Option<Value> {
        let now = self.now;
        let job = self.jobs.get_mut(id)?;
        match (verb, job.state) {
            ("pause", JobState::Processing) => job.state = JobState::Paused,
            ("resume", JobState::Paused) => {
                job.state = JobState::Processing;
                job.worked_at = now;
            }
            ("cancel", JobState::Processing | JobState::Paused) => job.state = JobState::Cancelled,
            _ => {}
        }
        Some(job.shown(id))
    }

    pub(super) fn jobs_open(&self) -> usize {
        self.jobs.values().filter(|job| job.state == JobState::Processing).count()
    }
}

impl Job {
    fn shown(&self, id: &str) -> Value {
        json!({
            "id": id,
            "product": self.product.as_str(),
            "status": self.state.as_str(),
            "total_rows": self.rows.len(),
            "processed_rows": self.done.len(),
            "created_at": self.created_at.to_rfc3339(),
        })
    }
}
