//! A project folder with a database, contacts and a provider, for tests of the real binary.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::Future;
use std::time::Duration;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Postgres, Transaction};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::process::{Finished, Running};
use super::receiver::{Delivery, Receiver, SECRET};
use super::smartlead::{KEY, Smartlead};
use super::{TestDb, folder};

/// How the provider can be asked what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The `file` provider.
    File,
    /// A webhook that tells the second delivery of a key from the first.
    Deduping,
    /// A webhook that does not, and can be asked.
    LookedUp,
    /// A webhook that does not, and cannot be asked.
    Blind,
    /// The stand-in for Smartlead, which keeps the campaign.
    Smartlead,
}

pub(crate) struct Project {
    folder: TempDir,
    pub(crate) kind: Kind,
    pub(crate) db: TestDb,
    pub(crate) receiver: Receiver,
    /// Where the provider is the stand-in for it.
    pub(crate) smartlead: Option<Smartlead>,
}

pub(crate) const BATCH: usize = 2;

const SEGMENT: &str = "segment: fintech\nwhere:\n  all:\n    - company.segment: Fintech\n";

const CAMPAIGN: &str = "campaign: first
number: 1
type: sales
segment: fintech
provider: out
fields: { first_name: employee.first_name }
sequence: [{ subject: \"Hello {{ first_name }}\", body: \"A question.\" }]
safety: { max_enroll: 1000 }
";

const KEPT_CAMPAIGN: &str = "campaign: first
number: 1
type: sales
segment: fintech
provider: out
fields: { first_name: employee.first_name }
sequence:
  - { subject: \"Hello {{ first_name }}\", body: \"A question.\" }
  - { wait: 3d, body: \"Once more.\" }
safety: { max_enroll: 1000 }
";

impl Project {
    /// With one campaign and this many contacts for it.
    pub(crate) async fn new(kind: Kind, contacts: usize) -> Self {
        Self::on(TestDb::new().await, kind, contacts).await
    }

    /// The same on a database that may be restarted.
    pub(crate) async fn on(db: TestDb, kind: Kind, contacts: usize) -> Self {
        let smartlead = match kind {
            Kind::Smartlead => Some(Smartlead::start().await),
            _ => None,
        };
        Self::with(db, kind, smartlead, contacts).await
    }

    /// The same with a stand-in that is there already.
    pub(crate) async fn with(db: TestDb, kind: Kind, smartlead: Option<Smartlead>, contacts: usize) -> Self {
        let project = Self { folder: folder(), kind, db, receiver: Receiver::start().await, smartlead };
        project.declare("1s", "5s");
        project.write("segments/fintech.yaml", SEGMENT);
        project.campaign("");
        project.add_contacts(1, contacts).await;
        project
    }

    /// Writes `outreach.yaml`.
    pub(crate) fn declare(&self, lease: &str, timeout: &str) {
        let url = self.receiver.url();
        let provider = match self.kind {
            Kind::File => format!("{{ kind: file, dir: outbox, batch: {BATCH} }}"),
            Kind::Smartlead => format!(
                "{{ kind: smartlead, url: \"{}\", key: \"${{SL_KEY}}\", per_minute: 60000, listen_every: 10s, timeout: {timeout}, batch: {BATCH} }}",
                self.smartlead.as_ref().unwrap().base(),
            ),
            _ => format!(
                "{{ kind: webhook, url: \"{url}\", secret: \"${{HOOK_SECRET}}\", idempotent: {}, look_up: {}, timeout: {timeout}, batch: {BATCH} }}",
                self.kind == Kind::Deduping,
                self.kind == Kind::LookedUp,
            ),
        };
        self.write("outreach.yaml", &format!("providers:\n  out: {provider}\nlease: {lease}\n"));
    }

    /// Adds text to the campaign's file.
    pub(crate) fn campaign(&self, more: &str) {
        let campaign = if self.kind == Kind::Smartlead { KEPT_CAMPAIGN } else { CAMPAIGN };
        self.write("campaigns/first.yaml", &format!("{campaign}{more}"));
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.path().join(path)).unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Contacts `first..first + n`, each of a company of its own.
    pub(crate) async fn add_contacts(&self, first: usize, n: usize) {
        sqlx::query(
            "with numbers as (select n, uuid_in(lpad(to_hex(n), 32, '0')::cstring) as id
                 from generate_series($1::integer, $1::integer + $2::integer - 1) n),
             company as (insert into companies (id, company_name, segment)
                 select id, 'Company ' || n, 'Fintech' from numbers returning id)
             insert into employees (id, company_id, full_name, first_name, work_email)
             select n.id, c.id, 'Person ' || n.n, 'P' || n.n, 'p' || n.n || '@c' || n.n || '.example'
             from numbers n join company c using (id)",
        )
        .bind(first as i32)
        .bind(n as i32)
        .execute(self.db.pool())
        .await
        .unwrap();
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.start_on(self.db.url(), arguments)
    }

    pub(crate) fn start_on(&self, url: String, arguments: &[&str]) -> Running {
        let environment =
            [("DATABASE_URL", url), ("HOOK_SECRET", SECRET.to_owned()), ("SL_KEY", KEY.to_owned())];
        Running::start(self.folder.path(), &environment, arguments)
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        self.start(arguments).finish().await
    }

    /// Runs statements and keeps their locks until the transaction is dropped.
    pub(crate) async fn hold(&self, sql: &str) -> Transaction<'static, Postgres> {
        let mut transaction = self.db.pool().begin().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *transaction).await.unwrap();
        transaction
    }

    /// Lets a process that claims a contact past this one wait in its commit, until the transaction is dropped.
    pub(crate) async fn hold_claims(&self, after: usize) -> Transaction<'static, Postgres> {
        self.db
            .execute(&format!(
                "create table if not exists public.gate as select 1 as id;
                 create or replace function public.wait_at_gate() returns trigger language plpgsql as
                 $$ begin perform from public.gate for share; return null; end $$;
                 create constraint trigger wait_at_gate after update on outreach.pushes
                     deferrable initially deferred for each row
                     when (new.state = 'claimed' and new.employee_id > '00000000-0000-0000-0000-00000000000{after}')
                     execute function public.wait_at_gate()"
            ))
            .await;
        self.hold("select from public.gate for update").await
    }

    /// Lets a process that inserts into a table wait there, until the transaction is dropped.
    pub(crate) async fn hold_inserts(&self, table: &str) -> Transaction<'static, Postgres> {
        self.db
            .execute(&format!(
                "create table if not exists public.gate as select 1 as id;
                 create or replace function public.wait_before_insert() returns trigger language plpgsql as
                 $$ begin perform from public.gate for share; return new; end $$;
                 create trigger wait_before_insert before insert on {table}
                     for each row execute function public.wait_before_insert()"
            ))
            .await;
        self.hold("select from public.gate for update").await
    }

    /// Waits until a statement with this text waits for somebody's lock.
    pub(crate) async fn stalled(&self, text: &str) {
        until(text, || async move {
            let waiting: bool = sqlx::query_scalar(
                "select exists (select from pg_stat_activity where datname = current_database()
                     and wait_event_type = 'Lock' and position($1 in query) > 0)",
            )
            .bind(text)
            .fetch_one(self.db.pool())
            .await
            .unwrap();
            waiting
        })
        .await;
    }

    /// One number from the database.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {sql}")))
            .fetch_one(self.db.pool())
            .await
            .unwrap()
    }

    /// Everything that the provider took, in order, as often as it took it.
    pub(crate) fn taken(&self) -> Vec<Delivery> {
        if self.kind != Kind::File {
            return self.receiver.kept();
        }
        self.read("outbox/campaign-1.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// For each address how often it was enrolled for real: a deduping receiver counts keys.
    pub(crate) fn enrolled(&self) -> BTreeMap<String, usize> {
        let mut keys = std::collections::HashSet::new();
        let mut enrolled = BTreeMap::new();
        for delivery in self.taken().into_iter().filter(|delivery| delivery.action == "enroll") {
            if keys.insert(delivery.key) || self.kind != Kind::Deduping {
                *enrolled.entry(delivery.email).or_default() += 1;
            }
        }
        enrolled
    }

    /// Applies until there is nothing left to do, resolving what is in doubt as the receiver knows it.
    pub(crate) async fn quiet(&self) {
        for _ in 0..20 {
            let applied = self.run(&["apply", "--yes"]).await;
            assert!([0, 3, 75].contains(&applied.code), "{applied:?}");
            for push in self.in_doubt().await {
                let arrived = self.taken().iter().any(|delivery| delivery.key == push);
                let answer = if arrived { "--arrived" } else { "--not-arrived" };
                self.run(&["resolve", &push, answer]).await.ended(0);
            }
            if self.count("outreach.pushes where settled_at is null").await == 0
                && self.run(&["plan", "--detailed-exitcode"]).await.code == 0
            {
                return;
            }
        }
        panic!("twenty passes did not come to an end: {:?}", self.run(&["status"]).await);
    }

    /// Keys of pushes that wait for a person.
    pub(crate) async fn in_doubt(&self) -> Vec<String> {
        let status = self.run(&["status", "--format", "json"]).await.ended(0).json();
        let pushes = status["in_doubt"].as_array().unwrap().clone();
        pushes.iter().map(|push: &Value| push["key"].as_str().unwrap().to_owned()).collect()
    }

    /// Receiver and database agree that these many contacts are enrolled, each exactly once.
    pub(crate) async fn agrees(&self, contacts: usize) {
        let enrolled = self.enrolled();
        assert_eq!(enrolled.len(), contacts, "never zero: {enrolled:?}");
        assert!(enrolled.values().all(|times| *times == 1), "never twice: {enrolled:?}");
        assert_eq!(self.receiver.complaints(), Vec::<String>::new());
        let contacts = contacts as i64;
        assert_eq!(self.count("outreach.enrollments where live").await, contacts);
        assert_eq!(
            self.count("employees where campaign_number = 1 and campaign_status = 'queued'").await,
            contacts
        );
        assert_eq!(self.count("employees where outreach_sent_date is not null").await, contacts);
        self.run(&["audit"]).await.ended(0);
        self.run(&["plan", "--detailed-exitcode"]).await.ended(0);
    }

    /// What the provider holds, by what it took, is what the database says, to the last field.
    pub(crate) async fn agrees_exactly(&self) {
        let mut holds: BTreeMap<String, Value> = BTreeMap::new();
        let mut entered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for delivery in self.taken() {
            if !seen.insert(delivery.key.clone()) {
                assert_eq!(self.kind, Kind::Deduping, "delivered twice: {}", delivery.key);
                continue;
            }
            match delivery.action.as_str() {
                "withdraw" => {
                    holds.remove(&delivery.email);
                }
                "enroll" => {
                    entered.entry(delivery.email.clone()).or_default().insert(delivery.key);
                    holds.insert(delivery.email, delivery.fields);
                }
                _ => {
                    assert!(holds.insert(delivery.email, delivery.fields).is_some(), "an update of nobody");
                }
            }
        }
        assert!(entered.values().all(|keys| keys.len() == 1), "never twice: {entered:?}");
        let known: Vec<(String, Value)> =
            sqlx::query_as("select email, fields from outreach.enrollments where live order by email")
                .fetch_all(self.db.pool())
                .await
                .unwrap();
        let known: BTreeMap<_, _> = known.into_iter().collect();
        if known != holds {
            let ledger: Vec<String> = sqlx::query_scalar(
                "select concat_ws(' ', email, ordinal, action, reason, state, attempts, doubted, handed_at, settled_at, answer)
                 from outreach.pushes order by email, ordinal",
            )
            .fetch_all(self.db.pool())
            .await
            .unwrap();
            panic!(
                "the database knows {known:?}, the receiver holds {holds:?}; {ledger:#?}, taken {:#?}",
                self.taken()
            );
        }
        let written: Vec<String> =
            sqlx::query_scalar("select work_email from employees where campaign_number = 1")
                .fetch_all(self.db.pool())
                .await
                .unwrap();
        assert!(written.iter().all(|email| entered.contains_key(email)), "written back and never delivered");
        assert!(holds.keys().all(|email| written.contains(email)), "held and not written back");
        assert_eq!(self.receiver.complaints(), Vec::<String>::new());
        self.run(&["audit"]).await.ended(0);
    }
}

/// Waits for a condition, not for a time.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    // Longer than any step that is waited for: a mail server may take two minutes for an answer.
    let deadline = Instant::now() + Duration::from_mins(4);
    while !condition().await {
        assert!(Instant::now() < deadline, "never came about: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
