//! A project whose provider is Smartlead, run by the real binary against the stand-in.

use outreachd::simulate::smartlead::Options;
use serde_json::{Value, json};

use crate::support::TestDb;
use crate::support::folder;
use crate::support::process::{Finished, Running};
use crate::support::smartlead::{KEY, Smartlead};

pub(super) const SECRET: &str = outreachd::simulate::smartlead::HOOK_SECRET;

const CAMPAIGN: &str = "campaign: first
number: 1
type: sales
segment: fintech
provider: sl
fields:
  first_name: employee.first_name
  company: company.company_name
sequence:
  - { subject: \"Hello {{ first_name }}\", body: \"A question to {{ company }}.\\nYours\" }
  - { wait: 3d, body: \"Once more.\" }
safety: { max_enroll: 100000, max_withdraw_percent: 100 }
";

const REMOTE: &str = "remote: { mailboxes: [501] }\n";

pub(super) struct Story {
    folder: tempfile::TempDir,
    pub(super) db: TestDb,
    pub(super) smartlead: Smartlead,
}

impl Story {
    pub(super) async fn new(contacts: usize) -> Self {
        Self::with(contacts, Options { rate: "60000/60".parse().unwrap(), ..Options::default() }).await
    }

    pub(super) async fn with(contacts: usize, options: Options) -> Self {
        let story =
            Self { folder: folder(), db: TestDb::new().await, smartlead: Smartlead::with(options).await };
        story.provider("per_minute: 60000, timeout: 2s");
        story.write(
            "segments/fintech.yaml",
            "segment: fintech\nwhere:\n  all:\n    - company.segment: Fintech\n",
        );
        story.campaign(REMOTE);
        story.add_contacts(1, contacts).await;
        story
    }

    pub(super) fn provider(&self, more: &str) {
        let url = self.smartlead.base();
        self.write(
            "outreach.yaml",
            &format!(
                "providers:\n  sl: {{ kind: smartlead, url: \"{url}\", key: \"${{SL_KEY}}\", webhook_secret: \"${{SL_HOOK}}\", {more} }}\nlease: 2s\n"
            ),
        );
    }

    /// The campaign's file, with more at its end.
    pub(super) fn campaign(&self, more: &str) {
        self.write("campaigns/first.yaml", &format!("{CAMPAIGN}{more}"));
    }

    pub(super) fn edit(&self, old: &str, new: &str) {
        let path = self.folder.path().join("campaigns/first.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{old} is not in {text}");
        std::fs::write(path, text.replace(old, new)).unwrap();
    }

    /// Puts lines at the end of the campaign's file.
    pub(super) fn campaign_window(&self, more: &str) {
        let text = std::fs::read_to_string(self.folder.path().join("campaigns/first.yaml")).unwrap();
        self.write("campaigns/first.yaml", &format!("{text}{more}"));
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(super) fn root(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(super) async fn add_contacts(&self, first: usize, n: usize) {
        self.db
            .execute(&format!(
                "with numbers as (select n, uuid_in(lpad(to_hex(n), 32, '0')::cstring) as id
                     from generate_series({first}, {first} + {n} - 1) n),
                 company as (insert into companies (id, company_name, segment)
                     select id, 'Company ' || n, 'Fintech' from numbers returning id)
                 insert into employees (id, company_id, full_name, first_name, work_email)
                 select n.id, c.id, 'Person ' || n.n, 'P' || n.n, 'quiet' || n.n || '@c' || n.n || '.example'
                 from numbers n join company c using (id)"
            ))
            .await;
    }

    /// Gives a contact another address.
    pub(super) async fn address(&self, n: usize, email: &str) {
        self.db
            .execute(&format!("update employees set work_email = '{email}' where first_name = 'P{n}'"))
            .await;
    }

    pub(super) fn start(&self, arguments: &[&str]) -> Running {
        let environment =
            [("DATABASE_URL", self.db.url()), ("SL_KEY", KEY.to_owned()), ("SL_HOOK", SECRET.to_owned())];
        Running::start(self.folder.path(), &environment, arguments)
    }

    pub(super) async fn run(&self, arguments: &[&str]) -> Finished {
        let finished = self.start(arguments).finish().await;
        assert!(!format!("{finished:?}").contains(KEY), "the key leaked: {finished:?}");
        finished
    }

    pub(super) async fn apply(&self) -> Finished {
        self.run(&["apply", "--yes"]).await
    }

    /// The plan's part about the campaign.
    pub(super) async fn plan(&self) -> Value {
        let plan = self.run(&["plan", "--format", "json"]).await.json();
        plan["campaigns"][0].clone()
    }

    /// As `quiet`, where a lost creation has to be waited for.
    pub(super) async fn quiet_for_long(&self) {
        self.quiet().await;
    }

    /// Applies until nothing is left to do.
    pub(super) async fn quiet(&self) {
        for _ in 0..100 {
            let applied = self.apply().await;
            assert!([0, 3, 75].contains(&applied.code), "{applied:?}");
            if self.count("outreach.pushes where settled_at is null").await == 0
                && self.run(&["plan", "--detailed-exitcode"]).await.code == 0
            {
                return;
            }
        }
        panic!("thirty passes did not come to an end: {:?}", self.run(&["status"]).await);
    }

    pub(super) async fn count(&self, from: &str) -> i64 {
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {from}")))
            .fetch_one(self.db.pool())
            .await
            .unwrap()
    }

    pub(super) async fn text(&self, query: &str) -> Option<String> {
        sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned())).fetch_one(self.db.pool()).await.unwrap()
    }

    /// The provider's id of the campaign.
    pub(super) async fn remote(&self) -> i64 {
        let id = self.text("select remote_id from outreach.remote_campaigns where campaign_number = 1").await;
        id.unwrap().parse().unwrap()
    }

    /// The campaign as the stand-in holds it inside.
    pub(super) async fn inside(&self) -> Value {
        self.smartlead.get(&format!("campaigns/{}", self.remote().await))
    }

    /// Calls that the stand-in got, as `METHOD path`.
    pub(super) fn calls(&self) -> Vec<String> {
        let calls = self.smartlead.get("calls");
        let line =
            |call: &Value| format!("{} {}", call["method"].as_str().unwrap(), call["path"].as_str().unwrap());
        calls.as_array().unwrap().iter().map(line).collect()
    }

    pub(super) fn forget_calls(&self) {
        self.smartlead.ask("DELETE", "calls", json!({}));
    }

    /// Database and stand-in agree: everybody once, to the last field.
    pub(super) async fn agrees(&self, contacts: usize) {
        let inside = self.inside().await;
        let members = inside["members"].as_object().unwrap();
        assert_eq!(members.len(), contacts, "never zero");
        let entered = self.smartlead.get("entered");
        assert!(entered.as_object().unwrap().values().all(|times| times == 1), "never twice: {entered}");
        let known: Vec<(String, Value)> =
            sqlx::query_as("select email, fields from outreach.enrollments where live order by email")
                .fetch_all(self.db.pool())
                .await
                .unwrap();
        assert_eq!(known.len(), contacts);
        for (email, fields) in known {
            let member = &members[&email];
            assert_eq!(member["fields"]["first_name"], fields["first_name"], "{email}");
            assert_eq!(member["custom_fields"]["company"], fields["company"], "{email}");
        }
        let written = self.count("employees where campaign_number = 1").await;
        assert_eq!(written, contacts as i64);
        self.run(&["audit"]).await.ended(0);
        self.run(&["plan", "--detailed-exitcode"]).await.ended(0);
    }
}
