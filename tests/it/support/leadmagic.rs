//! A project that looks its contacts up, run by the real binary against the stand-in for LeadMagic.

use std::sync::Arc;

use outreachd::model::SystemClock;
use outreachd::simulate::leadmagic::{Handle, Options, Simulator};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::process::{Finished, Running};
use super::{TestDb, folder};

pub(crate) const KEY: &str = "lm-key-that-must-not-leak";

pub(crate) struct LeadMagic {
    folder: tempfile::TempDir,
    pub(crate) db: TestDb,
    url: String,
    handle: Handle,
    server: JoinHandle<()>,
}

const SEGMENT: &str = "segment: fintech\nwhere:\n  all:\n    - company.segment: Fintech\n";

const CAMPAIGN: &str = "campaign: first
number: 1
type: sales
segment: fintech
provider: out
fields: { first_name: employee.first_name }
sequence: [{ subject: \"Hello {{ first_name }}\", body: \"A question.\" }]
verified: 30d
";

impl LeadMagic {
    /// With so many contacts, whose addresses are `alive1@c1.example` and so on.
    pub(crate) async fn new(contacts: usize, options: Options) -> Self {
        let options = Options { key: Some(KEY.to_owned()), rate: "600000/60".parse().unwrap(), ..options };
        let simulator = Simulator::bind(options, Arc::new(SystemClock)).await.unwrap();
        let (url, handle) = (simulator.url().to_owned(), simulator.handle());
        let server = tokio::spawn(async move { simulator.serve().await.unwrap() });
        let story = Self { folder: folder(), db: TestDb::new().await, url, handle, server };
        story.write("segments/fintech.yaml", SEGMENT);
        story.write("campaigns/first.yaml", CAMPAIGN);
        story.declare("");
        story.add_contacts(1, contacts).await;
        story
    }

    /// Writes `outreach.yaml`, with more settings of `enrichment`.
    pub(crate) fn declare(&self, more: &str) {
        self.declare_with(more, "");
    }

    /// The same, with more sections.
    pub(crate) fn declare_with(&self, more: &str, sections: &str) {
        let url = &self.url;
        let mut more = more.to_owned();
        for budget in ["max_credits_per_day", "max_credits_per_run"] {
            if !more.contains(budget) {
                more = format!("{budget}: 100000, {more}");
            }
        }
        self.write(
            "outreach.yaml",
            &format!(
                "providers:\n  out: {{ kind: file, dir: outbox }}\nlease: 2s\nenrichment: {{ url: \"{url}\", key: \"${{LM_KEY}}\", special_domains: allow, check_mx: false, per_minute: 60000, timeout: 1s, poll_every: 1s, {more} }}\n{sections}"
            ),
        );
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) async fn add_contacts(&self, first: usize, n: usize) {
        self.db
            .execute(&format!(
                "with numbers as (select n, uuid_in(lpad(to_hex(n), 32, '0')::cstring) as id
                     from generate_series({first}, {first} + {n} - 1) n),
                 company as (insert into companies (id, company_name, segment, website)
                     select id, 'Company ' || n, 'Fintech', 'https://www.c' || n || '.example/' from numbers returning id)
                 insert into employees (id, company_id, full_name, first_name, last_name, work_email)
                 select n.id, c.id, 'Person ' || n.n, 'Person', 'P' || n.n, 'alive' || n.n || '@c' || n.n || '.example'
                 from numbers n join company c using (id)"
            ))
            .await;
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let environment = [("DATABASE_URL", self.db.url()), ("LM_KEY", KEY.to_owned())];
        Running::start(self.folder.path(), &environment, arguments)
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        let finished = self.start(arguments).finish().await;
        assert!(!format!("{finished:?}").contains(KEY), "the key leaked: {finished:?}");
        finished
    }

    /// `enrich`, as JSON.
    pub(crate) async fn enrich(&self, arguments: &[&str], code: i32) -> Value {
        self.run(&[&["enrich", "--format", "json"], arguments].concat()).await.ended(code).json()
    }

    pub(crate) async fn count(&self, from: &str) -> i64 {
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {from}")))
            .fetch_one(self.db.pool())
            .await
            .unwrap()
    }

    pub(crate) async fn text(&self, query: &str) -> Option<String> {
        sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned())).fetch_one(self.db.pool()).await.unwrap()
    }

    /// Credits that the ledger says were used, by all days.
    pub(crate) async fn used(&self) -> String {
        self.text("select trim_scale(coalesce(sum(used), 0))::text from outreach.spending").await.unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.handle.ask("GET", path, &json!({}))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) {
        assert_eq!(self.handle.ask("POST", path, body), json!({ "ok": true }));
    }

    pub(crate) fn faults(&self, spec: &str) {
        self.post("faults", &json!({ "spec": spec }));
    }

    /// Calls as `METHOD path`.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = self.get("calls");
        let line =
            |call: &Value| format!("{} {}", call["method"].as_str().unwrap(), call["path"].as_str().unwrap());
        calls.as_array().unwrap().iter().map(line).collect()
    }

    /// Nobody was charged for twice, and ledger and account agree to the last hundredth.
    pub(crate) async fn agrees(&self) {
        let charged = self.get("charged");
        assert!(charged.as_object().unwrap().values().all(|times| times == 1), "bought twice: {charged}");
        assert_eq!(self.get("")["spent"], self.used().await, "ledger and account");
        self.run(&["audit"]).await.ended(0);
        let runs =
            self.text("select trim_scale(coalesce(sum(used), 0))::text from outreach.spending_runs").await;
        assert_eq!(runs.unwrap(), self.used().await, "runs and days");
    }
}

impl Drop for LeadMagic {
    fn drop(&mut self) {
        self.server.abort();
    }
}
