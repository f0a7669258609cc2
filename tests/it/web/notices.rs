//! Who is told of conditions, once each over all daemons.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use outreachd::model::MailTls;

use crate::support::process::Running;
use crate::support::project::{Kind, Project, until};
use crate::support::smtp::{Act, At, PASSWORD, PostOffice};

/// A place that takes notices, as Slack does; the first answers are as scripted.
struct Place {
    url: String,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Place {
    fn start(mut answers: Vec<u16>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/secret-path", listener.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let keeps = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
                let mut text = Vec::new();
                let mut part = [0; 4096];
                while let Ok(n) = stream.read(&mut part) {
                    text.extend(&part[..n]);
                    if n == 0 || text.ends_with(b"}") {
                        break;
                    }
                }
                let answer = if answers.is_empty() { 200 } else { answers.remove(0) };
                let body =
                    String::from_utf8(text).unwrap().split("\r\n\r\n").nth(1).unwrap_or_default().to_owned();
                if answer == 200 {
                    keeps.lock().unwrap().push(body);
                }
                let _ =
                    write!(stream, "HTTP/1.1 {answer} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        });
        Self { url, taken }
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_is_told_of_once_and_so_is_its_end() {
    let project = Project::new(Kind::File, 3).await;
    let place = Place::start(vec![500]);
    project.declare("2s", "2s");
    let text = project.read("outreach.yaml");
    project.write(
        "outreach.yaml",
        &format!("{text}daemon: {{ look_every: 1s }}\nnotify: [{{ slack: \"${{SLACK}}\", after: 0s }}]\n"),
    );
    let file = project.read("campaigns/first.yaml");
    project.write("campaigns/first.yaml", &file.replace("max_enroll: 1000", "max_enroll: 2"));
    let start = || {
        let environment = [("DATABASE_URL", project.db.url()), ("SLACK", place.url.clone())];
        Running::start(project.path(), &environment, &["run"])
    };
    let daemons = [start(), start()];
    until("told", || async { !place.taken().is_empty() }).await;
    assert!(place.taken()[0].contains("first #1 is blocked (MaxEnroll)"), "{:?}", place.taken());
    project.write("campaigns/first.yaml", &file);
    until("told of its end", || async { place.taken().len() > 1 }).await;
    assert!(place.taken()[1].contains("first #1 is no longer blocked"), "{:?}", place.taken());
    // A look more of each daemon says nothing new.
    let before = project.count("outreach.notices").await;
    for daemon in daemons {
        daemon.terminate();
        let log = daemon.finish().await.ended(0).stderr;
        assert!(!log.contains("secret-path"), "{log}");
    }
    assert_eq!((place.taken().len(), project.count("outreach.notices").await), (2, before));
    assert_eq!(project.count("outreach.notices where state <> 'sent'").await, 0);
}

/// A project with one campaign that the guard can hold back, told of to the places given.
async fn told_at(notify: &str, office: &PostOffice) -> (Project, String) {
    let project = Project::new(Kind::File, 3).await;
    project.declare("2s", "2s");
    let server = office.server();
    project.write("password", PASSWORD);
    project.write("ca.pem", &std::fs::read_to_string(server.ca.unwrap()).unwrap());
    let smtp = format!(
        "{{ host: localhost, port: {}, tls: implicit, user: user, password: file:password, ca: ca.pem }}",
        server.port
    );
    let text = project.read("outreach.yaml");
    project.write(
        "outreach.yaml",
        &format!(
            "{text}daemon: {{ look_every: 1s }}
mailboxes:
  alice: {{ address: alice@test.local, name: Alice, smtp: {smtp}, per_day: 1, gap: 1h }}
notify: [{notify}]
"
        ),
    );
    let file = project.read("campaigns/first.yaml");
    project.write("campaigns/first.yaml", &file.replace("max_enroll: 1000", "max_enroll: 2"));
    (project, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_tells_once_whatever_becomes_of_its_answer() {
    let office = PostOffice::start(MailTls::Implicit).await;
    let to = "{ mail: { to: [ops@test.local, boss@test.local], from: alice }, after: 0s }";
    let (project, file) = told_at(to, &office).await;
    // One place is refused at first; the other is told all the same.
    office.script([(At::Recipient, Act::Say("451 4.2.1 later"))]);
    let environment = [("DATABASE_URL", project.db.url())];
    let daemons = [0, 1].map(|_| Running::start(project.path(), &environment, &["run"]));
    until("both told", || async { office.taken().len() == 2 }).await;
    // Of its end nobody answers: what may have arrived is not said again.
    office.script([(At::End, Act::KeepAndDrop), (At::End, Act::KeepAndDrop)]);
    project.write("campaigns/first.yaml", &file);
    until("told of its end", || async { office.taken().len() > 3 }).await;
    // Each daemon has looked again since, at least once.
    until("looked again", || async {
        let later =
            "outreach.daemons d where d.seen_at > (select max(at) from outreach.notices) + interval '12 s'";
        project.count(later).await == 2
    })
    .await;
    let mut log = String::new();
    for daemon in daemons {
        daemon.terminate();
        log += &daemon.finish().await.ended(0).stderr;
    }
    assert!(!log.contains("ops@") && !log.contains("boss@") && log.contains("is not sent again"), "{log}");
    assert_eq!((office.taken().len(), project.count("outreach.notices").await), (4, 4));
    assert_eq!(project.count("outreach.notices where state <> 'sent'").await, 0);

    let mut told: Vec<String> = office
        .taken()
        .iter()
        .map(|taken| format!("{} | {}", taken.header("To").unwrap(), taken.header("Subject").unwrap()))
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "boss@test.local | outreachd: first #1 is blocked (MaxEnroll)",
            "boss@test.local | outreachd: first #1 is no longer blocked",
            "ops@test.local | outreachd: first #1 is blocked (MaxEnroll)",
            "ops@test.local | outreachd: first #1 is no longer blocked",
        ]
    );
    let ids: std::collections::BTreeSet<String> =
        office.taken().iter().map(|taken| taken.header("Message-ID").unwrap()).collect();
    assert!(ids.len() == 4 && ids.iter().all(|id| id.ends_with("@test.local>")), "{ids:?}");
    for taken in office.taken() {
        assert_eq!(taken.header("Auto-Submitted").as_deref(), Some("auto-generated"));
        assert!(taken.encrypted && taken.from.starts_with("MAIL FROM:<alice@test.local>"), "{taken:?}");
        assert_eq!(taken.header("X-Outreachd-Token"), None);
    }
    // It is no outreach: nothing is counted, and the limit of one a day held nobody back.
    assert_eq!(project.count("outreach.mails").await, 0);
    assert_eq!(project.count("outreach.suppressions").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_is_away_keeps_neither_a_pass_nor_a_stop_waiting() {
    let office = PostOffice::start(MailTls::Implicit).await;
    let (project, file) =
        told_at("{ mail: { to: [ops@test.local], from: alice }, after: 0s }", &office).await;
    // It takes the connection and says nothing.
    office.script([(At::Connect, Act::Silence)]);
    let environment = [("DATABASE_URL", project.db.url())];
    let daemon = Running::start(project.path(), &environment, &["run"]);
    until("being told", || async { office.connections() > 0 }).await;
    project.write("campaigns/first.yaml", &file);
    until("enrolled meanwhile", || async { project.count("outreach.enrollments where live").await == 3 })
        .await;
    assert_eq!(project.count("outreach.notices where state = 'claimed'").await, 1);
    daemon.terminate();
    daemon.finish().await.ended(0);
    // It surely did not arrive, so that the next daemon may say it.
    assert_eq!(project.count("outreach.notices where state = 'failed'").await, 1);
}
