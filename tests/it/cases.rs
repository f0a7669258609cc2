//! Scenarios as files: a project, rows, steps, and the text that comes of them.
//!
//! A case is a folder of `tests/cases/plan` with `segments/`, `campaigns/`, `rows.sql`, `steps.txt` and
//! `expected.txt`. `UPDATE_CASES=1` writes the last anew, to be reviewed like code. In SQL, `n(7)` is
//! the key 00000000-0000-0000-0000-000000000007. A step is a line:
//!
//! - `at INSTANT` sets the clock
//! - `plan` shows what every campaign would do
//! - `apply` applies all in order of rank; `approve NAME` does so for one that the guard holds back
//! - `outbox` shows what the provider has been handed since the last look
//! - `sql STATEMENT` changes rows; `show QUERY` prints some
//! - `edit FILE => OLD => NEW` changes a declaration; `remove FILE` takes it away

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use outreachd::manifest::{self, Manifest};
use outreachd::model::{CampaignPlan, FixedClock, Skip};
use outreachd::reconcile::{Context, Order, Planner, in_rank, reconcile};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::support::TestDb;

const PROJECT: &str = "providers: { outbox: { kind: file, dir: outbox } }";

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_goes_as_expected() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases/plan");
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() > 10);
    let mut wrong = Vec::new();
    for folder in &folders {
        wrong.extend(check(folder).await);
    }
    assert!(wrong.is_empty(), "{}\nrun with UPDATE_CASES=1 and review the difference", wrong.join("\n"));
}

/// Runs one case; says what came out if it is not what is expected.
async fn check(folder: &Path) -> Option<String> {
    let said = Scenario::run(folder).await;
    let expected = folder.join("expected.txt");
    if std::env::var_os("UPDATE_CASES").is_some() {
        std::fs::write(&expected, &said).unwrap();
    }
    let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
    (said != wanted).then(|| format!("{}\n--- wanted\n{wanted}\n--- said\n{said}", folder.display()))
}

struct Scenario {
    db: TestDb,
    /// Path below the project folder, and text.
    files: BTreeMap<String, String>,
    outbox: tempfile::TempDir,
    /// How much of each outbox file has been shown.
    seen: BTreeMap<i32, usize>,
    now: DateTime<Utc>,
    said: String,
}

impl Scenario {
    async fn run(folder: &Path) -> String {
        let db = TestDb::new().await;
        db.execute(
            "create function n(integer) returns uuid language sql immutable
             as $$ select lpad($1::text, 32, '0')::uuid $$",
        )
        .await;
        db.execute(&std::fs::read_to_string(folder.join("rows.sql")).unwrap()).await;
        let mut scenario = Self {
            db,
            files: files(folder),
            outbox: tempfile::tempdir().unwrap(),
            seen: BTreeMap::new(),
            now: "2026-11-23T09:00:00Z".parse().unwrap(),
            said: String::new(),
        };
        let steps = std::fs::read_to_string(folder.join("steps.txt")).unwrap();
        for line in steps.lines().map(str::trim).filter(|line| !line.is_empty()) {
            writeln!(scenario.said, "> {line}").unwrap();
            // A remark is part of what is read, and does nothing.
            if !line.starts_with('#') {
                scenario.step(line).await;
            }
        }
        scenario.said
    }

