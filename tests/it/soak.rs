//! Random days in the life of a campaign: a provider that misbehaves, processes that are killed, contacts that
//! change and stop. After quiet, receiver and database agree exactly.
//!
//! `OUTREACHD_SOAK_SEEDS=200` runs more seeds than the usual few; a seed is repeated by `OUTREACHD_SOAK_SEED=17`.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use crate::support::dice::Dice;
use crate::support::process::Running;
use crate::support::project::{Kind, Project};
use crate::support::receiver::Behaviour;

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
    project.agrees_exactly().await;
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
