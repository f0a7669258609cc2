//! The daemon from outside: the real binary, a real database, a receiver with a memory.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::support::bouncer::Bouncer;
use crate::support::process::{Finished, Running};
use crate::support::project::{Kind, Project, until};
use crate::support::receiver::Behaviour;

/// A daemon that looks often.
async fn started(kind: Kind, contacts: usize) -> (Project, Running) {
    let project = Project::new(kind, contacts).await;
    brisk(&project, "");
    let daemon = project.start(&["run"]);
    enrolls(&project, contacts).await;
    (project, daemon)
}

fn brisk(project: &Project, more: &str) {
    project.declare("2s", "2s");
    let text = project.read("outreach.yaml");
    project
        .write("outreach.yaml", &format!("{text}daemon: {{ look_every: 1s, poll_files_every: 1s }}\n{more}"));
}

async fn enrolls(project: &Project, contacts: usize) {
    let what = format!("{contacts} enrolled");
    until(&what, || async {
        project.count("outreach.enrollments where live").await == contacts as i64
            && project.count("outreach.pushes where settled_at is null").await == 0
    })
    .await;
}

/// Waits until a whole look was made from what is there now, and says that nothing is left to do.
async fn is_quiet(project: &Project) {
    until("quiet", || async { project.run(&["plan", "--detailed-exitcode"]).await.code == 0 }).await;
}

async fn stopped(daemon: Running) -> Finished {
    daemon.terminate();
    daemon.finish().await
}

async fn status(project: &Project) -> Value {
    project.run(&["status", "--format", "json"]).await.ended(0).json()
}

