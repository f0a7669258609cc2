//! Random days of three daemons on one database: killed, frozen, cut off, with clocks that jump, a server that
//! crashes and a provider that misbehaves. After quiet nothing is in breach, and receiver and database agree exactly.
//! Once with providers that are handed everything, once with Smartlead, which keeps the campaign and sends by itself.
//!
//! `OUTREACHD_CHAOS_SEEDS=200` runs more seeds than the usual few; `OUTREACHD_CHAOS_SEED=17` repeats one. The
//! script `.ci/chaos --seeds N` does the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use outreachd::simulate::smartlead::Options;
use tokio::time::sleep;

use crate::support::bouncer::Bouncer;
use crate::support::dice::Dice;
use crate::support::process::Running;
use crate::support::project::{Kind, Project, until};
use crate::support::receiver::{Behaviour, SECRET};
use crate::support::smartlead::{KEY, Smartlead};
use crate::support::{TestDb, folder};

const DAEMONS: usize = 3;
const EVENTS: usize = 14;
/// Seeds that run side by side: most of their time is waiting.
const GROUP: usize = 10;

/// A call that had been claimed when a stop was committed goes out until its lease ends, and a busy machine is slow.
const ON_ITS_WAY: TimeDelta = TimeDelta::seconds(5);

/// The project and everything around it that can go wrong.
struct Field {
    project: Project,
    bouncer: Bouncer,
    daemons: Vec<Option<Running>>,
    clocks: Clocks,
    contacts: usize,
    /// The end of the campaign's file.
    more: String,
    /// By Smartlead's clock: when an address was stopped, and when that clock jumped by how many seconds.
    stopped: BTreeMap<String, DateTime<Utc>>,
    jumps: Vec<(DateTime<Utc>, i64)>,
}

async fn smartlead(seed: u64) -> Smartlead {
    let roster_delay = TimeDelta::hours([0, 1][(seed % 2) as usize]);
    let rate = "60000/60".parse().unwrap();
    Smartlead::with(Options { seed, rate, roster_delay, ..Options::default() }).await
}

impl Field {
    async fn new(seed: u64, kind: Kind) -> Self {
        let smartlead = match kind {
            Kind::Smartlead => Some(smartlead(seed).await),
            _ => None,
        };
        let project = Project::with(TestDb::own_server().await, kind, smartlead, 6).await;
        let withdraw = ["pause", "remove", "unsubscribe"][(seed % 3) as usize];
        let more = match kind {
            Kind::Smartlead => format!("remote: {{ mailboxes: [501], withdraw: {withdraw} }}\n"),
            _ => String::new(),
        };
        project.campaign(&more);
        project.declare("1s", "1s");
        let text = project.read("outreach.yaml");
        project.write(
            "outreach.yaml",
            &format!("{text}daemon: {{ look_every: 1s, full_look_every: 5s, poll_files_every: 1s, stop_within: 5s }}\n"),
        );
        let bouncer = Bouncer::start(&project.db);
        let mut field = Self {
            project,
            bouncer,
            daemons: Vec::new(),
            clocks: Clocks::new(),
            contacts: 6,
            more,
            stopped: BTreeMap::new(),
            jumps: Vec::new(),
        };
        for index in 0..DAEMONS {
            let daemon = field.daemon(index);
            field.daemons.push(Some(daemon));
        }
        field
    }

    fn daemon(&self, index: usize) -> Running {
        let mut environment = vec![
            ("DATABASE_URL", self.bouncer.url()),
            ("HOOK_SECRET", SECRET.to_owned()),
            ("SL_KEY", KEY.to_owned()),
        ];
        environment.extend(self.clocks.environment(index));
        Running::start(self.project.path(), &environment, &["run"])
    }

    /// Starts every daemon that is not there, as a service manager does, and wakes those that sleep.
    fn all_up(&mut self) {
        self.bouncer.up();
        for index in 0..DAEMONS {
            match self.running(index) {
                Some(daemon) => daemon.thaw(),
                None => self.daemons[index] = Some(self.daemon(index)),
            }
        }
    }

    /// The daemon if it runs: one that found no database when it started gave up at once.
    fn running(&mut self, index: usize) -> Option<&Running> {
        if self.daemons[index].as_mut().is_some_and(Running::is_over) {
            self.daemons[index] = None;
        }
        self.daemons[index].as_ref()
    }

