//! Planning: one read of one snapshot, campaign by campaign in order of rank.

use std::collections::HashMap;

use chrono::Utc;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, Postgres, Transaction};

use super::action::action;
use super::forecast::{Due, Mails, Waiting};
use super::mail::Room;
use super::remote::Look;
use super::render::FieldRenderer;
use super::{Context, ReconcileError, guard, notes};
use crate::model::{Action, Blocked, Campaign, CampaignPlan, FunnelStep, Guard, Orphan, State};
use crate::store::diff::{self, Question, Record, Report};
use crate::store::history::{self, Pass};
use crate::store::{Lease, StoreError, campaigns, mailboxes, sql};

/// One snapshot of the database, and what has been worked out in it.
pub struct Planner<'a> {
    pub(super) manifest: &'a crate::manifest::Manifest,
    pub(super) transaction: Transaction<'static, Postgres>,
    as_of: chrono::DateTime<Utc>,
    /// Campaigns whose wants stand in the temporary table; an error text where they could not be read.
    pub(super) wants: HashMap<i32, Option<String>>,
    /// Campaigns as they are at their providers.
    pub(super) looks: HashMap<i32, Look>,
}

impl<'a> Planner<'a> {
    /// Opens a snapshot. Dropping the planner leaves no trace.
    pub async fn open(context: &Context<'a>) -> Result<Self, ReconcileError> {
        let transaction = Self::begin(context, None).await?;
        let (manifest, as_of) = (context.manifest, context.clock.now());
        Ok(Self { manifest, transaction, as_of, wants: HashMap::new(), looks: HashMap::new() })
    }

    /// A second planner on this one's snapshot, to ask both at the same time.
    pub async fn twin(&mut self, context: &Context<'a>) -> Result<Self, ReconcileError> {
        let snapshot: String = sql::query_scalar("select pg_export_snapshot()")
            .fetch_one(&mut *self.transaction)
            .await
            .map_err(StoreError::on("share the plan's snapshot"))?;
        let transaction = Self::begin(context, Some(&snapshot)).await?;
        Ok(Self {
            manifest: self.manifest,
            transaction,
            as_of: self.as_of,
            wants: HashMap::new(),
            looks: self.looks.clone(),
        })
    }

