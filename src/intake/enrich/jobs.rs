//! Many questions at once: handed over as a job, looked at now and then, read when it is over.
//!
//! A job can be found again whatever happened to an answer, so nothing in it is bought twice.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;
use tracing::{info, warn};
use uuid::Uuid;

use super::{EnrichError, Flow, Run, SERVICE, ask};
use crate::model::EnrichStep;
use crate::provider::CallError;
use crate::provider::leadmagic::JobStatus;
use crate::store::enrichment::{self, Asking, Call, Effect, Job, JobState, Outcome, Settlement};

/// Longest sleep between two looks at the clock: a stop must not wait.
const NAP: Duration = Duration::from_millis(200);
/// Answers that are settled in one transaction.
const SETTLED_AT_ONCE: usize = 500;
/// Looks at a job that shows nothing before a run gives up on it.
const PATIENT_LOOKS: u32 = 10;
/// Rows whose echo tells one job from another.
const TELLING_ROWS: u32 = 5;

impl Run<'_> {
    /// Hands questions over as one job.
    pub(super) async fn submit(
        &mut self,
        step: EnrichStep,
        questions: &[Asking],
    ) -> Result<Flow, EnrichError> {
        let id = Uuid::new_v4();
        let calls = self.claim(step, Some(id), questions).await?;
        if calls.is_empty() {
            return Ok(Flow::spent());
        }
        self.count_asked(step, calls.len());
        let rows: Vec<Value> = calls.iter().map(|call| call.asked.clone()).collect();
        match self.service.submit(step, &rows).await {
            Ok(remote) => self.is_running(id, &remote).await?,
            // It is looked for in the account's list.
            Err(CallError::InDoubt(reason)) => {
                warn!(job = %id, reason, "nobody knows whether a job was taken");
                let ask_at = self.now() + self.settings.poll_every;
                enrichment::put_off(self.store, id, ask_at).await?;
            }
            Err(error) => {
                self.drop_job(step, id, &calls, &error.to_string()).await?;
                return Ok(Flow::Stop(error.to_string()));
            }
        }
        Ok(if calls.len() < questions.len() { Flow::spent() } else { Flow::GoOn })
    }

    async fn is_running(&self, id: Uuid, remote: &str) -> Result<(), EnrichError> {
        let ask_at = self.now() + self.settings.poll_every;
        if enrichment::job_running(self.store, self.lease, id, remote, ask_at).await? {
            info!(job = %id, "a job is running");
            return Ok(());
        }
        Err(EnrichError::LeaseLost)
    }

    /// It surely never was one: its credits come back.
    async fn drop_job(
        &self,
        step: EnrichStep,
        id: Uuid,
        calls: &[Call],
        why: &str,
    ) -> Result<(), EnrichError> {
        self.settle(
            step,
            &calls.iter().map(|call| bare(call, Settlement::Released, "released")).collect::<Vec<_>>(),
        )
        .await?;
        let now = self.now();
        Ok(enrichment::close_job(self.store, self.lease, id, JobState::Dropped, Some(why), now).await?)
    }

    /// Looks after open jobs until they are over, or somebody asks to stop.
    pub(super) async fn finish_jobs(&mut self) -> Result<Flow, EnrichError> {
        let mut resumed = Vec::new();
        loop {
            // A process that was frozen in the middle of recording one may have gone on since.
            enrichment::take_over_jobs(self.store, self.lease, SERVICE).await?;
            let jobs = enrichment::open_jobs(self.store, SERVICE).await?;
            let Some(next) = jobs.iter().map(|job| job.ask_at.unwrap_or(job.submitted_at)).min() else {
                return Ok(Flow::GoOn);
            };
            let now = self.now();
            for job in jobs.iter().filter(|job| job.ask_at.is_none_or(|at| at <= now)) {
                let Some(step) = EnrichStep::parse(&job.step) else { continue };
                let flow = match &job.remote_id {
                    None => self.find(step, job).await?,
                    Some(remote) => self.look(step, job, remote, &mut resumed).await?,
                };
                if let Flow::Stop(_) = flow {
                    return Ok(flow);
                }
            }
            // A job that goes on is read by the next run.
            if self.stop.is_asked() {
                return Ok(Flow::Stop("asked to stop; open jobs are read by the next run".to_owned()));
            }
            let wait = (next - self.now()).to_std().unwrap_or_default();
            sleep(wait.clamp(Duration::from_millis(20), NAP)).await;
        }
    }

    /// Looks for a job whose submission was not answered in the account's list.
    async fn find(&mut self, step: EnrichStep, job: &Job) -> Result<Flow, EnrichError> {
        let calls = enrichment::job_rows(self.store, job.id).await?;
        let listed = match self.service.jobs(step).await {
            Ok(listed) => listed,
            Err(error) => return self.away(job, error).await,
        };
        let mut undecided = false;
        for seen in listed.iter().filter(|seen| seen.rows.is_none_or(|rows| rows == calls.len() as i64)) {
            let rows = match self.service.first_rows(&seen.id, TELLING_ROWS).await {
                Ok(rows) => rows,
                Err(error) => return self.away(job, error).await,
            };
            undecided |= rows.is_empty();
            let is_ours = |row: &crate::provider::leadmagic::Row| {
                let call = usize::try_from(row.index).ok().and_then(|place| calls.get(place));
                call.is_some_and(|call| ask::echoes(&call.asked, &row.asked))
            };
            if rows.is_empty() || !rows.iter().all(is_ours) {
                continue;
            }
            let ask_at = self.now();
            if enrichment::job_running(self.store, self.lease, job.id, &seen.id, ask_at).await? {
                info!(job = %job.id, "found a job again");
                return Ok(Flow::GoOn);
            }
        }
        let listed_by = ask::surely_listed(job.submitted_at, self.settings);
        if undecided && self.now() > listed_by + self.settings.poll_every * PATIENT_LOOKS {
            let reason =
                "a job at LeadMagic may be ours and shows none of its rows; the next run looks again";
            return Ok(Flow::Stop(reason.to_owned()));
        }
        if undecided || self.now() < listed_by {
            enrichment::put_off(self.store, job.id, self.now() + self.settings.poll_every).await?;
            return Ok(Flow::GoOn);
        }
        self.drop_job(step, job.id, &calls, "it is not in the account's list").await?;
        // Its questions are open again for the next run.
        Ok(Flow::GoOn)
    }

    async fn look(
        &mut self,
        step: EnrichStep,
        job: &Job,
        remote: &str,
        resumed: &mut Vec<Uuid>,
    ) -> Result<Flow, EnrichError> {
        let later = self.now() + self.settings.poll_every;
        match self.service.job(remote).await {
            Ok(JobStatus::Working) => {
                enrichment::put_off(self.store, job.id, later).await?;
                Ok(Flow::GoOn)
            }
            Ok(JobStatus::Paused) if resumed.contains(&job.id) => {
                Ok(Flow::Stop("a job is paused at LeadMagic, for want of credits or by hand".to_owned()))
            }
            Ok(JobStatus::Paused) => {
                resumed.push(job.id);
                enrichment::put_off(self.store, job.id, later).await?;
                match self.service.resume(remote).await {
                    Err(error @ CallError::Misconfigured(_)) => Ok(Flow::Stop(error.to_string())),
                    // Resuming twice does no harm.
                    _ => Ok(Flow::GoOn),
                }
            }
            Ok(JobStatus::Over) => self.collect(step, job, remote).await,
            Err(CallError::Gone(reason)) => self.mixed_up(step, job, &reason).await,
            Err(error) => self.away(job, error).await,
        }
    }

    async fn collect(&mut self, step: EnrichStep, job: &Job, remote: &str) -> Result<Flow, EnrichError> {
        let rows = match self.service.results(remote).await {
            Ok(rows) => rows,
            Err(error) => return self.away(job, error).await,
        };
        let calls = enrichment::job_rows(self.store, job.id).await?;
        let answers = match ask::join(step, &calls, &rows) {
            Ok(answers) => answers,
            Err(reason) => return self.mixed_up(step, job, &reason).await,
        };
        let outcomes: Vec<Outcome> = calls
            .iter()
            .zip(answers)
            .map(|(call, said)| match said {
                Some(said) => ask::outcome(step, call, Ok(said), self.settings),
                // Rows that fail are free.
                None => Outcome {
                    charged: Some(rust_decimal::Decimal::ZERO),
                    ..bare(call, Settlement::Settled, "failed")
                },
            })
            .collect();
        for part in outcomes.chunks(SETTLED_AT_ONCE) {
            self.settle(step, part).await?;
            self.count_answers(step, part);
        }
        let now = self.now();
        enrichment::close_job(self.store, self.lease, job.id, JobState::Done, None, now).await?;
        Ok(Flow::GoOn)
    }

    /// What came back is not what was asked: nothing of it is taken, and a person looks.
    async fn mixed_up(&mut self, step: EnrichStep, job: &Job, why: &str) -> Result<Flow, EnrichError> {
        warn!(job = %job.id, why, "the results of a job cannot be told apart");
        let calls = enrichment::job_rows(self.store, job.id).await?;
        let doubts: Vec<Outcome> = calls.iter().map(|call| bare(call, Settlement::InDoubt, "lost")).collect();
        self.settle(step, &doubts).await?;
        let now = self.now();
        enrichment::close_job(self.store, self.lease, job.id, JobState::MixedUp, Some(why), now).await?;
        Ok(Flow::GoOn)
    }

    async fn away(&self, job: &Job, error: CallError) -> Result<Flow, EnrichError> {
        if !error.is_temporary() {
            return Ok(Flow::Stop(error.to_string()));
        }
        enrichment::put_off(self.store, job.id, self.now() + self.settings.poll_every).await?;
        Ok(Flow::GoOn)
    }
}

fn bare(call: &Call, end: Settlement, outcome: &str) -> Outcome {
    Outcome {
        employee_id: call.employee_id,
        ordinal: call.ordinal,
        end,
        charged: None,
        outcome: outcome.to_owned(),
        answer: None,
        effect: Effect::None,
    }
}
