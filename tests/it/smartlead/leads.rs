//! Contacts at Smartlead: who arrived, who did not and why, changes and withdrawals.

use std::collections::BTreeMap;

use outreachd::simulate::smartlead::Options;
use serde_json::{Value, json};

use super::story::Story;

async fn refused(story: &Story) -> BTreeMap<String, String> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("select email, refused_reason from outreach.enrollments where status = 'failed'")
            .fetch_all(story.db.pool())
            .await
            .unwrap();
    rows.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_silently_did_not_arrive_is_found_with_the_reason() {
    let story = Story::new(6).await;
    let other = story.smartlead.campaign("by hand").await;
    let path = format!("campaigns/{other}/leads");
    for (n, email) in [
        (1, "gone@c.example"),
        (2, "listed@c.example"),
        (3, "listed@domain.example"),
        (4, "bounced@c.example"),
        (5, "elsewhere@c.example"),
    ] {
        story.address(n, email).await;
    }
    let leads = json!({ "lead_list": [{ "email": "gone@c.example" }, { "email": "elsewhere@c.example" }] });
    story.smartlead.call("POST", &path, leads).await;
    story.smartlead.ask("POST", "unsubscribe", json!({ "campaign": other, "email": "gone@c.example" }));
    let list = json!({ "domain_block_list": ["listed@c.example", "domain.example"], "client_id": null });
    story.smartlead.call("POST", "leads/add-domain-block-list", list).await;
    story.smartlead.ask("POST", "community-bounce", json!({ "email": "bounced@c.example" }));
    story.apply().await.ended(3);
    let refused = refused(&story).await;
    for (email, reason) in [
        ("gone@c.example", "unsubscribed at Smartlead"),
        ("listed@c.example", "block list as an address"),
        ("listed@domain.example", "block list as a domain"),
        ("bounced@c.example", "bounced for others"),
    ] {
        assert!(refused.get(email).is_some_and(|said| said.contains(reason)), "{email}: {refused:?}");
    }
    assert_eq!(refused.len(), 4, "whom another campaign holds is taken all the same");
    assert_eq!(story.count("employees where campaign_number = 1").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_other_campaigns_are_taken_or_refused_as_declared_whatever_the_flag_means() {
    for reading in ["duplicates=new-only", "duplicates=allow"] {
        for (declared, taken) in [("allow", 3), ("refuse", 2)] {
            if (reading, declared) == ("duplicates=allow", "refuse") {
                // With this reading nothing in the API refuses them.
                continue;
            }
            let story = Story::new(3).await;
            story.provider(&format!("per_minute: 60000, other_campaigns: {declared}"));
            story.smartlead.reading(reading);
            let other = story.smartlead.campaign("by hand").await;
            let leads = json!({ "lead_list": [{ "email": "quiet1@c1.example" }] });
            story.smartlead.call("POST", &format!("campaigns/{other}/leads"), leads).await;
            let applied = story.apply().await;
            assert_eq!(applied.code, if taken == 3 { 0 } else { 3 }, "{reading} {declared}: {applied:?}");
            assert_eq!(
                story.inside().await["members"].as_object().unwrap().len(),
                taken,
                "{reading} {declared}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_shape_the_answer_has_everybody_arrives_once() {
    for reading in [
        "added=inserted",
        "added=skipped",
        "repeats=conflict",
        "unsubscribed=list",
        "numbers=plain",
        "errors=nested",
        "limit=guide",
        "limit=message",
    ] {
        let story = Story::new(4).await;
        story.smartlead.reading(reading);
        story.quiet().await;
        story.agrees(4).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_looked_up_and_nobody_enters_twice() {
    for (fault, options) in [
        ("timeout=100%", Options::default()),
        ("drop-after=100%", Options::default()),
        ("drop=100%", Options::default()),
        ("500-after=100%", Options::default()),
        ("500=100%", Options::default()),
        ("503=100%", Options::default()),
        ("partial=100%", Options::default()),
        ("timeout=100%", Options { roster_delay: chrono::TimeDelta::hours(1), ..Options::default() }),
    ] {
        let story = Story::with(0, Options { rate: "60000/60".parse().unwrap(), ..options }).await;
        story.provider("per_minute: 60000, timeout: 1s");
        // The campaign is there and the faults hit the contacts only.
        story.add_contacts(100, 1).await;
        story.apply().await.ended(0);
        story.add_contacts(1, 6).await;
        story.smartlead.faults(fault);
        let process = story.start(&["apply", "--yes"]);
        process.finish().await;
        story.smartlead.faults("");
        story.quiet().await;
        story.agrees(7).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_plan_stops_the_provider_loudly_and_loses_nobody() {
    let story = Story::new(5).await;
    story.smartlead.ask("POST", "lead-limit", json!({ "left": 2 }));
    let applied = story.apply().await.ended(1);
    assert!(applied.stderr.contains("takes no more leads"), "{applied:?}");
    assert_eq!(story.count("employees where campaign_number = 1").await, 2);
    story.smartlead.ask("POST", "lead-limit", json!({}));
    story.quiet().await;
    story.agrees(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_stops_the_provider_and_is_never_shown() {
    let story = Story::new(2).await;
    story.apply().await.ended(0);
    let url = story.smartlead.base();
    story.write(
        "outreach.yaml",
        &format!("providers:\n  sl: {{ kind: smartlead, url: \"{url}\", key: \"${{WRONG}}\" }}\n"),
    );
    let environment = [("DATABASE_URL", story.db.url()), ("WRONG", "wr0ng-key".to_owned())];
    let arguments: [&[&str]; 2] = [&["-vv", "plan"], &["-vv", "apply", "--yes"]];
    for arguments in arguments {
        let finished =
            crate::support::process::Running::start(story.root(), &environment, arguments).finish().await;
        assert_eq!(finished.code, 3, "{finished:?}");
        assert!(finished.stdout.contains("Invalid API Key"), "{finished:?}");
        assert!(!format!("{finished:?}").contains("wr0ng-key"), "{finished:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_reach_the_lead_and_an_address_is_not_changed() {
    let story = Story::new(3).await;
    story.apply().await.ended(0);
    story.db.execute("update employees set first_name = 'Anna' where first_name = 'P1'").await;
    story.forget_calls();
    story.apply().await.ended(0);
    let posts: Vec<String> = story.calls().into_iter().filter(|call| call.starts_with("POST")).collect();
    assert_eq!(posts.len(), 1, "one request, by the id that was learnt: {posts:?}");
    story.agrees(3).await;
    // The sequence would begin anew for a new lead, so this one is parked with its reason.
    story.address(2, "other@c2.example").await;
    story.apply().await.ended(3);
    let said =
        story.text("select refused_reason from outreach.enrollments where email = 'quiet2@c2.example'").await;
    assert!(said.unwrap().contains("cannot change"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_does_what_is_declared_and_an_unsubscription_more() {
    for (declared, check) in [
        ("pause", json!({ "status": "PAUSED", "everywhere": false })),
        ("unsubscribe", json!({ "status": "STOPPED", "everywhere": false })),
        ("remove", Value::Null),
    ] {
        let story = Story::new(4).await;
        story.campaign(&format!("remote: {{ mailboxes: [501], withdraw: {declared} }}\n"));
        story.apply().await.ended(0);
        story.db.execute("delete from employees where first_name = 'P1'").await;
        story.db.execute("update employees set reply_unsubscribe = true where first_name = 'P2'").await;
        story.run(&["suppress", "add", "@c3.example"]).await.ended(0);
        story.forget_calls();
        story.apply().await.ended(0);
        let members = story.inside().await["members"].clone();
        let one = |n: usize| {
            let member = &members[format!("quiet{n}@c{n}.example")];
            match member {
                Value::Null => Value::Null,
                member => {
                    json!({ "status": member["status"], "everywhere": member["unsubscribed_everywhere"] })
                }
            }
        };
        assert_eq!((one(1), one(3)), (check.clone(), check), "{declared}");
        assert_eq!(
            one(2),
            json!({ "status": "STOPPED", "everywhere": true }),
            "{declared}: of all campaigns"
        );
        assert_eq!(one(4)["status"], "INPROGRESS");
        assert_eq!(
            story.smartlead.get("")["blocks"],
            json!(["c3.example", "quiet2@c2.example"]),
            "stops are told"
        );
        story.run(&["audit"]).await.ended(0);
        // Said once.
        story.forget_calls();
        story.apply().await.ended(0);
        assert!(story.calls().iter().all(|call| call.starts_with("GET")), "{:?}", story.calls());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_go_before_new_contacts() {
    let story = Story::new(3).await;
    story.apply().await.ended(0);
    story.add_contacts(100, 5).await;
    story
        .db
        .execute("update employees set reply_unsubscribe = true where first_name in ('P1', 'P2', 'P3')")
        .await;
    story.forget_calls();
    story.apply().await.ended(0);
    let posts: Vec<String> = story.calls().into_iter().filter(|call| call.starts_with("POST")).collect();
    assert!(posts[0].contains("block-list"), "{posts:?}");
    assert!(posts[1..4].iter().all(|call| call.ends_with("/unsubscribe")), "{posts:?}");
    assert!(posts[4].ends_with("/leads"), "{posts:?}");
}