    /// What the provider does next.
    fn misbehave(&mut self, dice: &mut Dice) {
        let Some(smartlead) = &self.project.smartlead else {
            let script: Vec<_> = (0..3).map(|_| dice.behaviour(self.contacts)).collect();
            self.project.receiver.script(script);
            return;
        };
        smartlead.faults(["", "10%", "25%"][dice.roll(3) as usize]);
        let passed = [0, 0, 600, 86_400][dice.roll(4) as usize];
        self.jumps.push((smartlead.now(), passed));
        smartlead.advance(passed);
    }

    /// Nobody was put into the campaign after a stop, counted from Smartlead's side.
    fn nobody_entered_after_a_stop(&self, smartlead: &Smartlead, members: &serde_json::Value) {
        for (email, stopped) in &self.stopped {
            let Some(entered) = members[email]["created_at"].as_str() else { continue };
            let entered: DateTime<Utc> = entered.parse().unwrap();
            let jumped: i64 = self
                .jumps
                .iter()
                .filter(|(at, _)| at > stopped && *at < entered)
                .map(|(_, seconds)| seconds)
                .sum();
            let late = entered - *stopped - TimeDelta::seconds(jumped);
            assert!(late < ON_ITS_WAY, "{email} entered {late} after its stop: {}", smartlead.get("calls"));
        }
    }

    async fn event(&mut self, dice: &mut Dice) {
        let someone = dice.roll(self.contacts as u64) + 1;
        let index = dice.roll(DAEMONS as u64) as usize;
        match dice.roll(16) {
            0 => {
                self.project.add_contacts(self.contacts + 1, 2).await;
                self.contacts += 2;
            }
            1 => {
                self.change(&format!(
                    "insert into outreach.suppressions (target, reason, source)
                     values ('p{someone}@c{someone}.example', 'do_not_contact', 'test') on conflict do nothing"
                ))
                .await;
                if let Some(smartlead) = &self.project.smartlead {
                    let email = format!("p{someone}@c{someone}.example");
                    self.stopped.entry(email).or_insert_with(|| smartlead.now());
                }
            }
            2 => {
                self.change(&format!(
                    "update employees set reply_bounce = true where first_name like 'P{someone}'"
                ))
                .await;
            }
            3 => {
                self.change(&format!(
                    "update employees set first_name = first_name || 'x' where last_name is null and id =
                     uuid_in(lpad(to_hex({someone}), 32, '0')::cstring)"
                ))
                .await;
            }
            4 => {
                let limit = 3 + dice.roll(20);
                self.project.campaign(&format!("{}limits: {{ per_day: {} }}\n", self.more, 100 + limit));
            }
            5 => self.project.write("campaigns/bad.yaml", "campaign: [\n"),
            6 => {
                let _ = std::fs::remove_file(self.project.path().join("campaigns/bad.yaml"));
            }
            7 | 8 => {
                if let Some(daemon) = self.daemons[index].take() {
                    daemon.kill().await;
                }
            }
            9 => {
                if let Some(daemon) = self.running(index) {
                    daemon.freeze();
                }
            }
            10 => {
                if self.running(index).is_some()
                    && let Some(daemon) = self.daemons[index].take()
                {
                    daemon.thaw();
                    daemon.terminate();
                    let ended = daemon.finish().await;
                    // -1: before it could listen to signals; 75: there was no database yet.
                    assert!([0, 130, 75, -1].contains(&ended.code), "{ended:?}");
                }
            }
            11 => self.bouncer.down(),
            12 => self.project.db.crash().await,
            13 => self.clocks.step(index, dice.roll(5) as i64 - 2),
            _ => self.all_up(),
        }
    }

    /// A change that somebody else makes; it may have to be tried again on a server that has just crashed.
    async fn change(&self, sql: &str) {
        until("a change by somebody else", || async {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(self.project.db.pool()).await.is_ok()
        })
        .await;
    }

