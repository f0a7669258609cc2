//! What happens at Smartlead reaches the database, polled or told; and what stops here is known there.

use outreachd::manifest;
use outreachd::model::{Stop, SystemClock};
use outreachd::provider::Headers;
use outreachd::reconcile::{Context, Webhook, webhook};
use serde_json::{Value, json};
use uuid::Uuid;

use super::story::{SECRET, Story};
use crate::support::project::until;

/// Five people who do different things, handed over.
async fn five() -> Story {
    let story = Story::new(5).await;
    for (n, email) in
        [(1, "bounce@c.example"), (2, "reply@c.example"), (3, "info@c.example"), (4, "unsubscribe@c.example")]
    {
        story.address(n, email).await;
    }
    story.apply().await.ended(0);
    story
}

async fn statuses(story: &Story) -> Vec<String> {
    sqlx::query_scalar(
        "select first_name || ' ' || campaign_status
             || case when reply_unsubscribe then ' unsubscribe' else '' end
             || case when reply_bounce then ' bounce' else '' end
             || case when reply_info_request then ' info' else '' end
         from employees where campaign_number = 1 order by first_name",
    )
    .fetch_all(story.db.pool())
    .await
    .unwrap()
}

const AFTER: [&str; 5] =
    ["P1 bounced bounce", "P2 replied", "P3 replied info", "P4 unsubscribed unsubscribe", "P5 active"];

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_asked_for_by_time() {
    let story = five().await;
    story.run(&["feedback"]).await.ended(0);
    let handed = story.text("select max(outreach_sent_date)::text from employees").await;
    story.smartlead.advance(4 * 3600);
    story.run(&["feedback"]).await.ended(0);
    assert_eq!(statuses(&story).await, AFTER);
    assert_eq!(
        story.count("outreach.suppressions where reason in ('bounced', 'unsubscribed')").await,
        2,
        "stops hold everywhere"
    );
    // The mail's own time, not the one of handing over.
    let mails = story.smartlead.get("mails");
    let first = mails.as_array().unwrap().iter().find(|mail| mail["email"] == "quiet5@c5.example").unwrap();
    let agree = story
        .count(&format!(
            "employees where first_name = 'P5' and outreach_sent_date = '{}'",
            first["at"].as_str().unwrap()
        ))
        .await;
    assert_eq!(agree, 1, "{handed:?} {first}");
    // Nothing of it is news the second time, and nothing is left to do.
    let again = story.run(&["feedback", "--format", "json"]).await.ended(0).json();
    assert_eq!(again["campaigns"][0]["moved"], 0);
    assert_eq!(again["campaigns"][0]["written"], 0);
    story.run(&["plan", "--detailed-exitcode"]).await.ended(0);
    story.run(&["audit"]).await.ended(0);
    story.forget_calls();
    story.apply().await.ended(0);
    let posts: Vec<String> = story.calls().into_iter().filter(|call| call.starts_with("POST")).collect();
    assert_eq!(posts, Vec::<String>::new(), "what came from there is not told there");
    // Days later the sequence is through.
    story.smartlead.advance(4 * 86_400);
    story.run(&["feedback"]).await.ended(0);
    assert_eq!(statuses(&story).await[4], "P5 finished");
    story.run(&["audit"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_hears_of_stops_before_it_hands_anybody_over() {
    let story = five().await;
    story.smartlead.advance(4 * 3600);
    // As long ago as it takes for the feeds to be due.
    story.db.execute("update outreach.remote_campaigns set heard = '{}'").await;
    // The same person waits in another row that is yet to be handed over.
    story.add_contacts(50, 1).await;
    story.address(50, "unsubscribe@c.example").await;
    story.db.execute("delete from employees where first_name = 'P4'").await;
    story.apply().await.ended(0);
    assert_eq!(story.count("employees where first_name = 'P50' and campaign_number is not null").await, 0);
    assert_eq!(story.count("outreach.suppressions where target = 'unsubscribe@c.example'").await, 1);
    story.run(&["audit"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_heard_holds_new_contacts_back_and_no_stop() {
    let story = Story::new(3).await;
    story.apply().await.ended(0);
    story.db.execute("update outreach.remote_campaigns set heard = '{}'").await;
    story.add_contacts(50, 1).await;
    story.db.execute("update employees set reply_unsubscribe = true where first_name = 'P1'").await;
    story.smartlead.reading("errors=nested");
    story.write("segments/none.yaml", "segment: none\nwhere: { all: [{ company.segment: Nothing }] }\n");
    let id = story.remote().await;
    // The stand-in does not know what it is asked for any more.
    story.db.execute("update outreach.remote_campaigns set remote_id = '999999'").await;
    let applied = story.apply().await.ended(3);
    assert!(applied.stdout.contains("blocked"), "{applied:?}");
    assert_eq!(story.count("employees where first_name = 'P50' and campaign_number is not null").await, 0);
    story.db.execute(&format!("update outreach.remote_campaigns set remote_id = '{id}'")).await;
    story.quiet().await;
    assert_eq!(
        story.count("employees where campaign_number = 1 and campaign_status = 'unsubscribed'").await,
        1
    );
}

fn headers(pairs: &[(&'static str, String)]) -> Headers {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn signed(body: &str, request: &str) -> Headers {
    use hmac::{KeyInit as _, Mac as _};
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    headers(&[("x-smartlead-signature", signature), ("x-request-id", request.to_owned())])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_counts_once_and_only_when_it_is_genuine() {
    let story = five().await;
    // Here the secrets come from files: this test calls the library and has no environment of its own.
    story.write("hook", SECRET);
    story.write("key", "k");
    let url = story.smartlead.base();
    story.write(
        "outreach.yaml",
        &format!("providers:\n  sl: {{ kind: smartlead, url: \"{url}\", key: file:key, webhook_secret: file:hook }}\n"),
    );
    let manifest = manifest::load(story.root()).manifest.unwrap();
    let store = story.db.store();
    let stop = Stop::default();
    let context = Context {
        store,
        manifest: &manifest,
        clock: &SystemClock,
        root: story.root(),
        holder: Uuid::new_v4(),
        revision: None,
        stop: &stop,
    };
    let id = story.remote().await;
    let event = |kind: &str, email: &str| -> String {
        json!({ "event_type": kind, "campaign_id": id, "to_email": email, "sequence_number": 1,
            "event_timestamp": "2026-11-24T10:00:00+00:00", "message_id": "<one>" })
        .to_string()
    };
    let take = async |body: &str, headers: &Headers| webhook(&context, "sl", headers, body.as_bytes()).await;
    let sent = event("EMAIL_SENT", "quiet5@c5.example");
    assert!(
        matches!(take(&sent, &signed(&sent, "r1")).await, Ok(Webhook::TakenIn(taken)) if taken.moved == 1)
    );
    assert_eq!(take(&sent, &signed(&sent, "r1")).await.unwrap(), Webhook::Repeated);
    let date =
        story.text("select outreach_sent_date::text from employees where first_name = 'P5'").await.unwrap();
    assert!(date.contains("2026-11-24 10:00:00"), "{date}");
    let stop = event("LEAD_UNSUBSCRIBED", "unsubscribe@c.example");
    assert!(take(&stop, &headers(&[])).await.is_err(), "not signed");
    assert!(take(&stop, &signed("something else", "r2")).await.is_err(), "signed for something else");
    assert_eq!(story.count("outreach.suppressions").await, 0);
    take(&stop, &signed(&stop, "r2")).await.unwrap();
    for (kind, email, request) in
        [("EMAIL_BOUNCED", "bounce@c.example", "r3"), ("EMAIL_REPLY", "reply@c.example", "r4")]
    {
        let body = event(kind, email);
        take(&body, &signed(&body, request)).await.unwrap();
    }
    let mut sorted: Value = serde_json::from_str(&event("LEAD_CATEGORY_UPDATED", "info@c.example")).unwrap();
    sorted["lead_category"] = json!({ "old_id": null, "new_id": 5, "new_name": "Information Request" });
    let body = sorted.to_string();
    take(&body, &signed(&body, "r5")).await.unwrap();
    assert_eq!(statuses(&story).await, AFTER);
    let other = event("EMAIL_SENT", "x@y.example").replace(&id.to_string(), "1");
    assert_eq!(take(&other, &signed(&other, "r6")).await.unwrap(), Webhook::NotOurs);
    story.provider("per_minute: 60000");
    story.run(&["audit"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_made_by_hand_is_taken_over_with_its_people() {
    let story = Story::new(5).await;
    let id = story.smartlead.campaign("made by hand").await;
    let path = format!("campaigns/{id}/leads");
    let lead = |n: usize| json!({ "email": format!("Quiet{n}@c{n}.example"), "first_name": format!("P{n}"), "custom_fields": { "company": format!("Company {n}") } });
    let leads = json!({ "lead_list": [lead(1), lead(2), { "email": "stranger@x.example" }, lead(3)] });
    assert_eq!(story.smartlead.call("POST", &path, leads).await.0, 200);
    story.smartlead.ask("POST", "unsubscribe", json!({ "campaign": id, "email": "quiet3@c3.example" }));
    let remote = id.to_string();
    let before = story.smartlead.get(&format!("campaigns/{id}"));
    story.forget_calls();

    let shown = story.run(&["adopt", "first", "--remote", &remote, "--dry-run"]).await.ended(0).stdout;
    assert!(shown.contains("would take over") && shown.contains("3 contacts"), "{shown}");
    assert_eq!(story.count("outreach.enrollments").await, 0);
    let shown = story.run(&["adopt", "first", "--remote", &remote]).await.ended(0).stdout;
    assert!(shown.contains("stranger@x.example"), "{shown}");
    assert_eq!(
        story.count("outreach.events where (kind, subject, actor) = ('adopted', 'campaign:1', 'cli')").await,
        1,
        "looking on is no deed"
    );
    assert!(story.calls().iter().all(|call| call.starts_with("GET")), "nothing is sent: {:?}", story.calls());
    assert_eq!(story.smartlead.get(&format!("campaigns/{id}")), before);
    assert_eq!(story.count("outreach.enrollments where live").await, 2);
    assert_eq!(
        story.count("employees where reply_unsubscribe and campaign_status = 'unsubscribed'").await,
        1
    );
    story.run(&["audit"]).await.ended(0);

    // From here on it is ours: settings are brought to the declaration, the others enter, the stranger stays.
    let plan = story.plan().await;
    assert_eq!(
        (plan["enroll"].as_i64(), plan["update"].as_i64(), plan["keep"].as_i64()),
        (Some(2), Some(0), Some(2)),
        "{plan}"
    );
    assert_eq!(plan["remote"]["id"], remote);
    assert_eq!(plan["remote"]["drift"], json!([]));
    story.quiet().await;
    let members = story.inside().await["members"].clone();
    assert_eq!(members.as_object().unwrap().len(), 6);
    assert_eq!(members["stranger@x.example"]["status"], "INPROGRESS", "left alone");
    let twice = story.run(&["adopt", "first", "--remote", &remote]).await.ended(0).stdout;
    assert!(twice.contains("0 contacts"), "{twice}");
    let wrong = story.run(&["adopt", "first", "--remote", "424242"]).await.ended(1);
    assert!(wrong.stderr.contains("there already"), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_listens_too() {
    let story = five().await;
    story.smartlead.advance(4 * 3600);
    story.provider("per_minute: 60000, listen_every: 10s");
    story.db.execute("update outreach.remote_campaigns set heard = '{}'").await;
    story.run(&["run", "--once"]).await.ended(0);
    assert_eq!(statuses(&story).await, AFTER);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_reach_the_running_daemon() {
    let story = five().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    story.provider(&format!("per_minute: 60000, timeout: 2s, webhook_url: \"http://{address}/hooks/sl\""));
    story.apply().await.ended(0);
    // Two are refused in a minute; the third waits.
    let settings = std::fs::read_to_string(story.root().join("outreach.yaml")).unwrap();
    let public = "http: { public: { listen: \"127.0.0.1:0\", per_minute: 1 } }";
    story.write("outreach.yaml", &format!("{settings}{public}\n"));
    let daemon = story.start(&["run", "--listen", &address]);
    until("the daemon answers", || async {
        crate::support::smartlead::client().get(format!("http://{address}/healthz")).send().await.is_ok()
    })
    .await;
    story.smartlead.faults("hook-twice=50%");
    // Replies and unsubscriptions; the mails themselves left before anybody listened.
    story.smartlead.advance(4 * 3600);
    until("webhooks have moved the states", || async {
        let statuses = statuses(&story).await;
        [AFTER[1], AFTER[2], AFTER[3]].iter().all(|status| statuses.contains(&(*status).to_owned()))
    })
    .await;
    let url = format!("http://{address}/hooks/sl");
    let forged =
        crate::support::smartlead::client().post(&url).body("{\"event_type\":\"EMAIL_SENT\"}").send().await;
    assert_eq!(forged.unwrap().status(), 401);
    let nobody =
        crate::support::smartlead::client().post(format!("http://{address}/hooks/x")).body("{}").send().await;
    assert_eq!(nobody.unwrap().status(), 404);

    // Behind a proxy others have the provider's address; what they send is held against them alone.
    let send = |headers: Headers, body: String| {
        crate::support::smartlead::client().post(&url).headers(headers).body(body).send()
    };
    assert_eq!(send(signed("x", "r"), "{}".to_owned()).await.unwrap().status(), 429);
    let body = json!({ "event_type": "EMAIL_SENT", "campaign_id": 424_242 }).to_string();
    assert_eq!(send(signed(&body, "r9"), body.clone()).await.unwrap().status(), 200);
    assert_eq!(send(signed("x", "r"), "{}".to_owned()).await.unwrap().status(), 429);
    daemon.kill().await;
    story.run(&["audit"]).await.ended(0);
}
