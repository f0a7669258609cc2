//! A sequence from its first mail to the last answer, over real servers.

use outreachd::mailbox;

use crate::support::mail::DOMAIN;
use crate::support::office::Office;
use crate::support::project::until;

const CAMPAIGN: &str = "campaign: first
number: 1
type: sales
segment: fintech
provider: mail
fields: { first_name: employee.first_name }
on_reply: { colleagues: pause }
sequence:
  - { subject: \"Hello {{ first_name }}\", body: \"A question, {{ first_name }}.\" }
  - { wait: 3d, body: \"Another one, {{ first_name }}.\" }
safety: { max_enroll: 1000 }
";

const PEOPLE: &str = "insert into companies (id, company_name, segment)
    select uuid_in(lpad(n::text, 32, '0')::cstring), 'Company ' || n, 'Fintech' from generate_series(1, 5) n;
insert into employees (company_id, full_name, first_name, work_email)
select uuid_in(lpad(company::text, 32, '0')::cstring), name, name, address
from (values (1, 'Anna', 'anna@c1.example'), (1, 'Abel', 'abel@c1.example'), (2, 'Ben', 'lost.ben@c2.example'),
    (3, 'Carl', 'carl@c3.example'), (4, 'Away', 'away@test.local'), (5, 'Dora', 'dora@c5.example')) as p (company, name, address)";

/// A header of a raw mail.
fn header<'m>(mail: &'m str, name: &str) -> &'m str {
    let start = format!("{name}: ");
    mail.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("{name}: {mail}"))
}

fn to<'m>(mails: &'m [String], address: &str) -> &'m String {
    mails.iter().find(|mail| header(mail, "To").contains(address)).unwrap_or_else(|| panic!("{address}"))
}