    async fn begin(
        context: &Context<'a>,
        snapshot: Option<&str>,
    ) -> Result<Transaction<'static, Postgres>, ReconcileError> {
        let doing = "open a snapshot for the plan";
        let timeout = context.manifest.project.database.statement_timeout;
        let mut transaction = context.store.begin().await.map_err(StoreError::on(doing))?;
        sql::query("set transaction isolation level repeatable read")
            .execute(&mut *transaction)
            .await
            .map_err(StoreError::on(doing))?;
        if let Some(snapshot) = snapshot {
            // The server's own word, of digits and hyphens; the command takes no values.
            let text = format!("set transaction snapshot '{}'", snapshot.replace('\'', ""));
            sql::query(AssertSqlSafe(text))
                .execute(&mut *transaction)
                .await
                .map_err(StoreError::on(doing))?;
        }
        let timeout = timeout.map_or(600_000, |span| span.approximate().as_millis());
        // The sums of a large audience in memory, without what would make a small server swap.
        sql::query(
            "select set_config('statement_timeout', $1, true), set_config('work_mem', '64MB', true),
                 set_config('jit', 'off', true)",
        )
        .bind(timeout.to_string())
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::on(doing))?;
        Ok(transaction)
    }

    pub const fn as_of(&self) -> chrono::DateTime<Utc> {
        self.as_of
    }

    /// What applying the campaign would do, with up to `samples` actions of each kind.
    pub async fn campaign(
        &mut self,
        campaign: &'a Campaign,
        samples: i64,
    ) -> Result<CampaignPlan, ReconcileError> {
        let question = match self.question(campaign).await? {
            Ok(question) => question,
            Err(message) => return Ok(Self::cannot_tell(campaign, &message)),
        };
        if let Some(provider) = campaigns::left_at(&mut self.transaction, campaign).await? {
            let message = format!(
                "contacts are still at provider {provider}, which alone can stop them: declare it again, or archive the campaign there first"
            );
            return Ok(Self::held_back(campaign, Guard::ProviderChanged, message));
        }
        match self.try_read(async |connection| diff::report(connection, &question, samples).await).await? {
            Ok(report) => {
                let room = self.room(campaign).await?;
                let plan = Self::describe(campaign, report, room.as_ref());
                Ok(match self.looks.get(&campaign.number) {
                    Some(look) => look.added_to(plan),
                    None => plan,
                })
            }
            Err(message) => Ok(Self::cannot_tell(campaign, &message)),
        }
    }

    /// How many contacts are left after each clause of the campaign's segment.
    pub async fn funnel(&mut self, campaign: &'a Campaign) -> Result<Vec<FunnelStep>, ReconcileError> {
        let question = self.plain_question(campaign, None);
        let segments = question.segments;
        let left = self.try_read(async |connection| diff::funnel(connection, &question).await).await?;
        let Some(segment) = segments.get(&campaign.segment) else { return Ok(Vec::new()) };
        let labels = std::iter::once("all contacts".to_owned())
            .chain(segment.rule.clauses().iter().map(ToString::to_string));
        Ok(left.map_or_else(
            |_| Vec::new(),
            |left| labels.zip(left).map(|(clause, left)| FunnelStep { clause, left }).collect(),
        ))
    }

    /// Every action of the campaign in a stable order.
    pub async fn each_action<E: From<StoreError> + From<ReconcileError>>(
        &mut self,
        campaign: &'a Campaign,
        mut visit: impl FnMut(Action) -> Result<(), E>,
    ) -> Result<(), E> {
        let Ok(question) = self.question(campaign).await? else { return Ok(()) };
        let renderer = FieldRenderer::new(campaign);
        diff::each_action(&mut self.transaction, &question, |row| visit(action(row, &renderer))).await
    }

    /// Where some contacts stand in the campaign. The inner error is the reason why nothing can be said.
    pub async fn verdicts(
        &mut self,
        campaign: &'a Campaign,
        people: &[uuid::Uuid],
    ) -> Result<Result<Vec<diff::Verdict>, String>, ReconcileError> {
        match self.question(campaign).await? {
            Ok(question) => {
                self.try_read(async |connection| diff::verdicts(connection, &question, people).await).await
            }
            Err(message) => Ok(Err(message)),
        }
    }

    /// Who waits to enter the campaign; an error text when that cannot be read.
    pub async fn waiting(
        &mut self,
        campaign: &'a Campaign,
    ) -> Result<Result<Waiting, String>, ReconcileError> {
        let question = match self.question(campaign).await? {
            Ok(question) => question,
            Err(message) => return Ok(Err(message)),
        };
        let start = campaign.day_start(self.as_of);
        let mails = self.manifest.project.mails(campaign).is_some();
        let handed = campaigns::handed(&mut self.transaction, campaign.number, start, mails).await?;
        let read = self.try_read(async |connection| diff::waiting(connection, &question).await).await?;
        let mails = self.mails(campaign).await?;
        Ok(read.map(|domains| Waiting { first: handed.first, today: handed.today, domains, mails }))
    }

    /// The mails that are due, now or later, and who sends them; where we send them ourselves.
    async fn mails(&mut self, campaign: &Campaign) -> Result<Option<Mails>, ReconcileError> {
        let provider = self.manifest.project.providers.get(&campaign.provider);
        let Some(smtp) = provider.and_then(|provider| provider.kind.smtp()) else { return Ok(None) };
        let due = campaigns::mails_due(&mut self.transaction, campaign.number).await?;
        let names: Vec<&str> = smtp.senders.iter().map(|sender| sender.name.as_str()).collect();
        let firsts = campaigns::first_mails(&mut self.transaction, &names).await?;
        let due = due.into_iter().map(|(step, at, contacts)| Due { step: step as u16, at, contacts });
        let first = |name: &str| firsts.iter().find(|(sender, _)| sender == name).map(|(_, at)| *at);
        let senders = smtp.senders.iter().map(|sender| (sender.clone(), first(&sender.name)));
        Ok(Some(Mails { due: due.collect(), senders: senders.collect() }))
    }

    /// What the mailboxes can still send today, where we send the mails ourselves.
    async fn room(&mut self, campaign: &Campaign) -> Result<Option<Room>, ReconcileError> {
        let provider = self.manifest.project.providers.get(&campaign.provider);
        let Some(smtp) = provider.and_then(|provider| provider.kind.smtp()) else { return Ok(None) };
        let names: Vec<&str> = smtp.senders.iter().map(|sender| sender.name.as_str()).collect();
        let days: Vec<_> = smtp.senders.iter().map(|sender| sender.day_start(self.as_of)).collect();
        let standing = mailboxes::standing(&mut *self.transaction, &names, &days).await?;
        Ok(Some(Room::of(&smtp.senders, &standing, self.as_of)))
    }

    /// Campaigns that the database knows and no file declares.
    pub async fn orphans(&mut self) -> Result<Vec<Orphan>, ReconcileError> {
        let declared: Vec<i32> = self.manifest.campaigns.iter().map(|campaign| campaign.number).collect();
        Ok(campaigns::orphans(&mut self.transaction, &declared).await?)
    }

    /// Records the plan's actions and the pass, and commits: from here on they are promises.
    pub async fn record(
        mut self,
        campaign: &'a Campaign,
        plan: &CampaignPlan,
        what: Record,
        pass: &Pass,
        planner: &Lease,
    ) -> Result<u64, ReconcileError> {
        let nothing = match what {
            Record::Everything => plan.changes() == 0,
            Record::NobodyNew => plan.update + plan.withdraw + plan.send == 0,
            Record::Stops => plan.stops == 0,
        };
        history::begin(&mut self.transaction, pass, plan).await?;
        let mut recorded = 0;
        if !nothing && let Ok(question) = self.question(campaign).await? {
            recorded = diff::record(&mut self.transaction, &question, what, pass.id).await?;
        }
        // Whoever took over has planned anew, and its limits know nothing of these.
        if !planner.is_surely_held() {
            return Err(ReconcileError::LeaseLost(planner.name.clone()));
        }
        self.transaction.commit().await.map_err(StoreError::on("record the pushes"))?;
        Ok(recorded)
    }

    /// The campaign's question, after what campaigns of higher rank want has been worked out.
    ///
    /// The inner error is the reason why nothing can be said.
    pub(super) async fn question(
        &mut self,
        campaign: &'a Campaign,
    ) -> Result<Result<Question<'a>, String>, ReconcileError> {
        let above: Vec<&'a Campaign> =
            self.manifest.campaigns.iter().filter(|other| has_a_say(other, campaign)).collect();
        if !above.is_empty() && self.wants.is_empty() {
            diff::create_wanted(&mut self.transaction).await?;
        }
        for first in &above {
            if !self.wants.contains_key(&first.number) {
                let failed = self.add_wants(first).await?;
                self.wants.insert(first.number, failed);
            }
            if let Some(Some(message)) = self.wants.get(&first.number) {
                return Ok(Err(format!(
                    "campaign {} goes first and its audience could not be read: {message}",
                    first.name
                )));
            }
        }
        let start = campaign.day_start(self.as_of);
        let mails = self.manifest.project.mails(campaign).is_some();
        let handed = campaigns::handed(&mut self.transaction, campaign.number, start, mails).await?;
        let day = handed.first.map_or(0, |first| campaign.days_between(first, self.as_of));
        let remaining = campaign.limits.on_day(day).map(|limit| (i64::from(limit) - handed.today).max(0));
        let mut question = self.plain_question(campaign, remaining);
        question.above = above.iter().map(|first| first.number).collect();
        Ok(Ok(question))
    }

    pub(super) fn plain_question(
        &self,
        campaign: &'a Campaign,
        remaining_today: Option<i64>,
    ) -> Question<'a> {
        let manifest = self.manifest;
        let mut tolerated: Vec<i32> = manifest
            .campaigns
            .iter()
            .filter(|other| other.tolerates(campaign))
            .map(|other| other.number)
            .collect();
        tolerated.push(campaign.number);
        Question {
            campaign,
            segments: &manifest.segments,
            tolerated,
            above: Vec::new(),
            as_of: self.as_of,
            remaining_today,
            day_start: campaign.day_start(self.as_of),
            mails: manifest.project.mails(campaign),
            only: None,
        }
    }

    async fn add_wants(&mut self, first: &'a Campaign) -> Result<Option<String>, ReconcileError> {
        let question = match Box::pin(self.question(first)).await? {
            Ok(question) => question,
            Err(message) => return Ok(Some(message)),
        };
        let added =
            self.guarded(async |connection| diff::add_wanted(connection, &question).await, true).await?;
        Ok(added.err())
    }

    /// A read with operator text in it; nothing it calls can write.
    async fn try_read<T>(
        &mut self,
        statement: impl AsyncFnOnce(&mut sqlx::PgConnection) -> Result<T, StoreError>,
    ) -> Result<Result<T, String>, ReconcileError> {
        let read_only = async |connection: &mut sqlx::PgConnection| {
            sql::query("set local transaction_read_only = on")
                .execute(&mut *connection)
                .await
                .map_err(StoreError::on("make the plan's read safe"))?;
            statement(connection).await
        };
        self.guarded(read_only, false).await
    }

    /// Runs a statement with operator text so that its fault ends it alone, not the snapshot.
    /// What it did (settings, rows) is kept only if asked for.
    pub(super) async fn guarded<T>(
        &mut self,
        statement: impl AsyncFnOnce(&mut sqlx::PgConnection) -> Result<T, StoreError>,
        keep: bool,
    ) -> Result<Result<T, String>, ReconcileError> {
        let on = || StoreError::on("set a savepoint");
        let mut savepoint = self.transaction.begin().await.map_err(on())?;
        let result = statement(&mut savepoint).await;
        if keep && result.is_ok() {
            savepoint.commit().await.map_err(on())?;
        } else {
            savepoint.rollback().await.map_err(on())?;
        }
        match result {
            Ok(value) => Ok(Ok(value)),
            Err(error) => match error.statement_fault() {
                Some(message) => Ok(Err(message)),
                None => Err(error.into()),
            },
        }
    }

    fn describe(campaign: &Campaign, report: Report, room: Option<&Room>) -> CampaignPlan {
        let renderer = FieldRenderer::new(campaign);
        let blocked = guard::check(campaign, &report);
        let notes = notes::of(campaign, &report, room);
        CampaignPlan {
            campaign: campaign.name.clone(),
            number: campaign.number,
            provider: campaign.provider.clone(),
            digest: digest(campaign, &report),
            enroll: report.enroll,
            update: report.update,
            withdraw: report.withdraw,
            send: report.send,
            stops: report.stops,
            keep: report.keep(),
            in_flight: report.in_flight + report.on_the_way,
            skipped: report.skipped,
            funnel: Vec::new(),
            blocked,
            remote: None,
            notes,
            actions: report.samples.into_iter().map(|row| action(row, &renderer)).collect(),
        }
    }

    /// A campaign about which nothing can be said: never shown as nothing to do.
    fn cannot_tell(campaign: &Campaign, message: &str) -> CampaignPlan {
        Self::held_back(campaign, Guard::QueryFailed, format!("cannot tell: {message}"))
    }

    fn held_back(campaign: &Campaign, guard: Guard, message: String) -> CampaignPlan {
        let mut plan = Self::describe(campaign, Report::default(), None);
        plan.blocked = Some(Blocked { guard, message });
        plan
    }
}

/// Whether `other` goes first, and what it is about to do matters to `campaign`: the two cannot share
/// a contact, or the contacts that it takes count for a bound that holds across campaigns.
fn has_a_say(other: &Campaign, campaign: &Campaign) -> bool {
    let counts = campaign.company_cap.is_some() || campaign.cooldown.is_some();
    other.state == State::Active && other.outranks(campaign) && (counts || !other.tolerates(campaign))
}

/// Changes whenever the declaration or any action does.
fn digest(campaign: &Campaign, report: &Report) -> String {
    let mut hasher = Sha256::new();
    hasher.update(serde_json::to_vec(campaign).unwrap_or_default());
    for figure in [report.enroll, report.update, report.withdraw, report.send, report.sums[0], report.sums[1]]
    {
        hasher.update(figure.to_be_bytes());
    }
    hex::encode(&hasher.finalize()[..16])
}
