//! Random days in the life of a campaign: a provider that misbehaves, processes that are killed, contacts that
//! change and stop. After quiet, receiver and database agree exactly.
//!
//! `OUTREACHD_SOAK_SEEDS=200` runs more seeds than the usual few; a seed is repeated by `OUTREACHD_SOAK_SEED=17`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::sleep;

use crate::support::process::Running;
use crate::support::project::{Kind, Project};
use crate::support::receiver::Behaviour;

/// `SplitMix64`: the same seed, the same days.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn behaviour(&mut self, contacts: usize) -> Behaviour {
        let someone = self.roll(contacts as u64) + 1;
        let email = format!("p{someone}@c{someone}.example");
        let keep = self.roll(2) == 0;
        match self.roll(14) {
            0 => Behaviour::Item { email, status: "refused" },
            1 => Behaviour::Item { email, status: "retry" },
            2 => Behaviour::Status(500),
            3 => Behaviour::Status(401),
            4 => Behaviour::ComeBack { status: 429, after: "0".to_owned() },
            5 => Behaviour::ComeBack { status: 503, after: "1".to_owned() },
            6 => Behaviour::Poison(email),
            7 => Behaviour::Hang { keep },
            8 => Behaviour::Drop { keep },
            9 => Behaviour::Say { status: 200, body: "thank you".to_owned() },
            10 => Behaviour::HalfList,
            _ => Behaviour::Accept,
        }
    }
}

async fn live(seed: u64) {
    let mut dice = Dice(seed);
    let kind = [Kind::File, Kind::Deduping, Kind::LookedUp, Kind::Blind][(seed % 4) as usize];
    let mut contacts = 6;
    let project = Project::new(kind, contacts).await;
    project.declare("1s", "1s");
    for _ in 0..6 {
        let script: Vec<_> = (0..4).map(|_| dice.behaviour(contacts)).collect();
        project.receiver.script(script);
        let someone = dice.roll(contacts as u64) + 1;
        match dice.roll(6) {
            0 => {
                project.add_contacts(contacts + 1, 2).await;
                contacts += 2;
            }
            1 => {
                let address = format!("p{someone}@c{someone}.example");
                project.run(&["suppress", "add", &address]).await.ended(0);
            }
            2 => {
                let change = format!(
                    "update employees set first_name = first_name || 'x' where first_name = 'P{someone}'"
                );
                project.db.execute(&change).await;
            }
            3 => {
                let change =
                    format!("update employees set reply_bounce = true where first_name = 'P{someone}'");
                project.db.execute(&change).await;
            }
            _ => {}
        }
        let apply = || project.start(&["apply", "--yes"]);
        match dice.roll(4) {
            0 => {
                apply().finish().await;
            }
            1 => {
                join_all([apply(), apply()].map(Running::finish)).await;
            }
            _ => {
                let process = apply();
                sleep(Duration::from_millis(dice.roll(400))).await;
                process.kill().await;
            }
        }
    }
    project.receiver.always(Behaviour::Accept);
    project.quiet().await;
    agree(&project).await;
}

/// What the provider holds, by what it took, is what the database says, to the last field.
async fn agree(project: &Project) {
    let mut holds: BTreeMap<String, Value> = BTreeMap::new();
    let mut entered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for delivery in project.taken() {
        if !seen.insert(delivery.key.clone()) {
            assert_eq!(project.kind, Kind::Deduping, "delivered twice: {}", delivery.key);
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
            .fetch_all(project.db.pool())
            .await
            .unwrap();
    assert_eq!(known.into_iter().collect::<BTreeMap<_, _>>(), holds);
    let written: Vec<String> =
        sqlx::query_scalar("select work_email from employees where campaign_number = 1")
            .fetch_all(project.db.pool())
            .await
            .unwrap();
    assert!(written.iter().all(|email| entered.contains_key(email)), "written back and never delivered");
    assert!(holds.keys().all(|email| written.contains(email)), "held and not written back");
    assert_eq!(project.receiver.complaints(), Vec::<String>::new());
    project.run(&["audit"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_quiet_receiver_and_database_agree() {
    let variable = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> = match variable("OUTREACHD_SOAK_SEED") {
        Some(seed) => vec![seed],
        None => (1..=variable("OUTREACHD_SOAK_SEEDS").unwrap_or(5)).collect(),
    };
    for group in seeds.chunks(5) {
        let lives = group.iter().map(|seed| {
            let seed = *seed;
            (seed, tokio::spawn(live(seed)))
        });
        for (seed, life) in lives.collect::<Vec<_>>() {
            assert!(life.await.is_ok(), "seed {seed}: repeat it with OUTREACHD_SOAK_SEED={seed}");
        }
    }
}
