//! Many contacts, faults, three processes, kills: each is bought once, credits agree, and no budget is passed.
//!
//! `OUTREACHD_ENRICH_CONTACTS=10000` runs it at full size.

use outreachd::simulate::leadmagic::Options;
use serde_json::json;

use crate::support::dice::Dice;
use crate::support::leadmagic::LeadMagic;
use crate::support::process::Running;

/// Everything that can go wrong with a request; a row that fails would only be asked tomorrow.
const FAULTS: &str = "timeout=1%,drop=1%,drop-after=1%,429=1%,500=1%,500-after=1%,503=1%";

fn contacts() -> usize {
    std::env::var("OUTREACHD_ENRICH_CONTACTS").ok().and_then(|text| text.parse().ok()).unwrap_or(600)
}

/// Everybody is known, each was bought once, and both sides count the same.
async fn ends_exactly_right(story: &LeadMagic, contacts: usize) {
    story.faults("");
    for _ in 0..20 {
        let report = story.enrich(&[], 0).await;
        if report["jobs_open"] == 0 && report["steps"][0]["waiting"] == 0 {
            break;
        }
    }
    assert_eq!(story.count("outreach.verifications where status = 'valid'").await, contacts as i64);
    assert_eq!(story.count("employees where processing_status = 'ready'").await, contacts as i64);
    assert_eq!(story.get("")["charged"], contacts);
    assert_eq!(story.count("outreach.enrichment_calls where state <> 'settled'").await, 0);
    let answered = story.get("answered");
    assert!(answered.as_object().unwrap().values().all(|times| times == 1), "{answered}");
    story.agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_contacts_and_faults_with_three_daemons_are_each_bought_once_within_the_budget() {
    let contacts = contacts();
    let story = LeadMagic::new(
        contacts,
        Options { credits: 1_000_000.into(), rows_per_second: 5_000, seed: 7, ..Options::default() },
    )
    .await;
    // Half of them may be bought today, and a run may buy a fifth.
    let (day, run) = (contacts as f64 / 8.0, contacts as f64 / 20.0);
    let batch = (contacts / 200).clamp(20, 50);
    let budget = format!(
        "every: 1s, bulk_from: 1, batch: {batch}, max_credits_per_day: {day}, max_credits_per_run: {run}"
    );
    story.declare(&budget);
    story.faults(FAULTS);
    let started = std::time::Instant::now();
    let daemons: Vec<Running> = (0..3).map(|_| story.start(&["run"])).collect();
    let most = contacts as i64 / 2;
    loop {
        let spent: f64 = story.get("")["spent"].as_str().unwrap().parse().unwrap();
        assert!(spent <= day, "{spent} of {day}");
        let done = story.count("outreach.enrichment_calls where state = 'settled'").await;
        if done >= most {
            break;
        }
        assert!(started.elapsed().as_secs() < 900, "{done} of {most}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    // Two more rounds buy nothing.
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert_eq!(story.get("")["charged"], most, "the day's budget, to the last credit");
    let over = story.count("outreach.spending_runs where used > most").await;
    assert_eq!(over, 0, "a run's budget");
    let runs = story.count("outreach.spending_runs where used > 0").await;
    story.declare(&budget.replace(&format!("max_credits_per_day: {day}"), "max_credits_per_day: 1000000"));
    loop {
        if story.count("outreach.verifications").await == contacts as i64 {
            break;
        }
        assert!(started.elapsed().as_secs() < 1800);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    for daemon in daemons {
        daemon.terminate();
        daemon.finish().await.ended(0);
    }
    let took = started.elapsed();
    let calls = story.get("calls");
    let faulty = calls.as_array().unwrap().iter().filter(|call| !call["fault"].is_null()).count();
    println!(
        "{contacts} contacts, 3 daemons: {} requests, {faulty} with a fault, {} jobs, {} credits, {runs} runs within the first budget, in {took:.1?}",
        calls.as_array().unwrap().len(),
        story.get("")["jobs"],
        story.get("")["spent"],
    );
    ends_exactly_right(&story, contacts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_point_nothing_in_a_job_is_bought_twice() {
    let contacts = 150;
    let story = LeadMagic::new(contacts, Options { rows_per_second: 300, ..Options::default() }).await;
    story.declare("bulk_from: 1, batch: 25");
    let mut dice = Dice(11);
    for kill in 0..25 {
        if kill % 5 == 4 {
            story.faults(FAULTS);
        }
        let running = story.start(&["enrich"]);
        tokio::time::sleep(std::time::Duration::from_millis(dice.roll(900))).await;
        running.kill().await;
    }
    story.faults("");
    // The lease of the last one that was killed has to end.
    loop {
        let finished = story.run(&["enrich"]).await;
        assert!([0, 75].contains(&finished.code), "{finished:?}");
        if finished.code == 0 {
            break;
        }
    }
    ends_exactly_right(&story, contacts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_point_a_single_question_is_bought_once_or_held() {
    let contacts = 40;
    let story = LeadMagic::new(contacts, Options::default()).await;
    story.declare("bulk_from: 1000");
    let mut dice = Dice(5);
    for _ in 0..12 {
        let running = story.start(&["enrich"]);
        tokio::time::sleep(std::time::Duration::from_millis(100 + dice.roll(300))).await;
        running.kill().await;
    }
    loop {
        let finished = story.run(&["enrich"]).await;
        assert!([0, 75].contains(&finished.code), "{finished:?}");
        if finished.code == 0 {
            break;
        }
    }
    let held = story.count("outreach.enrichment_calls where state = 'in_doubt'").await;
    let known = story.count("outreach.verifications").await;
    assert_eq!(held + known, contacts as i64);
    let charged = story.get("charged");
    assert!(charged.as_object().unwrap().values().all(|times| times == 1), "bought twice: {charged}");
    // Whatever is held counts as spent: the ledger never says less than the account.
    let (spent, used): (f64, f64) =
        (story.get("")["spent"].as_str().unwrap().parse().unwrap(), story.used().await.parse().unwrap());
    assert!(spent <= used && used <= spent + held as f64 * 0.25, "{spent} {used} {held}");
    assert_eq!(story.enrich(&[], 0).await["lost"], json!(held));
}

/// Whoever wakes up after somebody else has taken over asks nothing.
#[tokio::test(flavor = "multi_thread")]
async fn frozen_past_its_lease_a_process_buys_nothing() {
    let story = LeadMagic::new(0, Options { rows_per_second: 10_000, ..Options::default() }).await;
    story.declare("bulk_from: 1, batch: 5");
    let mut contacts = 0;
    for wait in [60, 110, 160] {
        story.add_contacts(contacts + 1, 20).await;
        contacts += 20;
        let frozen = story.start(&["enrich"]);
        tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
        frozen.freeze();
        // Frozen in the middle of a transaction it holds up whoever needs its rows, until it goes on.
        tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
        let other = story.start(&["enrich"]);
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        frozen.thaw();
        other.finish().await;
        frozen.finish().await;
    }
    ends_exactly_right(&story, contacts).await;
}
