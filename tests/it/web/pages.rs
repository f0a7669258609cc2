//! The pages, and what is done on them.

use std::time::Duration;

use reqwest::Method;

use super::Site;
use crate::support::project::{Kind, Project, until};
use crate::support::receiver::Behaviour;

const FIRST: &str = "00000000-0000-0000-0000-000000000001";

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_paused_and_resumed_on_its_page() {
    let site = Site::start(false).await;
    site.enrolled(3).await;
    let page = site.page("/campaigns/1").await;
    for shown in ["campaigns/first.yaml", "segment: fintech", "no limit", "data-load=\"/campaigns/1/plan\""] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let (status, to) =
        site.form("/campaigns/1", "/campaigns/1/pause", &[("reason", "<b>texts</b>"), ("until", "3d")]).await;
    assert_eq!((status, to.as_str()), (303, "/campaigns/1?done=paused"));
    let page = site.page("/campaigns/1?done=paused").await;
    assert!(page.contains("&#60;b&#62;texts") || page.contains("&lt;b&gt;texts"), "{page}");
    assert!(!page.contains("<b>texts") && page.contains("Goes on by itself"));
    let (status, why) = site.form("/campaigns/1", "/campaigns/1/resume", &[]).await;
    assert_eq!((status, why.as_str()), (303, "/campaigns/1?done=resumed"));
    let (status, _) = site.form("/campaigns/1", "/campaigns/1/pause", &[("reason", " ")]).await;
    assert_eq!(status, 422);
    let (status, _) =
        site.form("/campaigns/1", "/campaigns/1/pause", &[("reason", "x"), ("until", "2020-01-01")]).await;
    assert_eq!(status, 422);
    let kinds: Vec<String> = site.actors().await.into_iter().map(|event| event.1).collect();
    assert_eq!(kinds, ["paused", "resumed"]);
    assert_eq!(site.get("/campaigns/7").await.0, 404);
    assert!(site.page("/events").await.contains("href=\"/campaigns/1\""));
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_found_explained_and_suppressed() {
    let site = Site::start(false).await;
    site.enrolled(3).await;
    let (status, to) = site.form("/contacts", "/contacts", &[("who", " P1@c1.example ")]).await;
    assert_eq!((status, to.as_str()), (303, format!("/contacts/{FIRST}").as_str()));
    let page = site.page(&to).await;
    for shown in
        ["Person 1", "p1@c1.example", "company.segment = &quot;Fintech&quot;", "enroll (fintech): accepted"]
    {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let verdicts = format!("/contacts/{FIRST}/verdicts");
    until("worked out", || async { site.page(&verdicts).await.contains("is enrolled") }).await;
    let action = format!("/contacts/{FIRST}/suppress");
    let (status, to) = site.form(&to, &action, &[("reason", "do_not_contact"), ("note", "by phone")]).await;
    assert_eq!((status, to), (303, format!("/contacts/{FIRST}?done=suppressed")));
    site.enrolled(2).await;
    let page = site.page(&format!("/contacts/{FIRST}")).await;
    assert!(page.contains("p1@c1.example (do_not_contact, from web)"), "{page}");
    assert!(page.contains("withdraw (suppressed)"), "{page}");
    assert!(!page.contains("Never write to this address again"), "{page}");
    assert_eq!(site.get("/contacts/00000000-0000-0000-0000-0000000000ff").await.0, 404);
    for (path, status) in [("/contacts/nobody", 400), ("/nothing", 404), ("/campaigns/1/plan?look=x", 400)] {
        let (told, page) = site.get(path).await;
        assert!(
            told == status && page.contains("app.css") && page.contains("role=\"alert\""),
            "{path}: {page}"
        );
    }
    let log = site.end().await;
    assert!(!log.contains("c1.example"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_in_doubt_is_settled_by_a_person() {
    let project = Project::new(Kind::Blind, 1).await;
    project.receiver.script([Behaviour::Drop { keep: true }]);
    let site = Site::on(project, false).await;
    until("in doubt", || async { site.project.count("outreach.pushes where state = 'in_doubt'").await == 1 })
        .await;
    let page = site.page("/doubts").await;
    assert!(page.contains("It arrived") && page.contains(&format!("1:{FIRST}:1")), "{page}");
    let metrics = site.page("/metrics").await;
    assert!(metrics.contains("outreachd_in_doubt{campaign=\"1\"} 1"), "{metrics}");
    let action = format!("/doubts/1:{FIRST}:1");
    let (status, to) = site.form("/doubts", &action, &[("arrived", "true")]).await;
    assert_eq!((status, to.as_str()), (303, "/doubts?done=settled"));
    site.enrolled(1).await;
    assert_eq!(site.actors().await[0].1, "resolved");
    assert!(site.page("/doubts").await.contains("Nothing is in doubt"));
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_plan_is_let_through_once_and_only_as_it_was_seen() {
    let project = Project::new(Kind::Deduping, 3).await;
    let file = project.read("campaigns/first.yaml").replace("max_enroll: 1000", "max_enroll: 2");
    project.write("campaigns/first.yaml", &file);
    let site = Site::on(project, false).await;
    until("blocked", || async { site.page("/").await.contains("badge bad\">blocked") }).await;
    let plan = site.json("/api/v1/campaigns/1/plan").await;
    assert_eq!(plan["plan"]["blocked"]["guard"], "max_enroll");
    let digest = plan["plan"]["digest"].as_str().unwrap();
    let body = |digest: &str| serde_json::json!({ "digest": digest });
    assert_eq!(site.post("/api/v1/campaigns/1/approve", &body("another")).await.0, 409);
    until("shown with what lets it through", || async {
        let part = site.page("/campaigns/1/plan").await;
        part.contains("Let it through once") && part.contains(digest)
    })
    .await;
    assert_eq!(site.post("/api/v1/campaigns/1/approve", &body(digest)).await.0, 200);
    site.enrolled(3).await;
    assert_eq!(site.project.count("outreach.approvals").await, 0, "used up");
    // Not the next one.
    site.project.add_contacts(10, 3).await;
    until("blocked again", || async { site.page("/").await.contains("badge bad\">blocked") }).await;
    assert_eq!(site.project.count("outreach.enrollments where live").await, 3);
    // One that has changed by the time of the pass is void.
    site.project.db.execute("insert into outreach.approvals values (1, 'another', 'olga', now())").await;
    until("void", || async { site.project.count("outreach.approvals").await == 0 }).await;
    assert_eq!(site.project.count("outreach.enrollments where live").await, 3);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_is_shown_with_its_line_and_open_pages_hear_of_changes() {
    let site = Site::start(false).await;
    site.enrolled(3).await;
    assert!(site.page("/files").await.contains("All files are in force"));
    let file = site.project.read("campaigns/first.yaml");
    site.project.write("campaigns/first.yaml", &format!("{file}priorty: 3\n"));
    until("shown", || async {
        let page = site.page("/files").await;
        page.contains("campaigns/first.yaml:")
            && page.contains("did you mean `priority`")
            && page.contains("^^^")
    })
    .await;
    for page in ["/", "/campaigns/1"] {
        let page = site.page(page).await;
        assert!(
            page.contains("The files cannot be taken") && page.contains("href=\"/files\">1 error"),
            "{page}"
        );
    }
    site.project.write("campaigns/first.yaml", &file);

    let mut live = site.ask(Method::GET, "/live").timeout(Duration::from_secs(30)).send().await.unwrap();
    assert_eq!(live.headers()["content-type"], "text/event-stream");
    site.project.add_contacts(10, 1).await;
    let mut heard = String::new();
    while !heard.contains("event: changed") {
        heard.push_str(&String::from_utf8_lossy(&live.chunk().await.unwrap().expect("it goes on")));
    }
    assert!(!heard.contains('@'));
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_decided_by_a_person() {
    let site = Site::start(false).await;
    site.enrolled(3).await;
    site.project
        .db
        .execute(&format!(
            "insert into outreach.replies (id, dedupe, mailbox, folder, received_at, read_at, kind, rule, evidence, confidence,
                 employee_id, campaign_number, ordinal, matched_by, email, raw)
             values ('{FIRST}', 'x', 'alice', 'INBOX', now(), now(), 'reply', 'person', 'no rule fits', 'unsure',
                 '{FIRST}', 1, 1, 'address', 'p1@c1.example',
                 convert_to(E'From: p1@c1.example\\r\\nSubject: Re: x\\r\\n\\r\\nPlease <b>do not</b> write again.\\r\\n', 'UTF8'))"
        ))
        .await;
    let page = site.page("/replies").await;
    assert!(page.contains("write again") && !page.contains("<b>do not"), "{page}");
    let action = format!("/replies/{FIRST}");
    let (status, to) = site.form("/replies", &action, &[("kind", "unsubscribe")]).await;
    assert_eq!((status, to.as_str()), (303, "/replies?done=decided"));
    site.enrolled(2).await;
    let flagged = "employees where reply_unsubscribe and work_email = 'p1@c1.example'";
    assert_eq!(site.project.count(flagged).await, 1);
    assert!(site.page("/replies").await.contains("No mail waits"));
    assert_eq!(site.actors().await[0].1, "correct");
    assert_eq!(site.form("/contacts", "/contacts", &[("who", "p1@c1.example")]).await.0, 303);
    let page = site.page(&format!("/contacts/{FIRST}")).await;
    assert!(page.contains("unsubscribe, as this machine says"), "{page}");
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_of_a_stranger_shows_who_sent_it() {
    let site = Site::start(false).await;
    site.project
        .db
        .execute(&format!(
            "insert into outreach.replies (id, dedupe, mailbox, folder, received_at, read_at, kind, rule, evidence, confidence, email, raw)
             values ('{FIRST}', 'x', 'alice', 'INBOX', now(), now(), 'unsubscribe', 'words', 'stop', 'sure', null,
                 convert_to(E'From: Zoe <zoe@elsewhere.example>\\r\\nSubject: Re: x\\r\\n\\r\\nStop writing to me.\\r\\n', 'UTF8'))"
        ))
        .await;
    let page = site.page("/replies").await;
    assert!(page.contains("nobody of ours: <strong>zoe@elsewhere.example</strong>"), "{page}");
    let answers = site.json("/api/v1/replies").await;
    assert_eq!(answers["replies"][0]["listed"]["from"], "zoe@elsewhere.example");
    let log = site.end().await;
    assert!(!log.contains("elsewhere.example"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_rests_is_resumed_on_its_page_and_over_the_api() {
    let project = Project::new(Kind::Blind, 0).await;
    let site = Site::on(project, false).await;
    let text = site.project.read("outreach.yaml");
    let mailboxes = "mailboxes: { alice: { address: alice@example.com, smtp: { host: smtp.example.com, user: alice, password: \"file:secret\" } } }\n";
    site.project.write("outreach.yaml", &format!("{text}{mailboxes}"));
    let rests = "insert into outreach.mailboxes (name, paused_until, paused_reason)
         values ('alice', now() + interval '1 day', 'the server said no'), ('gone', now() + interval '1 day', 'x')
         on conflict (name) do update set paused_until = excluded.paused_until";
    site.project.db.execute(rests).await;
    until("declared", || async { site.page("/providers").await.contains("/mailboxes/alice/resume") }).await;
    let page = site.page("/providers").await;
    assert!(page.contains("the server said no") && !page.contains("/mailboxes/gone/resume"), "{page}");
    let (status, to) = site.form("/providers", "/mailboxes/alice/resume", &[("reason", "asked them")]).await;
    assert_eq!((status, to.as_str()), (303, "/providers?done=resumed"));
    assert_eq!(site.project.count("outreach.mailboxes where paused_until is not null").await, 1, "gone");

    site.project.db.execute(rests).await;
    let over_api = async |name: &str| {
        site.post(&format!("/api/v1/mailboxes/{name}/resume"), &serde_json::json!({ "reason": "x" })).await
    };
    assert_eq!(over_api("alice").await, (200, serde_json::json!({ "changed": true })));
    assert_eq!(over_api("alice").await, (200, serde_json::json!({ "changed": false })));
    assert_eq!(over_api("gone").await.0, 404);
    let resumed = ("this machine".to_owned(), "resumed".to_owned(), "mailbox:alice".to_owned());
    assert_eq!(site.actors().await, [resumed.clone(), resumed]);
    site.end().await;
}