    async fn step(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "at" => self.now = rest.parse().unwrap(),
            "plan" => self.plan().await,
            "apply" => self.apply(None).await,
            "approve" => self.apply(Some(rest)).await,
            "outbox" => self.show_outbox(),
            "sql" => self.db.execute(rest).await,
            "show" => self.show(rest).await,
            "edit" => {
                let parts: Vec<&str> = rest.split(" => ").collect();
                let text = self.files.get_mut(parts[0]).unwrap();
                assert!(text.contains(parts[1]), "{line}");
                *text = text.replace(parts[1], parts[2]);
            }
            "remove" => assert!(self.files.remove(rest).is_some(), "{line}"),
            _ => panic!("no such step: {line}"),
        }
    }

    fn manifest(&self) -> Manifest {
        let files = self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        let loaded = manifest::load_sources(files);
        let said: String = loaded.diagnostics.iter().map(ToString::to_string).collect();
        loaded.manifest.unwrap_or_else(|| panic!("{said}"))
    }

    async fn plan(&mut self) {
        let manifest = self.manifest();
        let clock = FixedClock(self.now);
        let context = context(&self.db, &manifest, &clock, self.outbox.path());
        let mut planner = Planner::open(&context).await.unwrap();
        for campaign in in_rank(&manifest.campaigns) {
            let plan = planner.campaign(campaign, 20).await.unwrap();
            describe(&mut self.said, &plan);
        }
        for orphan in planner.orphans().await.unwrap() {
            let (name, enrolled, open) = (orphan.campaign, orphan.enrolled, orphan.open);
            writeln!(self.said, "orphaned {name} #{}: {enrolled} enrolled, {open} open", orphan.number)
                .unwrap();
        }
    }

    async fn apply(&mut self, approved: Option<&str>) {
        let manifest = self.manifest();
        let clock = FixedClock(self.now);
        let context = context(&self.db, &manifest, &clock, self.outbox.path());
        for campaign in in_rank(&manifest.campaigns) {
            if approved.is_some_and(|name| name != campaign.name) {
                continue;
            }
            let order = Order {
                approved: approved.map(ToOwned::to_owned),
                ..Order::by_hand("test", std::time::Duration::ZERO)
            };
            let applied = reconcile(&context, campaign, &order).await.unwrap();
            let settled = applied.settled;
            write!(self.said, "{}: {} accepted", campaign.name, settled.accepted).unwrap();
            for (n, word) in [
                (settled.refused, "refused"),
                (settled.retry, "to try again"),
                (settled.in_doubt, "in doubt"),
                (applied.stopped, "stopped"),
            ] {
                if n > 0 {
                    write!(self.said, ", {n} {word}").unwrap();
                }
            }
            writeln!(self.said, ", {} rows written", settled.written).unwrap();
            if let Some(message) = applied.message {
                writeln!(self.said, "  {message}").unwrap();
            }
        }
    }

    fn show_outbox(&mut self) {
        for campaign in self.manifest().campaigns {
            let path = self.outbox.path().join(format!("outbox/campaign-{}.jsonl", campaign.number));
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let seen = self.seen.entry(campaign.number).or_default();
            for line in text.lines().skip(*seen) {
                *seen += 1;
                let line: Value = serde_json::from_str(line).unwrap();
                let word = |name: &str| line[name].as_str().unwrap().to_owned();
                let (action, email) = (word("action"), word("email"));
                writeln!(self.said, "{} {action} {email} {}", campaign.name, line["fields"]).unwrap();
            }
        }
    }

    async fn show(&mut self, query: &str) {
        let sql = AssertSqlSafe(format!("select to_jsonb(q)::text from ({query}) q"));
        let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(self.db.pool()).await.unwrap();
        for row in rows {
            writeln!(self.said, "{row}").unwrap();
        }
    }
}

fn context<'a>(db: &'a TestDb, manifest: &'a Manifest, clock: &'a FixedClock, root: &'a Path) -> Context<'a> {
    Context {
        store: db.store(),
        manifest,
        clock,
        root,
        holder: Uuid::nil(),
        revision: None,
        stop: outreachd::model::Stop::never(),
    }
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::from([(manifest::PROJECT_FILE.to_owned(), PROJECT.to_owned())]);
    for kind in [manifest::SEGMENTS, manifest::CAMPAIGNS] {
        for entry in std::fs::read_dir(folder.join(kind)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            files.insert(format!("{kind}/{name}"), std::fs::read_to_string(&path).unwrap());
        }
    }
    files
}

fn describe(said: &mut String, plan: &CampaignPlan) {
    let CampaignPlan { campaign, number, enroll, update, withdraw, keep, .. } = plan;
    writeln!(said, "{campaign} #{number}: +{enroll} ~{update} -{withdraw} ={keep}").unwrap();
    if let Some(blocked) = &plan.blocked {
        writeln!(said, "  blocked: {}", blocked.message).unwrap();
    }
    for note in &plan.notes {
        writeln!(said, "  note: {note}").unwrap();
    }
    for (code, n) in &plan.skipped {
        writeln!(said, "  {n} {}", Skip::parse(code).unwrap().text()).unwrap();
    }
    for action in &plan.actions {
        let sign = match action.action {
            outreachd::model::ActionKind::Enroll => '+',
            outreachd::model::ActionKind::Update => '~',
            outreachd::model::ActionKind::Withdraw => '-',
            outreachd::model::ActionKind::Send => '>',
        };
        writeln!(said, "  {sign} {} <{}>: {}", action.who, action.email, action.reason).unwrap();
        for change in &action.changes {
            writeln!(said, "      {}: {} -> {}", change.field, change.old, change.new).unwrap();
        }
    }
}
