//! Many contacts, many faults: everybody once, with hardly more requests than it takes, at the rate that is allowed.
//!
//! `OUTREACHD_SMARTLEAD_LEADS=10000` runs it at full size.

use outreachd::simulate::smartlead::Options;
use serde_json::Value;

use super::story::Story;

const BATCH: usize = 100;

fn leads() -> usize {
    std::env::var("OUTREACHD_SMARTLEAD_LEADS").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_contacts_and_faults_end_exactly_right_with_few_requests() {
    let leads = leads();
    let (mut all, mut all_least) = (0, 0);
    for seed in [1, 2, 3] {
        let options = Options { seed, rate: "60000/60".parse().unwrap(), ..Options::default() };
        let story = Story::with(leads, options).await;
        story.provider(&format!("per_minute: 60000, timeout: 2s, batch: {BATCH}"));
        story.smartlead.faults("5%");
        let started = std::time::Instant::now();
        let mut passes = 0;
        loop {
            let applied = story.apply().await;
            passes += 1;
            assert!([0, 3, 75].contains(&applied.code) && passes < 50, "{applied:?}");
            if applied.code == 0 && story.count("outreach.pushes where settled_at is null").await == 0 {
                break;
            }
        }
        let took = started.elapsed();
        let calls = story.calls();
        story.smartlead.faults("");
        story.agrees(leads).await;
        // Looked for by name, made; steps, schedule, settings, mailboxes; read back in three; started; the batches.
        let least = 2 + 4 + 3 + 1 + leads.div_ceil(BATCH);
        let of = |part: &str| calls.iter().filter(|call| call.contains(part)).count();
        println!(
            "seed {seed}: {leads} leads, {passes} passes, {} requests ({} batches, {} exports, {} look-ups), at least {least}: {:.2}, in {took:.1?}",
            calls.len(),
            of("/leads"),
            of("/leads-export"),
            of("GET /leads"),
            calls.len() as f64 / least as f64,
        );
        all += calls.len();
        all_least += least;
    }
    // With few contacts a single fault is a large share.
    if leads >= 10_000 {
        assert!(all * 10 <= all_least * 12, "{all} requests, at least {all_least}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_allowed_rate_is_used_and_kept_to() {
    let leads = leads();
    // Five a second, more than any real account has.
    let options = Options { rate: "300/60".parse().unwrap(), ..Options::default() };
    let story = Story::with(0, options).await;
    story.provider(&format!("per_minute: 300, timeout: 10s, batch: {BATCH}"));
    story.add_contacts(1, 1).await;
    story.apply().await.ended(0);
    story.add_contacts(100, leads).await;
    story.forget_calls();
    story.quiet().await;
    let calls = story.smartlead.get("calls");
    let calls: Vec<(i64, &str, i64)> = calls
        .as_array()
        .unwrap()
        .iter()
        .map(|call: &Value| {
            (
                call["at_ms"].as_i64().unwrap(),
                call["path"].as_str().unwrap(),
                call["status"].as_i64().unwrap(),
            )
        })
        .collect();
    let over = calls.iter().filter(|(_, _, status)| *status == 429).count();
    let batches: Vec<i64> =
        calls.iter().filter(|(_, path, _)| path.ends_with("/leads")).map(|(at, _, _)| *at).collect();
    let seconds = (batches[batches.len() - 1] - batches[0]) as f64 / 1000.0;
    let rate = (batches.len() - 1) as f64 / seconds;
    println!(
        "{} batches in {seconds:.1} s: {rate:.2} a second of 5 allowed, {over} over the limit",
        batches.len()
    );
    // A second's worth may come at once.
    assert!((batches.len() as f64) <= 5.0 * seconds + 6.0, "the limit is kept to: {rate}");
    assert!(rate >= 4.75, "and used: {rate}");
    assert_eq!(over, 0);
    story.agrees(leads + 1).await;
}

/// Calls that hand contacts over, in the order in which they came, by the stand-in's own clock: milliseconds.
fn batches(story: &Story) -> Vec<i64> {
    let calls = story.smartlead.get("calls");
    let batch =
        |call: &&Value| call["method"] == "POST" && call["path"].as_str().unwrap().ends_with("/leads");
    calls.as_array().unwrap().iter().filter(batch).map(|call| call["at_ms"].as_i64().unwrap()).collect()
}

/// Of the calls that were allowed, the share that was made. A second's worth may come at once: it is left out.
fn used(batches: &[i64], per_second: usize) -> f64 {
    let rest = &batches[per_second..];
    let seconds = (rest[rest.len() - 1] - rest[0]) as f64 / 1000.0;
    (rest.len() - 1) as f64 / (seconds * per_second as f64)
}

/// Ten calls a second, each answered after 0.3 to 0.8 s: one after the other would be two a second. The same is done with
/// prompt answers before it, on the same machine under the same load.
#[tokio::test(flavor = "multi_thread")]
async fn slow_answers_cost_no_turns() {
    const ALLOWED: usize = 10;
    // Few contacts in a call, as a rule: it is calls that are counted, and the machine may be a slow one.
    let (batch, calls) = if leads() < 10_000 { (4, 100) } else { (BATCH, 100) };
    let options = Options { rate: "60000/60".parse().unwrap(), ..Options::default() };
    let story = Story::with(1, options).await;
    story.provider(&format!("per_minute: 600, timeout: 20s, batch: {batch}"));
    story.apply().await.ended(0);
    let mut shares = Vec::new();
    for (round, latency) in ["0", "300-800"].into_iter().enumerate() {
        story.smartlead.latency(latency);
        story.add_contacts(1000 + round * 100_000, calls * batch).await;
        story.forget_calls();
        story.apply().await.ended(0);
        let batches = batches(&story);
        let at_once = story.smartlead.get("at-once").as_u64().unwrap();
        let windows =
            batches.iter().fold(std::collections::BTreeMap::<i64, usize>::new(), |mut counts, at| {
                *counts.entry((at - batches[0]) / 5000).or_default() += 1;
                counts
            });
        let share = used(&batches, ALLOWED);
        println!(
            "answers after {latency} ms: {} calls, {at_once} at once at most, {:.1} % of what is allowed; in 5 s each: {:?}",
            batches.len(),
            share * 100.0,
            windows.values().collect::<Vec<_>>()
        );
        assert_eq!(batches.len(), calls, "nobody is handed over twice");
        shares.push((share, at_once));
    }
    story.smartlead.latency("0");
    // 0.55 s times ten a second is five and a half.
    assert!(shares[1].1 >= 4, "{shares:?}");
    let (prompt, slow) = (shares[0].0, shares[1].0);
    assert!(slow >= 0.8 * prompt, "slow answers cost turns: {shares:?}");
    story.agrees(1 + 2 * calls * batch).await;
}

/// A budget that is shared is shared: two campaigns and two processes do not call more often than one.
#[tokio::test(flavor = "multi_thread")]
async fn two_processes_keep_to_one_budget() {
    let options = Options { rate: "60/5".parse().unwrap(), ..Options::default() };
    let story = Story::with(600, options).await;
    story.provider("per_minute: 600, timeout: 10s, batch: 20");
    story.run(&["apply", "--yes"]).await.ended(0);
    let second = "campaign: second\nnumber: 2\ntype: sales\nsegment: trade\nprovider: sl\nsequence: [{ subject: \"S\", body: \"B\" }]\nremote: { mailboxes: [502] }\n";
    story.write("campaigns/second.yaml", second);
    story.write("segments/trade.yaml", "segment: trade\nwhere:\n  all:\n    - company.segment: Trade\n");
    story.add_contacts(1000, 600).await;
    story.db.execute("update companies set segment = 'Trade' where company_name > 'Company 1300'").await;
    story.forget_calls();
    let both = [
        story.start(&["apply", "--yes", "--only", "first"]),
        story.start(&["apply", "--yes", "--only", "second"]),
    ];
    for process in both {
        let finished = process.finish().await;
        assert!([0, 75].contains(&finished.code), "{finished:?}");
    }
    story.quiet().await;
    let calls = story.smartlead.get("calls");
    let over = calls.as_array().unwrap().iter().filter(|call| call["status"] == 429).count();
    assert_eq!(over, 0, "one budget");
    let entered = story.smartlead.get("entered");
    assert!(entered.as_object().unwrap().values().all(|times| times == 1));
    story.run(&["audit"]).await.ended(0);
}
