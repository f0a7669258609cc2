//! Questions that went out together as a job of the service, and are answered later.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Call;
use crate::store::{Lease, Store, StoreError, sql};

/// A job that is not through.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Job {
    pub id: Uuid,
    pub step: String,
    /// The service's name for it; `None` when the answer to its submission was lost.
    pub remote_id: Option<String>,
    pub rows: i32,
    pub submitted_at: DateTime<Utc>,
    /// Not to be asked before.
    pub ask_at: Option<DateTime<Utc>>,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    Done,
    /// It surely never was one.
    Dropped,
    /// What came back is not what was asked: nothing of it is taken.
    MixedUp,
}

impl JobState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Dropped => "dropped",
            Self::MixedUp => "mixed_up",
        }
    }
}

/// Jobs of earlier holders become this one's, with their questions.
pub async fn take_over_jobs(store: &Store, lease: &Lease, service: &str) -> Result<(), StoreError> {
    sql::query(
        "with holder as (
             select token from outreach.leases where name = $1 and token = $2 and until > clock_timestamp()
         ),
         jobs as (
             update outreach.enrichment_jobs j set token = $2 from holder
             where j.service = $3 and j.finished_at is null
             returning j.id
         )
         update outreach.enrichment_calls c set token = $2 from jobs
         where c.job_id = jobs.id and c.settled_at is null",
    )
    .bind(&lease.name)
    .bind(lease.token)
    .bind(service)
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("take jobs over"))
}

/// Jobs that are not through, oldest first.
pub async fn open_jobs(store: &Store, service: &str) -> Result<Vec<Job>, StoreError> {
    sql::query_as(
        "select id, step, remote_id, rows, submitted_at, ask_at from outreach.enrichment_jobs
         where service = $1 and finished_at is null order by submitted_at, id",
    )
    .bind(service)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("look for jobs that are not through"))
}

/// The questions of a job, in their order there.
pub async fn job_rows(store: &Store, job: Uuid) -> Result<Vec<Call>, StoreError> {
    sql::query_as(
        "select employee_id, ordinal, company_id, question, asked, row_index from outreach.enrichment_calls
         where job_id = $1 order by row_index",
    )
    .bind(job)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("read the questions of a job"))
}

/// The service has taken the job under that name. False when another job has it, or the lease is lost.
pub async fn job_running(
    store: &Store,
    lease: &Lease,
    job: Uuid,
    remote_id: &str,
    ask_at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    sql::query(
        "update outreach.enrichment_jobs j set state = 'running', remote_id = $2, ask_at = $3
         where j.id = $1 and j.finished_at is null and j.token = $4
           and exists (
               select from outreach.leases where name = $5 and token = $4 and until > clock_timestamp()
           )
           and not exists (
               select from outreach.enrichment_jobs o
               where o.service = j.service and o.remote_id = $2 and o.id <> j.id
           )",
    )
    .bind(job)
    .bind(remote_id)
    .bind(ask_at)
    .bind(lease.token)
    .bind(&lease.name)
    .execute(store)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(StoreError::on("remember a job"))
}

/// A look at the job is put off.
pub async fn put_off(store: &Store, job: Uuid, ask_at: DateTime<Utc>) -> Result<(), StoreError> {
    sql::query("update outreach.enrichment_jobs set ask_at = $2 where id = $1")
        .bind(job)
        .bind(ask_at)
        .execute(store)
        .await
        .map(|_| ())
        .map_err(StoreError::on("put a look at a job off"))
}

/// The job is through; its questions are settled before.
pub async fn close_job(
    store: &Store,
    lease: &Lease,
    job: Uuid,
    state: JobState,
    message: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query(
        "update outreach.enrichment_jobs set state = $2, message = $3, finished_at = $4
         where id = $1 and token = $5 and finished_at is null
           and exists (
               select from outreach.leases where name = $6 and token = $5 and until > clock_timestamp()
           )",
    )
    .bind(job)
    .bind(state.as_str())
    .bind(message)
    .bind(now)
    .bind(lease.token)
    .bind(&lease.name)
    .execute(store)
    .await
    .map(|_| ())
    .map_err(StoreError::on("close a job"))
}
