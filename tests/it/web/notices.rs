//! Who is told of conditions, once each over all daemons.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::process::Running;
use crate::support::project::{Kind, Project, until};

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
