//! Random days with Smartlead: requests that fail, processes that are killed, people who change and stop. After quiet
//! both sides agree, nobody was entered twice, and nobody who was stopped gets another mail.
//!
//! `OUTREACHD_SOAK_SEEDS=50` runs more seeds than the usual few; a seed is repeated by `OUTREACHD_SOAK_SEED=17`.

use std::collections::BTreeSet;
use std::time::Duration;

use outreachd::simulate::smartlead::Options;
use tokio::time::sleep;

use super::story::Story;
use crate::support::dice::Dice;

async fn live(seed: u64) {
    let mut dice = Dice(seed);
    let options = Options {
        seed,
        rate: "60000/60".parse().unwrap(),
        roster_delay: chrono::TimeDelta::seconds([0, 3600][(seed % 2) as usize]),
        ..Options::default()
    };
    let mut contacts = 8;
    let story = Story::with(contacts, options).await;
    story.provider("per_minute: 60000, timeout: 1s, batch: 3");
    let withdraw = ["pause", "remove", "unsubscribe"][dice.roll(3) as usize];
    story.campaign(&format!("remote: {{ mailboxes: [501], withdraw: {withdraw} }}\n"));
    let mut stopped = BTreeSet::new();
    for day in 0..5 {
        let share = [0, 10, 25][dice.roll(3) as usize];
        story.smartlead.faults(&format!("{share}%"));
        let someone = dice.roll(contacts as u64) as usize + 1;
        let email = format!("quiet{someone}@c{someone}.example");
        match dice.roll(5) {
            0 => {
                story.add_contacts(contacts + 1, 3).await;
                contacts += 3;
            }
            1 => {
                story.run(&["suppress", "add", &email]).await;
                stopped.insert(email);
            }
            2 => {
                let flag =
                    format!("update employees set reply_unsubscribe = true where first_name = 'P{someone}'");
                story.db.execute(&flag).await;
                stopped.insert(email);
            }
            3 => {
                let change = format!(
                    "update employees set company_id = (select id from companies where company_name = 'Company {}') where first_name = 'P{someone}'",
                    someone % 3 + 1
                );
                story.db.execute(&change).await;
            }
            _ => {}
        }
        match dice.roll(4) {
            0 => {
                story.apply().await;
            }
            1 => {
                let both = [story.start(&["apply", "--yes"]), story.start(&["run", "--once"])];
                for process in both {
                    process.finish().await;
                }
            }
            _ => {
                let process = story.start(&["apply", "--yes"]);
                sleep(Duration::from_millis(dice.roll(900))).await;
                process.kill().await;
            }
        }
        story.smartlead.advance(if day % 2 == 0 { 600 } else { 86_400 });
    }
    story.smartlead.faults("");
    story.quiet().await;
    story.run(&["feedback"]).await.ended(0);
    story.quiet().await;
    story.smartlead.agrees(&story.db, &stopped).await;
    story.run(&["audit"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_quiet_smartlead_and_database_agree() {
    let variable = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> = match variable("OUTREACHD_SOAK_SEED") {
        Some(seed) => vec![seed],
        None => (1..=variable("OUTREACHD_SOAK_SEEDS").unwrap_or(4)).collect(),
    };
    for group in seeds.chunks(4) {
        let lives = group.iter().map(|seed| {
            let seed = *seed;
            (seed, tokio::spawn(live(seed)))
        });
        for (seed, life) in lives.collect::<Vec<_>>() {
            assert!(life.await.is_ok(), "seed {seed}: repeat it with OUTREACHD_SOAK_SEED={seed}");
        }
    }
}