async fn condition(project: &Project, kind: &str) -> Value {
    let status = status(project).await;
    let conditions = status["campaigns"][0]["conditions"].as_array().unwrap().clone();
    conditions.into_iter().find(|condition| condition["kind"] == kind).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_followed_and_a_bad_file_stops_nothing() {
    let (project, daemon) = started(Kind::Deduping, 3).await;
    // Rows.
    project.add_contacts(10, 2).await;
    enrolls(&project, 5).await;
    project.run(&["suppress", "add", "p1@c1.example"]).await.ended(0);
    enrolls(&project, 4).await;
    // Files.
    project.campaign("fields: { who: employee.first_name }\n");
    let text =
        project.read("campaigns/first.yaml").replace("fields: { first_name: employee.first_name }\n", "");
    let text = text.replace("{{ first_name }}", "{{ who }}");
    project.write("campaigns/first.yaml", &text);
    until("the update", || async {
        project.taken().iter().filter(|item| item.action == "update").count() == 4
    })
    .await;
    // A bad file: what runs goes on, and everybody is told.
    project.write("campaigns/first.yaml", &format!("{text}priorty: 3\n"));
    until("the diagnostics", || async {
        let status = project.run(&["status"]).await.ended(65);
        status.stdout.contains("there is no key `priorty`") && status.stderr.contains("priorty")
    })
    .await;
    project.add_contacts(20, 1).await;
    enrolls(&project, 5).await;
    project.write("campaigns/first.yaml", &text);
    until("all well", || async {
        status(&project).await["daemons"][0]["diagnostics"] == Value::Array(vec![])
    })
    .await;
    is_quiet(&project).await;
    let ended = stopped(daemon).await.ended(0);
    assert!(ended.stderr.contains("unknown-key") || ended.stderr.contains("priorty"), "{}", ended.stderr);
    assert_eq!(status(&project).await["daemons"], Value::Array(vec![]), "it took itself off the list");
    project.agrees_exactly().await;
    let history = project.run(&["history", "--format", "json"]).await.ended(0).json();
    assert!(history.to_string().contains("\"files\""), "{history}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_campaign_takes_nobody_in_and_lets_stops_out() {
    let (project, daemon) = started(Kind::LookedUp, 2).await;
    project.run(&["pause", "first", "--reason", "texts are being reviewed"]).await.ended(0);
    project.add_contacts(10, 1).await;
    project.run(&["suppress", "add", "p2@c2.example"]).await.ended(0);
    enrolls(&project, 1).await;
    until("the condition", || async { condition(&project, "paused").await["holds"] == true }).await;
    assert!(condition(&project, "paused").await["message"].as_str().unwrap().contains("reviewed"));
    let text = project.run(&["status"]).await.ended(0).stdout;
    assert!(text.contains("paused first: ByHand"), "{text}");
    // `apply` is held back as well.
    project.run(&["apply", "--yes"]).await.ended(0);
    assert_eq!(project.count("outreach.enrollments where live").await, 1);
    project.run(&["resume", "first"]).await.ended(0);
    enrolls(&project, 2).await;
    until("the condition", || async { condition(&project, "paused").await["holds"] == false }).await;
    // One that ends by itself.
    project.run(&["pause", "1", "--reason", "a moment", "--until", "2s"]).await.ended(0);
    project.add_contacts(20, 1).await;
    enrolls(&project, 3).await;
    project.run(&["pause", "first", "--reason", "x", "--until", "2020-01-01"]).await.ended(64);
    stopped(daemon).await.ended(0);
    assert_eq!(project.count("outreach.events where kind in ('paused', 'resumed')").await, 3);
    project.agrees_exactly().await;
}

/// A provider that puts everything off, more slowly than the pauses are long: the pass ends, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_pass_ends_though_everything_is_put_off() {
    let project = Project::new(Kind::Deduping, 12).await;
    brisk(&project, "");
    project.receiver.always(Behaviour::Hang { keep: false });
    let daemon = project.start(&["run"]);
    until("it is said", || async { condition(&project, "degraded").await["reason"] == "PutOff" }).await;
    let finished = "outreach.reconciles where outcome = 'partial' and finished_at is not null";
    assert!(project.count(finished).await > 0);
    stopped(daemon).await.ended(0);
}

/// A pass may take hours where a provider is slow: it does not go by files that say something else by now.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_files_holds_within_a_pass() {
    let project = Project::new(Kind::LookedUp, 6).await;
    project.declare("10s", "60s");
    let text = project.read("outreach.yaml");
    project.write("outreach.yaml", &format!("{text}daemon: {{ look_every: 1s, poll_files_every: 1s }}\n"));
    project.receiver.script([Behaviour::Slow(Duration::from_secs(8))]);
    let daemon = project.start(&["run"]);
    project.receiver.requests(1).await;
    let before = project.read("campaigns/first.yaml");
    project.campaign("state: paused\n");
    until("it is known to be paused", || async { condition(&project, "paused").await["holds"] == true })
        .await;
    assert_eq!(project.enrolled().len(), 2, "the call that was under way, and no other");
    assert_eq!(project.count("outreach.reconciles where outcome = 'failed'").await, 0);
    project.write("campaigns/first.yaml", &before);
    enrolls(&project, 6).await;
    stopped(daemon).await.ended(0);
    project.agrees(6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_and_a_window_say_when_people_are_taken_in() {
    let project = Project::new(Kind::Deduping, 2).await;
    brisk(&project, "");
    project.campaign("schedule: { cron: \"0 9 1 1 *\" }\n");
    let daemon = project.start(&["run"]);
    let looked = || async { project.count("outreach.campaigns where seen_at is not null").await == 1 };
    until("the first look", looked).await;
    assert_eq!(project.count("outreach.enrollments").await, 0, "no tick since it was declared");
    let ticks = status(&project).await["campaigns"][0]["next_ticks"].as_array().unwrap().len();
    assert_eq!(ticks, 3);
    // As if the last tick had been served two years ago: made up by one.
    project
        .db
        .execute("update outreach.campaigns set served_tick = now() - interval '2 years', seen_at = null")
        .await;
    enrolls(&project, 2).await;
    is_served(&project).await;
    project.add_contacts(10, 1).await;
    project.db.execute("update employees set reply_bounce = true where first_name = 'P1'").await;
    enrolls(&project, 1).await;
    assert_eq!(project.enrolled().len(), 2, "between ticks only stops go out");
    // Left out by policy.
    project.campaign("schedule: { cron: \"0 9 1 1 *\", catch_up: skip }\n");
    project
        .db
        .execute("update outreach.campaigns set served_tick = now() - interval '2 years', seen_at = null")
        .await;
    until("a look", looked).await;
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(project.enrolled().len(), 2);
    // A window that is closed today, and then none.
    project.campaign(&format!(
        "window: {{ from: \"00:00\", to: \"23:59\", except: [{}, {}] }}\n",
        chrono_day(0),
        chrono_day(1)
    ));
    until("a look under the window", || async {
        let history = project.run(&["history", "--format", "json"]).await.ended(0).json();
        history[0]["manifest_digest"] == status(&project).await["daemons"][0]["manifest_digest"]
            && history[0]["outcome"] == "done"
    })
    .await;
    assert_eq!(project.enrolled().len(), 2, "the window is closed");
    project.campaign("");
    enrolls(&project, 2).await;
    stopped(daemon).await.ended(0);
    project.agrees_exactly().await;
}

async fn is_served(project: &Project) {
    until("the tick is served", || async {
        project.count("outreach.campaigns where served_tick > now() - interval '1 year'").await == 1
    })
    .await;
}

fn chrono_day(ahead: i64) -> String {
    (chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()) + chrono::TimeDelta::days(ahead))
        .format("%Y-%m-%d")
        .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_softly_and_when_asked_twice_at_once() {
    // What is in flight is finished and recorded.
    let project = Project::new(Kind::LookedUp, 4).await;
    brisk(&project, "");
    project.receiver.script([Behaviour::Slow(Duration::from_millis(800))]);
    let daemon = project.start(&["run"]);
    project.receiver.requests(1).await;
    let ended = stopped(daemon).await.ended(0);
    assert!(ended.stderr.contains("stopping"), "{}", ended.stderr);
    assert_eq!(project.count("outreach.pushes where state in ('claimed', 'in_doubt')").await, 0);
    assert_eq!(project.count("outreach.enrollments where live").await, 2, "one batch, and not the next");
    // Asked twice: given up; what was in flight is looked up later.
    project.receiver.script([Behaviour::Hang { keep: true }]);
    let daemon = project.start(&["run"]);
    project.receiver.requests(2).await;
    daemon.terminate();
    sleep(Duration::from_millis(300)).await;
    stopped(daemon).await.ended(130);
    project.quiet().await;
    project.agrees(4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_whether_it_is_alive_and_ready() {
    let project = Project::new(Kind::File, 1).await;
    brisk(&project, "");
    let mut bouncer = Bouncer::start(&project.db);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let daemon = project.start_on(bouncer.url(), &["run", "--listen", &address]);
    // Also tried by other tests of this process; one of them succeeds.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
    let asked = async |path: &str| {
        let answer = client.get(format!("http://{address}/{path}")).send().await;
        answer.map_or(0, |answer| answer.status().as_u16())
    };
    until("ready", || async { asked("readyz").await == 200 }).await;
    assert_eq!(asked("healthz").await, 200);
    assert_eq!(asked("anything").await, 404);
    if bouncer.is_there() {
        bouncer.down();
        until("not ready", || async { asked("readyz").await == 503 }).await;
        assert_eq!(asked("healthz").await, 200, "alive without a database");
        bouncer.up();
        until("ready again", || async { asked("readyz").await == 200 }).await;
    }
    enrolls(&project, 1).await;
    stopped(daemon).await.ended(0);
}

/// The private database of a project without a URL: the daemon starts it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_private_database_that_crashes_is_started_again() {
    let project = Project::new(Kind::File, 0).await;
    brisk(&project, "");
    let start = |arguments: &[&str]| Running::start(project.path(), &[], arguments);
    let import = async |n: u32| {
        project.write("companies.csv", "company_name,tin,segment\nAcme,7701000001,Fintech\n");
        project.write(
            "employees.csv",
            &format!("company_tin,first_name,work_email\n7701000001,P{n},p{n}@acme.example\n"),
        );
        start(&["import", "companies", "companies.csv"]).finish().await.ended(0);
        start(&["import", "employees", "employees.csv"]).finish().await.ended(0);
    };
    let daemon = start(&["run"]);
    until("the server", || async { !project.read(".outreachd/pg/data/postmaster.pid").is_empty() }).await;
    import(1).await;
    until("the first contact", || async { project.taken().len() == 1 }).await;
    let pid = project.read(".outreachd/pg/data/postmaster.pid");
    let pid = rustix::process::Pid::from_raw(pid.lines().next().unwrap().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::QUIT).unwrap();
    until("the next server", || async {
        let file = project.read(".outreachd/pg/data/postmaster.pid");
        file.lines().next().is_some_and(|line| line != pid.as_raw_nonzero().to_string())
            && file.contains("ready")
    })
    .await;
    import(2).await;
    until("the second contact", || async { project.taken().len() == 2 }).await;
    stopped(daemon).await.ended(0);
    assert!(project.enrolled().values().all(|times| *times == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_round_does_what_a_daemon_would_do_now() {
    let project = Project::new(Kind::Deduping, 2).await;
    let round = project.run(&["run", "--once", "--format", "json"]).await.ended(0).json();
    assert_eq!(round["campaigns"][0]["accepted"], 2);
    let round = project.run(&["run", "--once"]).await.ended(0);
    assert!(
        round.stdout.contains("= 2 keep") || round.stdout.contains("Nothing to do now"),
        "{}",
        round.stdout
    );
    project.campaign("schedule: { cron: \"0 9 1 1 *\" }\n");
    project.add_contacts(10, 1).await;
    project.run(&["run", "--once"]).await.ended(0);
    assert_eq!(project.enrolled().len(), 2);
    project.write("campaigns/first.yaml", "campaign: x\n");
    project.run(&["run", "--once"]).await.ended(65);
    project.run(&["run"]).await.ended(65);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_restart_applies_is_said() {
    let (project, daemon) = started(Kind::File, 1).await;
    let text = project.read("outreach.yaml");
    project.write("outreach.yaml", &format!("{text}http: {{ listen: \"127.0.0.1:1\" }}\n"));
    until("the word", || async {
        let status = project.run(&["status"]).await.ended(0).stdout;
        status.contains("restart it to apply http.listen")
    })
    .await;
    stopped(daemon).await.ended(0);
}

/// Three daemons behind a pooler in transaction mode: no double work; one that dies is replaced, and one that
/// slept settles nothing.
#[tokio::test(flavor = "multi_thread")]
async fn three_replicas_share_the_work_and_replace_each_other() {
    let project = Project::new(Kind::LookedUp, 12).await;
    brisk(&project, "");
    let bouncer = Bouncer::start(&project.db);
    let start = || project.start_on(bouncer.url(), &["run"]);
    let mut daemons = vec![start(), start(), start()];
    enrolls(&project, 12).await;
    assert!(project.enrolled().values().all(|times| *times == 1));
    until("three daemons", || async { status(&project).await["daemons"].as_array().unwrap().len() == 3 })
        .await;

    // Whoever has the batch dies with it.
    project.receiver.script([Behaviour::Hang { keep: true }]);
    let before = project.receiver.batches().len();
    project.add_contacts(100, 4).await;
    project.receiver.requests(before + 1).await;
    let holder: String = sqlx::query_scalar("select holder from outreach.leases where name = 'campaign:1'")
        .fetch_one(project.db.pool())
        .await
        .unwrap();
    let pid: i32 = sqlx::query_scalar("select pid from outreach.daemons where id::text = $1")
        .bind(&holder)
        .fetch_one(project.db.pool())
        .await
        .unwrap();
    let index = daemons.iter().position(|daemon| daemon.pid() == pid).unwrap();
    daemons.remove(index).kill().await;
    enrolls(&project, 16).await;

    // Another one sleeps with an answer to come.
    project.receiver.script([Behaviour::Slow(Duration::from_millis(500))]);
    let before = project.receiver.batches().len();
    project.add_contacts(200, 4).await;
    project.receiver.requests(before + 1).await;
    for daemon in &daemons {
        daemon.freeze();
    }
    daemons.push(start());
    enrolls(&project, 20).await;
    for daemon in &daemons[..2] {
        daemon.thaw();
    }
    is_quiet(&project).await;
    for daemon in daemons {
        stopped(daemon).await.ended(0);
    }
    project.quiet().await;
    project.agrees(20).await;
}

/// One call a minute, whoever makes it; a stop does not wait for the minute to end.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_called_no_more_often_than_it_allows() {
    let project = Project::new(Kind::Deduping, 6).await;
    brisk(&project, "");
    let text = project.read("outreach.yaml");
    project.write("outreach.yaml", &text.replace("batch: 2 }", "batch: 2, per_minute: 1 }"));
    let second =
        project.read("campaigns/first.yaml").replace("first", "second").replace("number: 1", "number: 2");
    project.write("campaigns/second.yaml", &second.replace("second_name", "first_name"));
    let daemons = [project.start(&["run"]), project.start(&["run"])];
    project.receiver.requests(1).await;
    until("the second call waits", || async {
        project.count("outreach.rates where next_at > now() + interval '70 seconds'").await == 1
    })
    .await;
    for daemon in daemons {
        stopped(daemon).await.ended(0);
    }
    assert_eq!(project.receiver.batches(), [2]);
    assert_eq!(
        project.count("outreach.pushes where state = 'claimed'").await,
        0,
        "nothing was claimed to wait"
    );
}

/// A daemon that is killed is replaced within fifteen seconds at the default lease.
#[tokio::test(flavor = "multi_thread")]
async fn a_take_over_waits_for_the_lease_and_no_longer() {
    let project = Project::new(Kind::LookedUp, 2).await;
    project.declare("10s", "30s");
    project.receiver.script([Behaviour::Hang { keep: false }]);
    let (first, second) = (project.start(&["run"]), project.start(&["run"]));
    project.receiver.requests(1).await;
    let killed = Instant::now();
    let holder: i32 = sqlx::query_scalar(
        "select d.pid from outreach.daemons d join outreach.leases l on l.holder = d.id::text
         where l.name = 'campaign:1'",
    )
    .fetch_one(project.db.pool())
    .await
    .unwrap();
    let (dies, lives) = if first.pid() == holder { (first, second) } else { (second, first) };
    dies.kill().await;
    enrolls(&project, 2).await;
    println!("taken over after {:.1} s", killed.elapsed().as_secs_f64());
    stopped(lives).await.ended(0);
    project.agrees(2).await;
}
