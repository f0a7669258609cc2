//! What a run buys, what it leaves alone, and what becomes of lost answers.

use outreachd::simulate::leadmagic::Options;
use serde_json::json;

use crate::support::leadmagic::LeadMagic;
use crate::support::project::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_the_cost_and_a_run_keeps_to_it() {
    let story = LeadMagic::new(6, Options::default()).await;
    story
        .db
        .execute(
            "update employees set work_email = 'nonsense' where last_name = 'P1';
             update employees set work_email = 'dead2@c2.example' where last_name = 'P2';
             update employees set work_email = 'all.3@c3.example' where last_name = 'P3';
             update employees set work_email = ' ALIVE4@c4.example' where last_name = 'P5';
             update employees set processing_status = 'on hold' where last_name = 'P6'",
        )
        .await;
    let plan = story.run(&["plan", "--format", "json"]).await.ended(0).json();
    assert_eq!(plan["campaigns"][0]["skipped"], json!({ "invalid_address": 1, "not_verified": 5 }));
    assert!(plan["campaigns"][0]["notes"][0].as_str().unwrap().contains("5 wait"), "{plan}");
    let dry = story.enrich(&["--dry-run"], 0).await;
    assert_eq!((&dry["steps"][0]["waiting"], &dry["steps"][0]["refused"]), (&json!(4), &json!(1)));
    assert_eq!(dry["credits"], "0.75");
    assert_eq!(story.calls(), Vec::<String>::new(), "a dry run asks nobody");

    let report = story.enrich(&[], 0).await;
    // Alive and dead cost; what nobody can tell is free.
    assert_eq!(report["credits"], "0.50");
    assert_eq!(report["steps"][0]["answers"], json!({ "invalid": 1, "unknown": 1, "valid": 1 }));
    assert_eq!(report["shared"], 1, "two rows with one address");
    story.agrees().await;
    let of = |status: &str| format!("employees where processing_status = '{status}'");
    assert_eq!(story.count(&of("ready")).await, 2);
    assert_eq!(story.count(&of("invalid")).await, 2);
    assert_eq!(story.count(&of("pending")).await, 1, "what nobody can tell stays open");
    assert_eq!(story.count(&of("on hold")).await, 1, "a person's word");
    let kept = story.text(
        "select ai_research_data -> 'enrichment' ->> 'email_status' from employees where last_name = 'P2'",
    );
    assert_eq!(kept.await.as_deref(), Some("invalid"));

    // Nothing is bought a second time, and the campaign takes who is verified.
    assert_eq!(story.enrich(&[], 0).await["steps"][0]["asked"], 0);
    story.agrees().await;
    let plan = story.run(&["plan", "--format", "json"]).await.ended(0).json();
    assert_eq!(plan["campaigns"][0]["enroll"], 1, "one address is enrolled once");
    let shown = story.run(&["contact", "show", "dead2@c2.example"]).await.ended(0);
    assert!(shown.stdout.contains("invalid, says leadmagic"), "{}", shown.stdout);
    let explained = story.run(&["explain", "dead2@c2.example"]).await.ended(0);
    assert!(explained.stdout.contains("address not verified"), "{}", explained.stdout);
    // A segment looks at everybody in it, whatever their status.
    assert_eq!(story.enrich(&["--segment", "fintech"], 0).await["steps"][0]["asked"], 1);
    assert_eq!(story.count("outreach.verifications where email = 'alive6@c6.example'").await, 1);
    assert_eq!(story.count(&of("on hold")).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_addresses_and_facts_are_filled_and_what_people_entered_stays() {
    let story = LeadMagic::new(12, Options::default()).await;
    story.declare("steps: [validate, find, company]");
    story
        .db
        .execute(
            "update employees set work_email = ' ' where last_name <> 'P1';
             update companies set employee_count = 8888, region = 'Bern' where company_name = 'Company 1'",
        )
        .await;
    let report = story.enrich(&[], 0).await;
    let steps = report["steps"].as_array().unwrap();
    let of = |step: &str, outcome: &str| {
        let step = steps.iter().find(|one| one["step"] == step).unwrap();
        step["answers"][outcome].as_i64().unwrap_or(0)
    };
    let (found, missed) = (of("find", "found"), of("find", "missed"));
    assert_eq!(found + missed, 11);
    assert!(found > 0 && missed > 0, "the seed has both: {report}");
    assert_eq!(story.count("employees where work_email like '%@c%.example'").await, found + 1);
    assert_eq!(story.count("employees where processing_status = 'ready'").await, found + 1);
    assert_eq!(story.count("outreach.verifications where status = 'valid'").await, found + 1);
    assert_eq!(of("company", "found") + of("company", "missed"), 12);
    assert_eq!(story.count("companies where employee_count = 8888 and region = 'Bern'").await, 1);
    assert_eq!(
        story.count("companies where company_description like 'What %'").await,
        of("company", "found")
    );
    story.agrees().await;
    // A miss is final, and costs nothing; what is known is not asked again.
    let again = story.enrich(&[], 0).await;
    assert!(again["steps"].as_array().unwrap().iter().all(|step| step["asked"] == 0), "{again}");

    story.declare("steps: [company], overwrite: true, cache: 0s");
    story.enrich(&["--segment", "fintech"], 0).await;
    let kept =
        story.count("companies where employee_count = 8888 and company_description like 'What %'").await;
    assert_eq!(kept, 0, "told to replace");
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_of_run_and_day_hold_and_402_stops() {
    let story = LeadMagic::new(40, Options::default()).await;
    let report = story.enrich(&["--max-credits", "1.1"], 3).await;
    assert_eq!(report["credits"], "1.00", "four of a quarter");
    assert!(report["stopped"].as_str().unwrap().contains("used up"), "{report}");
    story.declare("max_credits_per_day: 2");
    let report = story.enrich(&[], 3).await;
    assert_eq!((&report["credits"], &report["left_today"]), (&json!("1.00"), &json!("0.00")));
    assert_eq!(story.get("")["spent"], "2");
    story.agrees().await;

    story.declare("");
    story.post("credits", &json!({ "credits": "0.5" }));
    let calls = story.calls().len();
    let report = story.enrich(&[], 3).await;
    assert!(report["stopped"].as_str().unwrap().contains("no credits left"), "{report}");
    assert!(story.calls().len() <= calls + 8, "it stops at once");
    story.agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_runs_out_of_credits_is_gone_on_with() {
    let story = LeadMagic::new(60, Options { rows_per_second: 10_000, ..Options::default() }).await;
    story.post("credits", &json!({ "credits": "5" }));
    let report = story.enrich(&[], 3).await;
    assert!(report["stopped"].as_str().unwrap().contains("paused"), "{report}");
    assert_eq!((&report["jobs_open"], &report["steps"][0]["asked"]), (&json!(1), &json!(60)));
    story.post("credits", &json!({ "credits": "100" }));
    let report = story.enrich(&[], 0).await;
    assert_eq!((&report["jobs_open"], &report["steps"][0]["answers"]), (&json!(0), &json!({ "valid": 60 })));
    assert_eq!(story.calls().iter().filter(|call| *call == "POST /bulk/submit").count(), 1);
    story.agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_not_bought_again_by_itself() {
    let story = LeadMagic::new(2, Options::default()).await;
    story.faults("drop-after=100%");
    let report = story.enrich(&[], 0).await;
    assert_eq!((&report["lost"], &report["credits"]), (&json!(2), &json!("0.50")));
    story.faults("");
    assert_eq!(story.enrich(&[], 0).await["steps"][0]["asked"], 0);
    assert_eq!(story.get("")["charged"], 2);
    // A person says that they are gone.
    assert_eq!(story.enrich(&["--retry-lost"], 0).await["steps"][0]["answers"], json!({ "valid": 2 }));
    assert_eq!(story.get("")["spent"], "1");
    assert_eq!(story.used().await, "1", "both purchases are counted");
    assert_eq!(story.count("employees where processing_status = 'ready'").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_submission_was_not_answered_is_found_again() {
    let story = LeadMagic::new(70, Options { rows_per_second: 10_000, ..Options::default() }).await;
    story.faults("drop-after=100%");
    let running = story.start(&["enrich"]);
    until("the job is taken", || async { story.get("")["jobs"] == 1 }).await;
    story.faults("");
    let finished = running.finish().await.ended(0);
    assert!(finished.stdout.contains("70"), "{finished:?}");
    assert_eq!(story.calls().iter().filter(|call| *call == "POST /bulk/submit").count(), 1);
    assert_eq!(story.count("employees where processing_status = 'ready'").await, 70);
    story.agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_fail_are_free_and_every_documented_shape_is_read() {
    for readings in [&["statuses=older", "field=status"][..], &["prices=older", "errors=flat", "names=snake"]]
    {
        let story = LeadMagic::new(80, Options { rows_per_second: 10_000, ..Options::default() }).await;
        for reading in readings {
            story.post("reading", &json!({ "set": reading }));
        }
        story.faults("partial=100%");
        let report = story.enrich(&[], 0).await;
        let answers = &report["steps"][0]["answers"];
        let failed = answers["failed"].as_i64().unwrap();
        assert!(failed > 0 && answers["valid"].as_i64().unwrap() == 80 - failed, "{answers}");
        assert_eq!(story.count("employees where processing_status = 'pending'").await, failed);
        story.agrees().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_looks_contacts_up_by_itself() {
    let story = LeadMagic::new(5, Options::default()).await;
    story.declare("every: 1s, segment: fintech");
    let daemon = story.start(&["run"]);
    until("everybody is looked up and enrolled", || async {
        story.count("employees where processing_status = 'ready' and campaign_number = 1").await == 5
    })
    .await;
    daemon.terminate();
    daemon.finish().await.ended(0);
    story.agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_sets_by_hand_is_not_moved() {
    let story = LeadMagic::new(1, Options::default()).await;
    story.enrich(&[], 0).await;
    let id = "00000000-0000-0000-0000-000000000001";
    story.run(&["contact", "set", id, "--processing-status", "ready"]).await.ended(0);
    story.run(&["contact", "set", id, "--processing-status", "mine"]).await.ended(0);
    story.run(&["contact", "set", id, "--processing-status", "ready"]).await.ended(0);
    story.db.execute("update employees set work_email = 'dead1@c1.example'").await;
    story.enrich(&["--segment", "fintech"], 0).await;
    assert_eq!(story.count("outreach.verifications where status = 'invalid'").await, 1);
    assert_eq!(story.count("employees where processing_status = 'ready'").await, 1, "a person's word");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_declaration_nothing_is_looked_up() {
    let story = LeadMagic::new(1, Options::default()).await;
    story.write("outreach.yaml", "providers:\n  out: { kind: file }\n");
    story.run(&["enrich"]).await.ended(65);
    let checked = story.run(&["validate"]).await.ended(0);
    assert!(format!("{checked:?}").contains("nobody is verified"), "{checked:?}");
}