async fn statuses(office: &Office) -> Vec<String> {
    sqlx::query_scalar(
        "select concat_ws(' ', first_name, campaign_status, case when reply_unsubscribe then 'U' end,
             case when reply_bounce then 'B' end) from employees order by first_name",
    )
    .fetch_all(office.db.pool())
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_first_mail_to_the_last_answer() {
    let Some(office) = Office::open(0).await else { return };
    office.db.execute("delete from outreach.campaigns").await;
    office.db.execute(PEOPLE).await;
    office.write("segments/fintech.yaml", "segment: fintech\nwhere: { company.segment: Fintech }\n");
    office.write("campaigns/first.yaml", CAMPAIGN);
    office.declare_copies();
    office.run(&["apply", "--yes"]).await.ended(0);
    assert_eq!(office.count("outreach.mails where sent_at is not null").await, 6);
    assert_eq!(office.servers.mails("alice", "Sent").len(), 6, "copies of what went out");
    let people = office.servers.arrived("people", 4).await;
    office.servers.arrived("bounce", 1).await;

    // As if the answer to Anna's mail had been lost: nobody knows whether it went out, until she answers it.
    office
        .db
        .execute(
            "update outreach.pushes set state = 'in_doubt', settled_at = null, doubted = true where email = 'anna@c1.example';
             delete from outreach.enrollments where email = 'anna@c1.example';
             update employees set campaign_number = null, campaign_status = null, outreach_sent_date = null where first_name = 'Anna'",
        )
        .await;
    let id = header(to(&people, "anna@c1.example"), "Message-ID");
    office.answer(
        "anna@c1.example",
        &format!("Message-ID: <1@c1>\nIn-Reply-To: {id}\nSubject: Re: Hello Anna\n"),
        "We are happy with what we have.",
    );
    // Carl's program follows the link of the mail.
    let links = header(to(&people, "carl@c3.example"), "List-Unsubscribe");
    let stop = links.split("mailto:").nth(1).unwrap().split('?').next().unwrap();
    let mail = format!("From: carl@c3.example\nTo: {stop}\nSubject: unsubscribe\n\n\n");
    assert!(office.servers.hand_over("carl@c3.example", stop, &mail).starts_with("250"));
    // A vacation script answers the return path; Dovecot's is silent where a mail has List-Unsubscribe.
    let away = office.servers.arrived("away", 1).await.remove(0);
    let back = header(&away, "Return-Path").trim_matches(['<', '>']);
    let mail = format!(
        "From: away@{DOMAIN}\nTo: {back}\nAuto-Submitted: auto-replied\nSubject: Out of office\n\nI am away until Monday.\n"
    );
    assert!(office.servers.hand_over("", back, &mail).starts_with("250"));
    office.servers.arrived("alice", 1).await;
    office.servers.arrived("unsubscribe", 1).await;
    office.servers.arrived("bounce", 2).await;

    // What was read within half a second is not read again, and the pass before may have been that quick.
    office.db.execute("update outreach.mailboxes set read_at = read_at - interval '1 second'").await;
    // The next pass reads before it writes; the one after has nothing to do.
    office.run(&["apply", "--yes"]).await.ended(0);
    let after =
        ["Abel active", "Anna replied", "Away active", "Ben bounced B", "Carl unsubscribed U", "Dora active"];
    assert_eq!(statuses(&office).await, after);
    let answer: String =
        sqlx::query_scalar("select answer from outreach.pushes where email = 'anna@c1.example'")
            .fetch_one(office.db.pool())
            .await
            .unwrap();
    assert_eq!(answer, "an answer to it has come");
    assert_eq!(office.count("outreach.replies where kind = 'auto_reply' and matched_by = 'return_path' and away_until is not null").await, 1);
    office.run(&["plan", "--detailed-exitcode"]).await.ended(0);
    office.run(&["audit"]).await.ended(0);

    // Three days later: only Dora and the one who was away hear from us again. Anna's colleague is spared.
    office
        .db
        .execute(
            "update outreach.enrollments set next_at = now() - interval '1 second' where next_at is not null",
        )
        .await;
    office.run(&["apply", "--yes"]).await.ended(0);
    until("the follow-up arrives", || async { office.servers.mails("people", "INBOX").len() == 5 }).await;
    let again: Vec<String> =
        sqlx::query_scalar("select email from outreach.mails where step = 2 order by email")
            .fetch_all(office.db.pool())
            .await
            .unwrap();
    assert_eq!(again, [format!("away@{DOMAIN}"), "dora@c5.example".to_owned()]);
    assert_eq!(statuses(&office).await[5], "Dora finished");
    // Until a person says so.
    let list = office.run(&["replies", "list", "--all", "--format", "json"]).await.ended(0).json();
    let anna = list.as_array().unwrap().iter().find(|one| one["email"] == "anna@c1.example").unwrap();
    office.run(&["replies", "release", anna["id"].as_str().unwrap()]).await.ended(0);
    let plan = office.run(&["plan", "--format", "json"]).await.ended(0).stdout;
    assert!(plan.contains("abel@c1.example"), "{plan}");

    // In doubt again, and found among the sent mails; one that is not there stays in doubt.
    office
        .db
        .execute(
            "update outreach.pushes set state = 'in_doubt', settled_at = null, doubted = true where action = 'send';
             update outreach.mails set message_id = 'other@test.local' where step = 2 and email like 'away%';
             update outreach.enrollments set status = 'active' where email = 'dora@c5.example'",
        )
        .await;
    office.run(&["apply", "--yes"]).await.ended(3);
    let states: Vec<String> = sqlx::query_scalar(
        "select concat_ws(' ', email, state, answer) from outreach.pushes where action = 'send' order by email",
    )
    .fetch_all(office.db.pool())
    .await
    .unwrap();
    assert_eq!(
        states,
        [
            "abel@c1.example accepted",
            "away@test.local in_doubt the provider cannot tell",
            "dora@c5.example accepted found at the provider"
        ]
    );
    until("Abel's mail arrives", || async { office.servers.mails("people", "INBOX").len() >= 6 }).await;
    assert_eq!(office.servers.mails("people", "INBOX").len(), 6, "nothing is sent twice");
    let alice = office.account("alice");
    assert_eq!(mailbox::holds(&alice, "Sent", &["other@test.local".to_owned()]).await.unwrap(), [false]);

    // What cannot be read does not send.
    office.db.execute("update outreach.mailboxes set read_at = now() - interval '1 day'").await;
    office.write("alice", "wrong");
    let status = office.run(&["status"]).await.ended(0).stdout;
    assert!(status.contains("nothing is sent from it until it is read"), "{status}");
}
