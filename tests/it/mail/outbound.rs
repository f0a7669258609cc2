//! The real binary sends sequences: through real servers, and through one that misbehaves.

use std::collections::BTreeMap;
use std::path::Path;

use outreachd::model::MailTls;
use tempfile::TempDir;
use tokio::time::{Duration, Instant, sleep};

use crate::support::mail::{DOMAIN, MailServers};
use crate::support::process::{Finished, Running};
use crate::support::project::until;
use crate::support::smtp::{Act, At, PASSWORD, PostOffice};
use crate::support::{TestDb, folder};

const SEGMENT: &str = "segment: fintech\nwhere:\n  all:\n    - company.segment: Fintech\n";

const CAMPAIGN: &str = "campaign: first
number: 1
type: sales
segment: fintech
provider: mail
fields: { first_name: employee.first_name, company: company.company_name }
sequence:
  - { subject: \"Вопрос к {{ company }}\", body: \"Hello {{ first_name }}\", html: \"<p>Hello <b>{{ first_name }}</b></p>\" }
  - { wait: 3d, body: \"Once more, {{ first_name }}\" }
  - { wait: 4d, body: \"The last one\" }
safety: { max_enroll: 1000 }
";

/// A project that sends mails.
struct Outbound {
    folder: TempDir,
    db: TestDb,
}

impl Outbound {
    /// `mailboxes` in YAML, and who may send.
    async fn new(mailboxes: &str, senders: &str) -> Self {
        let project = Self { folder: folder(), db: TestDb::new().await };
        project.write(
            "outreach.yaml",
            &format!(
                "mailboxes:\n{mailboxes}providers:\n  mail:\n    kind: smtp\n    senders: [{senders}]\n    \
                 key: file:key\n    bounces: bounce@{DOMAIN}\n    timeout: 2s\n    \
                 unsubscribe: {{ url: \"https://out.{DOMAIN}\", mailto: unsubscribe@{DOMAIN} }}\n\
                 lease: 1s\ndaemon: {{ look_every: 1s }}\n"
            ),
        );
        project.write("key", "a key of the test");
        project.write("password", PASSWORD);
        project.write("segments/fintech.yaml", SEGMENT);
        project.write("campaigns/first.yaml", CAMPAIGN);
        project
    }

    async fn through(office: &PostOffice) -> Self {
        let server = office.server();
        let mailbox = format!(
            "  alice:\n    address: alice@{DOMAIN}\n    smtp: {{ host: localhost, port: {}, tls: none, user: user, password: file:password }}\n",
            server.port
        );
        Self::new(&mailbox, "alice").await
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// One contact, of a company of its own.
    async fn contact(&self, n: usize, email: &str) {
        self.db
            .execute(&format!(
                "with company as (
                     insert into companies (id, company_name, segment)
                     values (uuid_in(lpad(to_hex({n}), 32, '0')::cstring), 'Company {n}', 'Fintech') returning id)
                 insert into employees (id, company_id, full_name, first_name, work_email)
                 select id, id, 'Person {n}', 'P{n}', '{email}' from company"
            ))
            .await;
    }

    fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.path(), &[("DATABASE_URL", self.db.url())], arguments)
    }

    async fn run(&self, arguments: &[&str]) -> Finished {
        self.start(arguments).finish().await
    }

    async fn apply(&self) -> Finished {
        let applied = self.run(&["apply", "--yes"]).await;
        assert!([0, 3, 75].contains(&applied.code), "{applied:?}");
        applied
    }

    /// The next mail of everybody is due.
    async fn time_passes(&self) {
        self.db
            .execute("update outreach.enrollments set next_at = now() - interval '1 minute' where next_at is not null")
            .await;
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(self.db.pool()).await.unwrap()
    }

    async fn in_doubt(&self) -> Vec<String> {
        let status = self.run(&["status", "--format", "json"]).await.json();
        status["in_doubt"]
            .as_array()
            .unwrap()
            .iter()
            .map(|push| push["key"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn header(mail: &str, name: &str) -> String {
    let mail = mail.replace("\r\n", "\n");
    let head = mail.split("\n\n").next().unwrap().replace("\n ", " ").replace("\n\t", " ");
    let found = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    found.unwrap_or_else(|| panic!("no {name} in {mail}")).to_owned()
}

fn real(servers: &MailServers, project: &Outbound) {
    let ca = std::fs::read_to_string(&servers.certificates.ca).unwrap();
    project.write("certs/ca.pem", &ca);
    for account in ["alice", "bob"] {
        project.write(account, MailServers::password(account));
    }
}

fn real_mailboxes(servers: &MailServers) -> String {
    format!(
        "  alice:\n    address: alice@{DOMAIN}\n    name: Алиса\n    smtp: {{ host: localhost, port: {}, tls: implicit, user: alice, password: file:alice, ca: certs/ca.pem }}\n  \
         bob:\n    address: bob@{DOMAIN}\n    smtp: {{ host: localhost, port: {}, tls: starttls, user: bob, password: file:bob, ca: certs/ca.pem }}\n",
        servers.smtps, servers.smtp
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_goes_out_in_its_thread_from_one_mailbox() {
    let Some(servers) = MailServers::start() else { return };
    let project = Outbound::new(&real_mailboxes(&servers), "alice, bob").await;
    real(&servers, &project);
    for n in 1..=4 {
        project.contact(n, &format!("p{n}@c{n}.example")).await;
    }
    project.contact(5, "gone@c5.example").await;
    project.apply().await;
    let first = servers.arrived("people", 4).await;
    // Refused at RCPT: the address is dead, and everybody knows it.
    let known = "select n.status || ' ' || e.reply_bounce from employees e
                 join outreach.enrollments n on n.employee_id = e.id where work_email like 'gone%'";
    assert_eq!(project.texts(known).await, ["bounced true"]);
    assert_eq!(
        project.texts("select target || reason from outreach.suppressions").await,
        ["gone@c5.examplebounced"]
    );
    let mut senders: BTreeMap<String, (String, String)> = BTreeMap::new();
    for mail in &first {
        assert!(header(mail, "Return-Path").starts_with("<bounce+b-"), "{mail}");
        let from = header(mail, "From");
        senders.insert(header(mail, "X-Original-To"), (from, header(mail, "Message-ID")));
    }
    let from: std::collections::BTreeSet<&str> = senders.values().map(|(from, _)| from.as_str()).collect();
    assert_eq!(from.len(), 2, "both mailboxes write: {from:?}");
    assert_eq!(servers.arrived("people", 4).await.len(), 4);
    project.run(&["plan", "--detailed-exitcode"]).await.ended(0);
    for step in 2..=3 {
        project.time_passes().await;
        project.apply().await;
        let all = servers.arrived("people", 4 * step).await;
        assert_eq!(all.len(), 4 * step);
    }
    for mail in servers.mails("people", "INBOX") {
        let to = header(&mail, "X-Original-To");
        let (from, first) = &senders[&to];
        assert_eq!(header(&mail, "From"), *from, "{to} hears from one mailbox");
        if !mail.contains("\nIn-Reply-To: ") {
            continue;
        }
        assert!(header(&mail, "References").starts_with(first.as_str()), "{mail}");
        let read = mail_parser::MessageParser::new().parse(&mail).unwrap();
        assert!(read.subject().unwrap().starts_with("Re: Вопрос к Company"), "{mail}");
    }
    let answers =
        servers.mails("people", "INBOX").iter().filter(|mail| mail.contains("\nIn-Reply-To: ")).count();
    assert_eq!(answers, 8);
    assert_eq!(
        project.texts("select distinct status from outreach.enrollments order by 1").await,
        ["bounced", "finished"]
    );
    project.time_passes().await;
    project.apply().await;
    assert_eq!(servers.mails("people", "INBOX").len(), 12, "there is no fourth");
    project.run(&["audit"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_click_unsubscribes_and_a_look_does_not() {
    let office = PostOffice::start(MailTls::None).await;
    let project = Outbound::through(&office).await;
    for n in 1..=2 {
        project.contact(n, &format!("p{n}@c{n}.example")).await;
    }
    project.apply().await;
    let taken = office.taken();
    assert_eq!(taken.len(), 2);
    let mail = taken.iter().find(|mail| mail.to.contains("p1@")).unwrap();
    let link = mail.header("List-Unsubscribe").unwrap();
    let path = link.split(DOMAIN).nth(1).unwrap().split('>').next().unwrap().to_owned();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // The daemon must send nobody anything while it answers.
    project.run(&["pause", "first", "--reason", "test"]).await.ended(0);
    let daemon = project.start(&["run", "--listen", &format!("127.0.0.1:{port}")]);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let deadline = Instant::now() + Duration::from_mins(1);
    while client.get(url("/healthz")).send().await.is_err() {
        assert!(Instant::now() < deadline, "the daemon does not listen");
        sleep(Duration::from_millis(50)).await;
    }
    let stopped = "select work_email from employees where reply_unsubscribe";
    let asked = client.get(url(&path)).send().await.unwrap();
    assert_eq!(asked.status(), 200);
    assert_eq!(asked.headers()["cache-control"], "no-store");
    let text = asked.text().await.unwrap();
    assert!(text.contains("<form method=\"post\">") && !text.contains("p1@"), "{text}");
    assert!(project.texts(stopped).await.is_empty(), "a look does nothing");
    for forged in ["/u/x", &path[..path.len() - 1], &format!("{}a", &path[..path.len() - 1])] {
        for answer in [client.get(url(forged)), client.post(url(forged))] {
            assert_eq!(answer.send().await.unwrap().status(), 404, "{forged}");
        }
    }
    // A token of a return path is none of a link.
    let token = mail.header("X-Outreachd-Token").unwrap();
    assert_eq!(client.post(url(&format!("/u/{token}"))).send().await.unwrap().status(), 404);
    let huge = client.post(url(&path)).body("x".repeat(100_000)).send().await.unwrap();
    assert_eq!(huge.status(), 413);
    assert!(project.texts(stopped).await.is_empty());
    // Behind a proxy all share one address: what others ask too often refuses nobody's stop.
    let mut refused = false;
    for _ in 0..400 {
        let forged = client.post(url("/u/x")).send().await.unwrap().status();
        assert!([404, 429].contains(&forged.as_u16()), "{forged}");
        refused = forged == 429;
        if refused {
            break;
        }
    }
    assert!(refused, "forged links are counted");
    let mut said = Vec::new();
    for _ in 0..2 {
        let post = client
            .post(url(&path))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept-language", "ru-RU,ru;q=0.9")
            .body("List-Unsubscribe=One-Click");
        let answer = post.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        said.push(answer.text().await.unwrap());
    }
    assert!(said[0] == said[1] && said[0].contains("больше не будем"), "{said:?}");
    daemon.terminate();
    daemon.finish().await.ended(0);
    assert_eq!(project.texts(stopped).await, ["p1@c1.example"]);
    assert_eq!(
        project.texts("select target || ' ' || reason || ' ' || source from outreach.suppressions").await,
        ["p1@c1.example unsubscribed link"]
    );
    assert_eq!(
        project.texts("select campaign_status from employees order by work_email").await,
        ["unsubscribed", "active"]
    );
    assert_eq!(
        project.texts("select id::text from outreach.events where kind = 'unsubscribe'").await.len(),
        1
    );
    project.run(&["resume", "first"]).await.ended(0);
    project.time_passes().await;
    let plan = project.run(&["plan", "--format", "json"]).await.json();
    assert_eq!(plan["campaigns"][0]["send"], 1, "{plan}");
    project.apply().await;
    let taken = office.taken();
    assert_eq!(taken.len(), 3);
    assert!(taken[2].to.contains("p2@"), "{}", taken[2].to);
    project.run(&["audit"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_the_mailboxes_cannot_send_today() {
    let office = PostOffice::start(MailTls::None).await;
    let project = Outbound::through(&office).await;
    let settings = std::fs::read_to_string(project.path().join("outreach.yaml")).unwrap();
    let limited = settings.replace("    smtp: {", "    per_day: 2\n    smtp: {");
    project.write("outreach.yaml", &limited);
    for n in 1..=5 {
        project.contact(n, &format!("p{n}@c{n}.example")).await;
    }
    let notes = async || {
        let plan = project.run(&["plan", "--format", "json"]).await.ended(0).json();
        assert_eq!(plan["campaigns"][0]["enroll"], 5 - office.taken().len());
        plan["campaigns"][0]["notes"].to_string()
    };
    assert!(notes().await.contains("the mailboxes send 2 more today; 3 of the mails wait"));
    project.apply().await;
    assert_eq!(office.taken().len(), 2);
    project.db.execute("update outreach.mailboxes set paused_until = now() + interval '1 hour'").await;
    let planned = project.run(&["plan"]).await.ended(0).stdout;
    assert!(planned.contains("nothing leaves from alice for now"), "{planned}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_its_way_is_in_no_doubt_and_a_resting_mailbox_can_be_resumed() {
    let office = PostOffice::start(MailTls::None).await;
    let project = Outbound::through(&office).await;
    project.contact(1, "p1@c1.example").await;
    project.apply().await;
    project
        .db
        .execute(
            "update outreach.pushes set state = 'claimed', settled_at = null;
             update outreach.leases set until = now() + interval '1 hour' where name = 'provider:mail';
             update outreach.mailboxes set paused_until = now() + interval '1 hour', paused_reason = 'greylisted'",
        )
        .await;
    let doubts = async || {
        let status = project.run(&["status", "--format", "json"]).await.json();
        let figure = status["campaigns"][0]["figures"]["in_doubt"].as_i64().unwrap();
        (figure, status["in_doubt"].as_array().unwrap().len())
    };
    assert_eq!(doubts().await, (0, 0), "its provider's lease is held");
    project.db.execute("update outreach.leases set until = now() where name = 'provider:mail'").await;
    assert_eq!(doubts().await, (1, 1));

    let hint = "greylisted (sooner: `outreachd resume --mailbox alice`)";
    let status = project.run(&["status"]).await.ended(0).stdout;
    assert!(status.contains(hint), "{status}");
    project.run(&["resume", "--mailbox", "nobody"]).await.ended(64);
    project.run(&["resume"]).await.ended(64);
    let resumed = project.run(&["resume", "--mailbox", "alice", "--reason", "mended"]).await.ended(0).stdout;
    assert!(resumed.contains("sends again"), "{resumed}");
    let again = project.run(&["resume", "--mailbox", "alice"]).await.ended(0).stdout;
    assert!(again.contains("was not paused"), "{again}");
    assert!(!project.run(&["status"]).await.stdout.contains("greylisted"));
    let told =
        "select concat_ws(' ', kind, subject, detail->>'reason', detail->>'paused_for') from outreach.events";
    assert_eq!(project.texts(told).await, ["resumed mailbox:alice mended greylisted"]);
}

/// Kills `apply` when the server has come to a step, and lets others put it right.
async fn dies_at(at: At, act: Act, arrives: bool) {
    let office = PostOffice::start(MailTls::None).await;
    let project = Outbound::through(&office).await;
    for n in 1..=3 {
        project.contact(n, &format!("p{n}@c{n}.example")).await;
    }
    office.script([(at, act)]);
    let process = project.start(&["apply", "--yes"]);
    let deadline = Instant::now() + Duration::from_mins(1);
    while office.waiting(at) {
        assert!(Instant::now() < deadline, "{at:?} was never reached");
        sleep(Duration::from_millis(5)).await;
    }
    process.kill().await;
    let settled = "select email from outreach.pushes where settled_at is null and state <> 'in_doubt'";
    for pass in 0.. {
        assert!(pass < 30, "{at:?}: {:?}", project.run(&["status"]).await);
        project.apply().await;
        if project.texts(settled).await.is_empty() {
            break;
        }
        project.db.execute("update outreach.pushes set not_before = null where not_before is not null").await;
        project.db.execute("update outreach.mailboxes set paused_until = null, next_send_at = null").await;
    }
    let times = |n: usize| office.taken().iter().filter(|mail| mail.to.contains(&format!("p{n}@"))).count();
    assert!((1..=3).all(|n| times(n) <= 1), "{at:?}: twice: {:?}", office.taken());
    let doubted = project.in_doubt().await;
    let arrived: usize = (1..=3).map(times).sum();
    assert_eq!(arrived, if arrives { 3 } else { 2 }, "{at:?}");
    // Nobody can know of the one: it waits for a person.
    assert_eq!(doubted.len(), 1, "{at:?}");
    let answer = if arrives { "--arrived" } else { "--not-arrived" };
    project.run(&["resolve", &doubted[0], answer]).await.ended(0);
    project.apply().await;
    assert_eq!((1..=3).map(times).collect::<Vec<_>>(), [1, 1, 1], "{at:?}");
    assert!(project.in_doubt().await.is_empty());
    let ids: Vec<_> = office.taken().iter().filter_map(|mail| mail.header("Message-ID")).collect();
    let known = project.texts("select '<' || message_id || '>' from outreach.mails").await;
    assert!(ids.iter().all(|id| known.contains(id)), "written down before it left: {ids:?} {known:?}");
    project.run(&["audit"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_before_the_end_of_a_mail_leaves_one_in_doubt() {
    dies_at(At::Recipient, Act::Silence, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_after_the_end_of_a_mail_never_sends_it_again() {
    dies_at(At::End, Act::Silence, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_word_is_held_and_a_tired_mailbox_rests_without_harm_to_anybody() {
    let office = PostOffice::start(MailTls::None).await;
    let project = Outbound::through(&office).await;
    for n in 1..=2 {
        project.contact(n, &format!("p{n}@c{n}.example")).await;
    }
    office.script([(At::End, Act::KeepAndDrop)]);
    project.apply().await;
    assert_eq!(office.taken().len(), 1, "a server that loses one word is given no more mails for a while");
    project.db.execute("update outreach.mailboxes set paused_until = null, next_send_at = null").await;
    project.db.execute("update outreach.pushes set not_before = null where settled_at is null").await;
    project.apply().await;
    assert_eq!(office.taken().len(), 2, "the one in doubt is not sent again");
    let doubted = project.in_doubt().await;
    assert_eq!(doubted.len(), 1);
    project.run(&["resolve", &doubted[0], "--arrived"]).await.ended(0);
    // A policy's no: the mailbox rests, the contacts stay as they are.
    project.time_passes().await;
    office.script([(At::End, Act::Say("550 5.7.1 your reputation is poor"))]);
    project.apply().await;
    assert_eq!(office.taken().len(), 2);
    let rests =
        "select name from outreach.mailboxes where paused_until > now() and paused_reason like '%5.7.1%'";
    assert_eq!(project.texts(rests).await, ["alice"]);
    // When the rest is over others go first: one domain's no must not keep everybody else waiting.
    let behind = "select p.answer from outreach.pushes p join outreach.mailboxes b on b.name = 'alice'
        where p.settled_at is null and p.answer like '%5.7.1%' and p.not_before > b.paused_until + interval '1 minute'";
    assert_eq!(project.texts(behind).await.len(), 1);
    project.apply().await;
    assert_eq!(office.taken().len(), 2, "nothing goes out meanwhile");
    assert_eq!(project.texts("select distinct campaign_status from employees").await, ["active"]);
    assert!(project.texts("select target from outreach.suppressions").await.is_empty());
    project.db.execute("update outreach.mailboxes set paused_until = null, next_send_at = null").await;
    project.db.execute("update outreach.pushes set not_before = null where settled_at is null").await;
    project.apply().await;
    assert_eq!(office.taken().len(), 4);
    project.run(&["audit"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_holds_while_a_mail_is_on_its_way() {
    let office = PostOffice::start(MailTls::None).await;
    let project = Outbound::through(&office).await;
    let settings = std::fs::read_to_string(project.path().join("outreach.yaml")).unwrap();
    // Nobody takes over meanwhile, however slow the machine is.
    let settings = settings.replace("timeout: 2s", "timeout: 60s").replace("lease: 1s", "lease: 60s");
    project.write("outreach.yaml", &settings);
    project.contact(1, "p1@c1.example").await;
    office.script([(At::Recipient, Act::Hold)]);
    let process = project.start(&["apply", "--yes"]);
    until("the conversation has come so far", || async { office.holds() }).await;
    let stop = "insert into outreach.suppressions (target, reason, source) values ('p1@c1.example', 'unsubscribed', 'test')";
    project.db.execute(stop).await;
    office.script([]);
    let applied = process.finish().await;
    assert!([0, 3, 75].contains(&applied.code), "{applied:?}");
    assert!(office.taken().is_empty(), "a mail after a stop");
    // Put off by one process's clock, it may not be due yet by the next one's.
    while !project.texts("select email from outreach.pushes where settled_at is null").await.is_empty() {
        project.apply().await;
    }
    assert!(office.taken().is_empty());
    project.run(&["audit"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_a_mail_twice_whatever_is_moved_about() {
    let office = PostOffice::start(MailTls::None).await;
    let project = Outbound::through(&office).await;
    project.contact(1, "p1@c1.example").await;
    project.apply().await;
    assert_eq!(office.taken().len(), 1);
    // A mail is put in front: those after it have other numbers now.
    let first = "sequence:\n";
    let inserted = CAMPAIGN.replace(first, &format!("{first}  - {{ subject: New, body: New }}\n"));
    let inserted = inserted.replace("- { subject: \"Вопрос", "- { wait: 1d, subject: \"Вопрос");
    project.write("campaigns/first.yaml", &inserted);
    project.time_passes().await;
    project.apply().await;
    assert_eq!(office.taken().len(), 1, "the mail with another number");
    let told = project.texts("select refused_reason from outreach.enrollments").await;
    assert!(told[0].contains("has gone out to this contact before"), "{told:?}");
    project.write("campaigns/first.yaml", CAMPAIGN);
    // The contact moves on, and a new row comes with the address that was written to.
    project.db.execute("update employees set work_email = 'p1@new.example'").await;
    project.contact(2, "p1@c1.example").await;
    project.apply().await;
    project.apply().await;
    assert_eq!(office.taken().len(), 1, "the address has had this mail");
    project.run(&["audit"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_goes_to_oneself_and_a_preview_nowhere() {
    let office = PostOffice::start(MailTls::None).await;
    let project = Outbound::through(&office).await;
    project.contact(1, "p1@c1.example").await;
    let previewed = project.run(&["preview", "first", "--out", "pages"]).await.ended(0);
    assert!(previewed.stdout.trim().ends_with("pages/index.html"), "{previewed:?}");
    let page = |name: &str| std::fs::read_to_string(project.path().join("pages").join(name)).unwrap();
    assert!(page("index.html").contains("3d after the one before"), "{}", page("index.html"));
    assert!(page("1.html").contains("Вопрос к Company 1") && page("1.html").contains("List-Unsubscribe"));
    assert!(page("1.html").contains("srcdoc=\"&lt;p&gt;Hello &lt;b&gt;P1"), "{}", page("1.html"));
    assert!(page("2.html").contains("Re: Вопрос") && page("2.html").contains("Once more, P1"));
    assert!(office.taken().is_empty());
    for (to, code) in [("p1@c1.example", 64), ("nonsense", 64)] {
        project.run(&["test", "first", "--to", to]).await.ended(code);
    }
    project.run(&["suppress", "add", "@never.example"]).await.ended(0);
    project.run(&["test", "first", "--to", "me@never.example"]).await.ended(3);
    assert!(office.taken().is_empty());
    project.run(&["test", "first", "--to", "Me@own.example", "--employee", "p1@c1.example"]).await.ended(0);
    let taken = office.taken();
    assert_eq!(taken.len(), 3);
    for mail in &taken {
        assert!(mail.to.contains("<me@own.example>") && !mail.mail.contains("p1@c1.example"), "{mail:?}");
        let read = mail_parser::MessageParser::new().parse(&mail.mail).unwrap();
        assert!(read.subject().unwrap().starts_with("[test] "), "{mail:?}");
    }
    for table in ["mails", "pushes", "enrollments", "events where kind <> 'suppress'"] {
        let rows = project.texts(&format!("select count(*)::text from outreach.{table}")).await;
        assert_eq!(rows, ["0"], "{table}");
    }
    // A contact with a hole: the page says so.
    project.db.execute("update employees set first_name = null").await;
    project.run(&["preview", "first", "--employee", "p1@c1.example", "--out", "pages"]).await.ended(3);
    assert!(page("1.html").contains("Cannot be made"), "{}", page("1.html"));
}
