//! What people do by hand stands in the event log with who, whichever command it is; and what waits for them is told.

use crate::support::process::Running;
use crate::support::project::{Kind, Project};
use crate::support::receiver::{Behaviour, SECRET};

const FIRST: &str = "00000000-0000-0000-0000-000000000001";
const MAIL: &str = "00000000-0000-0000-0000-0000000000aa";

/// What is so before any deed: a mail that old rules read otherwise, drafts, a mailbox that rests, answers that were lost.
const BEFORE: &str = "
    insert into outreach.replies (id, dedupe, mailbox, folder, received_at, read_at, kind, rule, evidence, confidence,
        employee_id, campaign_number, ordinal, raw, email)
    select '00000000-0000-0000-0000-0000000000aa', 'a mail', 'alice', 'INBOX', now(), now(), 'other', 'of old', '', 'sure',
        id, 1, 1, convert_to(E'From: p1@c1.example\\r\\nSubject: Re: Hello\\r\\n\\r\\nPlease call me.\\r\\n', 'UTF8'), work_email
    from employees where full_name = 'Person 1';
    insert into outreach.drafts (employee_id, campaign_number, field, spec, digest, text, state, drafted_at)
    select id, 1, field, '', '', 'Words', 'drafted', now() from employees, unnest(array['a', 'b', 'c']) field
    where full_name = 'Person 1';
    insert into outreach.mailboxes (name, paused_until, paused_reason) values ('alice', now() + interval '1 h', 'no');
    insert into outreach.enrichment_calls (employee_id, step, ordinal, question, asked, state, price, service, day, run_id,
        token, claimed_at, outcome)
    select id, 'validate', 1, work_email, '{}', 'in_doubt', 1, 'leadmagic', now(), gen_random_uuid(), 1, now(), 'lost'
    from employees where full_name < 'Person 3'";

const RELEASED: &str = "insert into outreach.paused_companies (company_id, campaign_number, reason, since)
    select company_id, 1, 'replied', now() from employees where full_name = 'Person 1'";

async fn world() -> Project {
    let project = Project::new(Kind::Blind, 3).await;
    let text = project.read("outreach.yaml");
    let mailbox =
        "mailboxes: { alice: { address: alice@test.local, smtp: { host: localhost, tls: none } } }\n";
    project.write("outreach.yaml", &format!("{text}{mailbox}"));
    let file = project.read("campaigns/first.yaml");
    project.write("campaigns/first.yaml", &file.replace("max_enroll: 1000", "max_enroll: 2"));
    // Nobody knows whether the first batch arrived.
    project.receiver.script([Behaviour::Drop { keep: true }]);
    project.db.execute(BEFORE).await;
    project
}

#[tokio::test(flavor = "multi_thread")]
async fn each_deed_is_in_the_log_with_who() {
    let project = world().await;
    let contact = format!("contact:{FIRST}");
    let reply = format!("reply {MAIL}");
    let company = format!("company {FIRST}");
    let push = format!("1:{FIRST}:1");
    let [a, b, c] = ["a", "b", "c"].map(|field| format!("1:{FIRST}:{field}"));
    let deeds: [(&[&str], &str, &str); 15] = [
        (&["pause", "first", "--reason", "holidays"], "paused", "campaign:1"),
        (&["resume", "first"], "resumed", "campaign:1"),
        (&["resume", "--mailbox", "alice"], "resumed", "mailbox:alice"),
        (&["apply", "--yes", "--approve", "first"], "approved", "campaign:1"),
        (&["resolve", &push, "--arrived"], "resolved", &contact),
        (&["reclassify"], "reclassified", "replies"),
        (&["suppress", "add", "x@y.example"], "suppress", "suppression"),
        (&["suppress", "remove", "x@y.example"], "unsuppress", "suppression"),
        (&["contact", "set", FIRST, "--client-status", "client"], "contact_set", FIRST),
        (&["drafts", "approve", &a], "draft_approved", FIRST),
        (&["drafts", "reject", &b], "draft_rejected", FIRST),
        (&["drafts", "redo", &c], "draft_redone", FIRST),
        (&["replies", "release", MAIL], "release", &company),
        (&["replies", "correct", MAIL, "auto_reply"], "correct", &reply),
        (&["replies", "correct", MAIL, "as_read"], "correct", &reply),
    ];
    for (arguments, kind, subject) in deeds {
        if arguments.contains(&"release") {
            project.db.execute(RELEASED).await;
        }
        let environment = [
            ("DATABASE_URL", project.db.url()),
            ("HOOK_SECRET", SECRET.to_owned()),
            ("USER", "olga".to_owned()),
        ];
        let done = Running::start(project.path(), &environment, arguments).finish().await;
        // What is in doubt is held back.
        assert!([0, 3].contains(&done.code), "{arguments:?}: {done:?}");
        let log: Vec<(String, String, String)> =
            sqlx::query_as("delete from outreach.events returning actor, kind, subject")
                .fetch_all(project.db.pool())
                .await
                .unwrap();
        let words = ["olga", kind, subject].map(ToOwned::to_owned);
        assert_eq!(log, [words.into()], "{arguments:?}: {done:?}");
    }
    // A push that is not in doubt is settled by nobody, and nobody says so.
    project.run(&["resolve", &push, "--arrived"]).await.ended(64);
    assert_eq!(project.count("outreach.events").await, 0);
    assert_eq!(project.count("outreach.approvals").await, 0, "let through once");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_what_waits_for_a_person() {
    let project = Project::new(Kind::File, 3).await;
    let quiet = project.run(&["status"]).await.ended(0).stdout;
    assert!(!quiet.contains("draft") && !quiet.contains("lost"), "{quiet}");
    project.db.execute(BEFORE).await;
    let told = project.run(&["status"]).await.ended(0).stdout;
    assert!(told.contains("3 drafts to decide for a person: `outreachd drafts list`"), "{told}");
    assert!(told.contains("2 lost answers of enrichment: `outreachd enrich --retry-lost`"), "{told}");
    assert!(!told.contains("of drafting"), "{told}");
    let json = project.run(&["status", "--format", "json"]).await.ended(0).json();
    assert_eq!(json["undecided_drafts"], 3);
    assert_eq!(json["lost_answers"], serde_json::json!({ "enrichment": 2, "drafting": 0 }));
}