    /// Everything works again: the daemons come to an end by themselves.
    async fn quiet(&mut self) {
        self.project.receiver.always(Behaviour::Accept);
        if let Some(smartlead) = &self.project.smartlead {
            smartlead.faults("");
        }
        let _ = std::fs::remove_file(self.project.path().join("campaigns/bad.yaml"));
        self.all_up();
        for _ in 0..600 {
            self.all_up();
            // Smartlead tells what became of a push; it never takes a person.
            let in_doubt = match self.project.kind {
                Kind::Smartlead => Vec::new(),
                _ => self.project.in_doubt().await,
            };
            for push in in_doubt {
                let arrived = self.project.taken().iter().any(|delivery| delivery.key == push);
                let answer = if arrived { "--arrived" } else { "--not-arrived" };
                self.project.run(&["resolve", &push, answer]).await;
            }
            let open = self.project.count("outreach.pushes where settled_at is null").await;
            if open == 0 && self.project.run(&["plan", "--detailed-exitcode"]).await.code == 0 {
                break;
            }
            sleep(Duration::from_millis(200)).await;
        }
        for daemon in self.daemons.drain(..).flatten() {
            daemon.terminate();
            let ended = daemon.finish().await;
            // -1 and 75: it was started a moment ago.
            assert!([0, -1, 75].contains(&ended.code), "{ended:?}");
        }
    }
}

/// A clock of its own for each daemon, where libfaketime is installed.
struct Clocks {
    library: Option<PathBuf>,
    folder: tempfile::TempDir,
}

impl Clocks {
    fn new() -> Self {
        let library = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
            .iter()
            .map(|folder| Path::new(folder).join("faketime/libfaketime.so.1"))
            .find(|library| library.is_file());
        if library.is_none() {
            eprintln!("libfaketime is not installed: no clock jumps");
        }
        let clocks = Self { library, folder: folder() };
        (0..DAEMONS).for_each(|index| clocks.step(index, 0));
        clocks
    }

    fn file(&self, index: usize) -> PathBuf {
        self.folder.path().join(index.to_string())
    }

    fn step(&self, index: usize, days: i64) {
        std::fs::write(self.file(index), format!("{days:+}d")).unwrap();
    }

    fn environment(&self, index: usize) -> Vec<(&'static str, String)> {
        let Some(library) = &self.library else { return Vec::new() };
        vec![
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file(index).display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            // A stepped clock is the wall's; nobody steps the monotonic one.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}

async fn live(seed: u64, kind: Kind) {
    let mut dice = Dice(seed);
    let mut field = Field::new(seed, kind).await;
    for _ in 0..EVENTS {
        field.misbehave(&mut dice);
        field.event(&mut dice).await;
        sleep(Duration::from_millis(50 + dice.roll(600))).await;
    }
    field.quiet().await;
    match &field.project.smartlead {
        None => field.project.agrees_exactly().await,
        Some(smartlead) => {
            // What happened there meanwhile is heard, and what it means is done.
            field.project.run(&["feedback"]).await.ended(0);
            field.project.quiet().await;
            let stopped: Vec<String> = sqlx::query_scalar("select target from outreach.suppressions")
                .fetch_all(field.project.db.pool())
                .await
                .unwrap();
            let members = smartlead.agrees(&field.project.db, &BTreeSet::from_iter(stopped)).await;
            field.nobody_entered_after_a_stop(smartlead, &members);
            field.project.run(&["audit"]).await.ended(0);
        }
    }
    field.project.run(&["plan", "--detailed-exitcode"]).await.ended(0);
}

/// Lives through the seeds that are asked for, or through the usual few.
async fn each_seed(usual: u64, kind_of: fn(u64) -> Kind) {
    let variable = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> = match variable("OUTREACHD_CHAOS_SEED") {
        Some(seed) => vec![seed],
        None => (1..=variable("OUTREACHD_CHAOS_SEEDS").unwrap_or(usual)).collect(),
    };
    for group in seeds.chunks(GROUP) {
        let lives: Vec<_> =
            group.iter().map(|seed| (*seed, tokio::spawn(live(*seed, kind_of(*seed))))).collect();
        for (seed, life) in lives {
            assert!(life.await.is_ok(), "seed {seed}: repeat it with OUTREACHD_CHAOS_SEED={seed}");
        }
        println!("seeds up to {} agree", group.last().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_chaos_receiver_and_database_agree() {
    each_seed(5, |seed| [Kind::Deduping, Kind::LookedUp, Kind::Blind, Kind::File][(seed % 4) as usize]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_chaos_smartlead_and_database_agree() {
    each_seed(4, |_| Kind::Smartlead).await;
}
