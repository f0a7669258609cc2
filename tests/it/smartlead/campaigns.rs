//! The campaign at Smartlead is reconciled as everything else is.

use outreachd::store::remote;
use serde_json::json;

use super::story::Story;

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_made_once_filled_and_started() {
    let story = Story::new(5).await;
    let plan = story.run(&["plan"]).await.ended(0).stdout;
    assert!(plan.contains("+ campaign at sl: to be created"), "{plan}");
    story.apply().await.ended(0);
    let inside = story.inside().await;
    assert_eq!((inside["name"].as_str(), inside["status"].as_str()), (Some("first #1"), Some("ACTIVE")));
    assert_eq!(inside["mailboxes"], json!([501]));
    assert_eq!(inside["steps"][0]["subject"], "Hello {{first_name}}");
    assert_eq!(inside["steps"][0]["body"], "A question to {{company}}.<br>Yours");
    assert_eq!(inside["steps"][1]["delay_days"], 3);
    story.agrees(5).await;
    story.smartlead.advance(60);
    let mails = story.smartlead.get("mails");
    assert_eq!(mails.as_array().unwrap().len(), 5);
    assert!(mails[0]["body"].as_str().unwrap().starts_with("A question to Company "), "{}", mails[0]);
    // Nothing to do asks only, and writes nothing.
    story.forget_calls();
    story.apply().await.ended(0);
    assert!(story.calls().iter().all(|call| call.starts_with("GET")), "{:?}", story.calls());
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_shown_field_by_field_and_written() {
    let story = Story::new(2).await;
    story.apply().await.ended(0);
    let id = story.remote().await;
    story.edit("A question to", "One question to");
    story.edit("mailboxes: [501]", "mailboxes: [502], stop_on: click, gap: 5m");
    story.campaign_window("window: { days: [mon, tue], from: \"09:00\", to: \"18:00\" }\n");
    let plan = story.run(&["plan"]).await.ended(0).stdout;
    assert!(plan.contains(&format!("~ campaign {id} at sl")), "{plan}");
    for line in [
        "schedule.days: [0,1,2,3,4,5,6] -> [1,2]",
        "schedule.from: \"00:00\" -> \"09:00\"",
        "schedule.gap_minutes: 10 -> 5",
        "settings.stop_on: \"reply\" -> \"click\"",
        "mailboxes: [501] -> [502]",
        "sequence.01.body: \"A question to {{company}}.<br>Yours\" -> \"One question to {{company}}.<br>Yours\"",
    ] {
        assert!(plan.contains(line), "{line} is not in\n{plan}");
    }
    let markdown = story.run(&["plan", "--format", "markdown"]).await.ended(0).stdout;
    assert!(markdown.contains("- `mailboxes: [501] -> [502]`"), "{markdown}");
    story.run(&["plan", "--detailed-exitcode"]).await.ended(2);
    let ids = story.inside().await["steps"].clone();
    story.apply().await.ended(0);
    let inside = story.inside().await;
    assert_eq!(inside["mailboxes"], json!([502]));
    assert_eq!(inside["steps"][0]["id"], ids[0]["id"], "a step keeps its id");
    assert_eq!(inside["schedule"]["days"], json!([1, 2]));
    assert_eq!(inside["settings"]["stop_lead_settings"], "CLICK_ON_A_LINK");
    story.agrees(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_in_the_user_interface_is_drift_and_what_becomes_of_it_is_declared() {
    let story = Story::new(2).await;
    story.apply().await.ended(0);
    let id = story.remote().await;
    // Somebody pauses it there and rewrites the second mail.
    let path = |part: &str| format!("campaigns/{id}/{part}");
    story.smartlead.call("POST", &path("status"), json!({ "status": "PAUSED" })).await;
    let (_, steps) = story.smartlead.call("GET", &path("sequences"), json!({})).await;
    let step = |index: usize, body: &str, days: i64| {
        json!({ "id": steps[index]["id"], "seq_number": index + 1, "seq_delay_details": { "delay_in_days": days },
            "subject": steps[index]["subject"], "email_body": body })
    };
    let first = steps[0]["email_body"].as_str().unwrap();
    let edited = json!({ "sequences": [step(0, first, 0), step(1, "Mine.", 3)] });
    assert_eq!(story.smartlead.call("POST", &path("sequences"), edited).await.0, 200);

    let plan = story.plan().await;
    assert_eq!(plan["remote"]["changes"], json!([]));
    assert_eq!(
        plan["remote"]["drift"],
        json!([
            { "field": "sequence.02.body", "old": "Once more.", "new": "Mine." },
            { "field": "status", "old": "active", "new": "paused" },
        ])
    );
    let text = story.run(&["plan"]).await.ended(0).stdout;
    assert!(text.contains(&format!("drift campaign {id} was edited at sl: left alone")), "{text}");
    // Reported only: an intended change of the same call leaves the edit alone.
    story.edit("A question to", "One question to");
    story.apply().await.ended(0);
    let inside = story.inside().await;
    assert_eq!(
        (inside["steps"][1]["body"].as_str(), inside["status"].as_str()),
        (Some("Mine."), Some("PAUSED"))
    );
    assert!(inside["steps"][0]["body"].as_str().unwrap().starts_with("One question"));
    // What that pass saw is kept, for pages that ask nobody.
    let seen = remote::last_seen(story.db.store(), 1).await.unwrap().unwrap();
    let fields: Vec<&str> = seen.remote.drift.iter().map(|change| change.field.as_str()).collect();
    assert_eq!((fields, seen.remote.restores), (vec!["sequence.02.body", "status"], false));
    // Restored where that is declared.
    story.edit("remote: {", "on_drift: restore\nremote: {");
    story.run(&["plan", "--detailed-exitcode"]).await.ended(2);
    story.apply().await.ended(0);
    let inside = story.inside().await;
    assert_eq!(
        (inside["steps"][1]["body"].as_str(), inside["status"].as_str()),
        (Some("Once more."), Some("ACTIVE"))
    );
    story.agrees(2).await;
}

/// Ours by its name; others are left alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_declared_webhook_is_made_once_and_kept() {
    let story = Story::new(2).await;
    story.apply().await.ended(0);
    let id = story.remote().await;
    let path = format!("campaigns/{id}/webhooks");
    let other = json!({ "id": null, "name": "crm", "webhook_url": "https://crm.example/", "event_types": ["EMAIL_SENT"], "categories": ["Interested"] });
    assert_eq!(story.smartlead.call("POST", &path, other).await.0, 200);
    let hooks = async || story.inside().await["hooks"].as_array().unwrap().clone();
    let declare =
        |url: &str| story.provider(&format!("per_minute: 60000, timeout: 1s, webhook_url: \"{url}\""));
    declare("https://outreach.example/hooks/sl");
    let plan = story.run(&["plan"]).await.ended(0).stdout;
    assert!(plan.contains("webhook.url: null -> \"https://outreach.example/hooks/sl\""), "{plan}");
    // Made, and the answer is lost.
    story.smartlead.faults("drop-after=40%");
    story.run(&["apply", "--yes"]).await;
    story.smartlead.faults("");
    story.quiet().await;
    let two = hooks().await;
    assert_eq!(two.len(), 2, "{two:?}");
    let ours = two.iter().find(|hook| hook["name"] == "outreachd").unwrap();
    assert_eq!(ours["url"], "https://outreach.example/hooks/sl");
    // Another address changes it in its place.
    declare("https://elsewhere.example/hooks/sl");
    story.quiet().await;
    let moved = hooks().await;
    let same = moved.iter().find(|hook| hook["id"] == ours["id"]).unwrap();
    assert_eq!((moved.len(), same["url"].as_str()), (2, Some("https://elsewhere.example/hooks/sl")));
    // Taken away by somebody there: drift, and restored where that is declared.
    story.smartlead.call("DELETE", &path, json!({ "id": ours["id"] })).await;
    let drift: Vec<String> = story.plan().await["remote"]["drift"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["field"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(drift, ["webhook.events", "webhook.url"]);
    story.edit("remote: {", "on_drift: restore\nremote: {");
    story.quiet().await;
    assert_eq!(hooks().await.len(), 2);
    story.agrees(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_the_creation_makes_no_second_campaign() {
    for fault in ["timeout=100%", "drop-after=100%", "500-after=100%", "drop=100%"] {
        let story = Story::new(2).await;
        story.provider("per_minute: 60000, timeout: 1s");
        story.smartlead.faults(fault);
        story.apply().await.ended(75);
        story.smartlead.faults("");
        let made = || story.smartlead.get("")["campaigns"].as_array().unwrap().len();
        story.quiet_for_long().await;
        assert_eq!(made(), 1, "{fault}");
        story.agrees(2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_somebody_else_made_is_left_alone() {
    let story = Story::new(1).await;
    story.smartlead.campaign("first #1").await;
    let applied = story.apply().await.ended(1);
    assert!(applied.stderr.contains("outreachd adopt"), "{applied:?}");
    assert_eq!(story.smartlead.get("")["campaigns"].as_array().unwrap().len(), 1);
    assert_eq!(story.count("employees where campaign_number is not null").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_that_is_gone_holds_everything_back() {
    let story = Story::new(2).await;
    story.apply().await.ended(0);
    let id = story.remote().await;
    story.smartlead.call("DELETE", &format!("campaigns/{id}"), json!({})).await;
    story.add_contacts(10, 1).await;
    let plan = story.plan().await;
    assert_eq!(plan["blocked"]["guard"], "remote_unknown");
    assert!(plan["blocked"]["message"].as_str().unwrap().contains("is gone at sl"), "{plan}");
    story.apply().await.ended(3);
    assert_eq!(story.count("employees where campaign_number = 1").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_campaign_is_paused_there_too() {
    let story = Story::new(2).await;
    story.apply().await.ended(0);
    story.campaign("remote: { mailboxes: [501] }\nstate: paused\n");
    story.apply().await.ended(0);
    assert_eq!(story.inside().await["status"], "PAUSED");
    let mails = || story.smartlead.get("mails").as_array().unwrap().len();
    let before = mails();
    story.smartlead.advance(10 * 86_400);
    assert_eq!(mails(), before, "nothing leaves");
    story.campaign("remote: { mailboxes: [501] }\n");
    story.apply().await.ended(0);
    // The second mails are due at once, and then it is through.
    let status = story.inside().await["status"].clone();
    assert!(["ACTIVE", "COMPLETED"].iter().any(|word| status == *word), "{status}");
}
