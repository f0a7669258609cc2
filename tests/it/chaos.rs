//! Random days of three daemons on one database: killed, frozen, cut off, with clocks that jump, a server that
//! crashes and a provider that misbehaves. After quiet nothing is in breach, and receiver and database agree exactly.
//!
//! `OUTREACHD_CHAOS_SEEDS=200` runs more seeds than the usual few; `OUTREACHD_CHAOS_SEED=17` repeats one. The
//! script `.ci/chaos --seeds N` does the same.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;

use crate::support::bouncer::Bouncer;
use crate::support::dice::Dice;
use crate::support::process::Running;
use crate::support::project::{Kind, Project, until};
use crate::support::receiver::{Behaviour, SECRET};
use crate::support::{TestDb, folder};

const DAEMONS: usize = 3;
const EVENTS: usize = 14;
/// Seeds that run side by side: most of their time is waiting.
const GROUP: usize = 10;

/// The project and everything around it that can go wrong.
struct Field {
    project: Project,
    bouncer: Bouncer,
    daemons: Vec<Option<Running>>,
    clocks: Clocks,
    contacts: usize,
}

impl Field {
    async fn new(seed: u64) -> Self {
        let kind = [Kind::Deduping, Kind::LookedUp, Kind::Blind, Kind::File][(seed % 4) as usize];
        let project = Project::on(TestDb::own_server().await, kind, 6).await;
        project.declare("1s", "1s");
        let text = project.read("outreach.yaml");
        project.write(
            "outreach.yaml",
            &format!("{text}daemon: {{ look_every: 1s, full_look_every: 5s, poll_files_every: 1s, stop_within: 5s }}\n"),
        );
        let bouncer = Bouncer::start(&project.db);
        let mut field = Self { project, bouncer, daemons: Vec::new(), clocks: Clocks::new(), contacts: 6 };
        for index in 0..DAEMONS {
            let daemon = field.daemon(index);
            field.daemons.push(Some(daemon));
        }
        field
    }

    fn daemon(&self, index: usize) -> Running {
        let mut environment = vec![("DATABASE_URL", self.bouncer.url()), ("HOOK_SECRET", SECRET.to_owned())];
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
                self.project.campaign(&format!("limits: {{ per_day: {} }}\n", 100 + limit));
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
        let _ = std::fs::remove_file(self.project.path().join("campaigns/bad.yaml"));
        self.all_up();
        for _ in 0..600 {
            self.all_up();
            for push in self.project.in_doubt().await {
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

async fn live(seed: u64) {
    let mut dice = Dice(seed);
    let mut field = Field::new(seed).await;
    for _ in 0..EVENTS {
        let script: Vec<_> = (0..3).map(|_| dice.behaviour(field.contacts)).collect();
        field.project.receiver.script(script);
        field.event(&mut dice).await;
        sleep(Duration::from_millis(50 + dice.roll(600))).await;
    }
    field.quiet().await;
    field.project.agrees_exactly().await;
    field.project.run(&["plan", "--detailed-exitcode"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_chaos_receiver_and_database_agree() {
    let variable = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> = match variable("OUTREACHD_CHAOS_SEED") {
        Some(seed) => vec![seed],
        None => (1..=variable("OUTREACHD_CHAOS_SEEDS").unwrap_or(5)).collect(),
    };
    for group in seeds.chunks(GROUP) {
        let lives: Vec<_> = group.iter().map(|seed| (*seed, tokio::spawn(live(*seed)))).collect();
        for (seed, life) in lives {
            assert!(life.await.is_ok(), "seed {seed}: repeat it with OUTREACHD_CHAOS_SEED={seed}");
        }
        println!("seeds up to {} agree", group.last().unwrap());
    }
}
