//! The real binary, killed at every point between record and settle: never twice, never lost.
//!
//! The product has no hook for this. A test holds a lock in the database, or the receiver keeps silent; the
//! process runs up to there, is killed, and the next ones must put everything right.

use futures_util::future::join_all;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::process::Running;
use crate::support::project::{BATCH, Kind, Project, until};
use crate::support::receiver::{Behaviour, SECRET};

const CONTACTS: usize = 5;

/// Where a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    /// Its pushes are written and not committed.
    Recording,
    Recorded,
    /// Its claim is not committed.
    Claiming,
    /// Claimed, and the provider has heard nothing.
    Claimed,
    /// The provider has it; no answer yet.
    Arrived,
    /// The provider lost it; no answer yet.
    Lost,
    /// Answered, and not settled.
    Answered,
    /// The first batch is settled, the second claimed.
    BetweenBatches,
    /// The outbox's last line is torn apart.
    TornLine,
}

const OF_WEBHOOKS: &[Point] = &[
    Point::Recording,
    Point::Recorded,
    Point::Claiming,
    Point::Claimed,
    Point::Arrived,
    Point::Lost,
    Point::Answered,
    Point::BetweenBatches,
];

const OF_FILES: &[Point] = &[
    Point::Recording,
    Point::Recorded,
    Point::Claiming,
    Point::Claimed,
    Point::Answered,
    Point::BetweenBatches,
    Point::TornLine,
];

const CLAIM: &str = "-- Claims the next due pushes";
const COMMIT: &str = "COMMIT";
const SETTLE: &str = "-- Settles what a provider answered";
const PROVIDER_LEASE: &str = "insert into outreach.leases values ('provider:out', 'test', 1, '-infinity')";
const FIRST_CONTACT: &str = "'00000000-0000-0000-0000-000000000001'";

/// Runs `apply` up to the point and kills it there.
async fn die(project: &Project, point: Point) {
    match point {
        Point::Recording => {
            let held = project
                .hold(&format!(
                    "insert into outreach.pushes (employee_id, campaign_number, ordinal, action, provider, email,
                         reason, fields, source_hash, reconcile_id, recorded_at)
                     values ({FIRST_CONTACT}, 1, 1, 'enroll', 'out', '', '', '{{}}', 1, gen_random_uuid(), now())"
                ))
                .await;
            let process = project.start(&["apply", "--yes"]);
            project.stalled("candidates as (").await;
            process.kill().await;
            drop(held);
        }
        Point::Recorded => {
            let held = project.hold(PROVIDER_LEASE).await;
            let process = project.start(&["apply", "--yes"]);
            project.stalled("insert into outreach.leases").await;
            process.kill().await;
            drop(held);
        }
        Point::Claiming => {
            let lease = project.hold(PROVIDER_LEASE).await;
            let process = project.start(&["apply", "--yes"]);
            project.stalled("insert into outreach.leases").await;
            let rows = project.hold("select from outreach.pushes for update").await;
            drop(lease);
            project.stalled(CLAIM).await;
            process.kill().await;
            drop(rows);
        }
        Point::Claimed | Point::BetweenBatches => {
            let lease = project.hold(PROVIDER_LEASE).await;
            let process = project.start(&["apply", "--yes"]);
            project.stalled("insert into outreach.leases").await;
            let gate = project.hold_claims(if point == Point::Claimed { 0 } else { BATCH }).await;
            drop(lease);
            project.stalled(COMMIT).await;
            process.kill().await;
            // The server goes on with the commit of a client that is gone.
            drop(gate);
            until("the claim of a dead process", || async {
                project.count("outreach.pushes where state = 'claimed'").await > 0
            })
            .await;
        }
        Point::Arrived | Point::Lost => {
            project.receiver.script([Behaviour::Hang { keep: point == Point::Arrived }]);
            let process = project.start(&["apply", "--yes"]);
            project.receiver.requests(1).await;
            process.kill().await;
        }
        Point::Answered | Point::TornLine => {
            let held =
                project.hold(&format!("select from employees where id = {FIRST_CONTACT} for update")).await;
            let process = project.start(&["apply", "--yes"]);
            project.stalled(SETTLE).await;
            process.kill().await;
            drop(held);
            if point == Point::TornLine {
                let whole = project.read("outbox/campaign-1.jsonl");
                project.write("outbox/campaign-1.jsonl", &whole[..whole.len() - 20]);
            }
        }
    }
}

async fn recovers(kind: Kind, point: Point) {
    let project = Project::new(kind, CONTACTS).await;
    die(&project, point).await;
    project.quiet().await;
    project.agrees(CONTACTS).await;
}

async fn recovers_at(kind: Kind, points: &[Point]) {
    join_all(points.iter().map(|point| recovers(kind, *point))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_file_gets_each_contact_once_wherever_the_process_dies() {
    recovers_at(Kind::File, OF_FILES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deduping_receiver_gets_each_contact_once_wherever_the_process_dies() {
    recovers_at(Kind::Deduping, OF_WEBHOOKS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_can_be_asked_gets_each_contact_once_wherever_the_process_dies() {
    recovers_at(Kind::LookedUp, OF_WEBHOOKS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_cannot_be_asked_gets_each_contact_once_wherever_the_process_dies() {
    recovers_at(Kind::Blind, OF_WEBHOOKS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_at_once_share_the_work() {
    join_all([Kind::File, Kind::Deduping, Kind::Blind].map(|kind| async move {
        let project = Project::new(kind, CONTACTS).await;
        let both = [project.start(&["apply", "--yes"]), project.start(&["apply", "--yes"])];
        for process in join_all(both.map(Running::finish)).await {
            assert!([0, 75].contains(&process.code), "{process:?}");
        }
        project.quiet().await;
        project.agrees(CONTACTS).await;
    }))
    .await;
}

/// Sleeps through the end of its lease with claimed pushes in hand; another process has settled them meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_slept_through_its_lease_hands_nothing_over() {
    join_all([Kind::File, Kind::LookedUp, Kind::Blind].map(|kind| async move {
        let project = Project::new(kind, CONTACTS).await;
        let lease = project.hold(PROVIDER_LEASE).await;
        let sleeper = project.start(&["apply", "--yes"]);
        project.stalled("insert into outreach.leases").await;
        let gate = project.hold_claims(0).await;
        drop(lease);
        project.stalled(COMMIT).await;
        sleeper.freeze();
        drop(gate);
        until("the claim of a sleeping process", || async {
            project.count("outreach.pushes where state = 'claimed'").await > 0
        })
        .await;
        project.quiet().await;
        project.agrees(CONTACTS).await;
        sleeper.thaw();
        sleeper.finish().await.ended(75);
        project.agrees(CONTACTS).await;
    }))
    .await;
}

/// Sleeps with an answer in hand: what it would settle has been settled.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_slept_before_settling_settles_nothing() {
    join_all([Kind::Deduping, Kind::LookedUp].map(|kind| async move {
        let project = Project::new(kind, CONTACTS).await;
        project.receiver.script([Behaviour::Hang { keep: true }]);
        let sleeper = project.start(&["apply", "--yes"]);
        project.receiver.requests(1).await;
        sleeper.freeze();
        project.quiet().await;
        project.agrees(CONTACTS).await;
        let taken = project.taken().len();
        sleeper.thaw();
        sleeper.finish().await.ended(75);
        assert_eq!(project.taken().len(), taken, "nothing more was handed over");
        project.agrees(CONTACTS).await;
    }))
    .await;
}

/// Sleeps with a plan in hand, and wakes when another process has done something else.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_slept_before_recording_records_nothing() {
    let project = Project::new(Kind::Deduping, CONTACTS).await;
    project.campaign("limits: { per_day: 5 }\n");
    let held = project.hold_inserts("outreach.reconciles").await;
    let sleeper = project.start(&["apply", "--yes"]);
    project.stalled("insert into outreach.reconciles").await;
    sleeper.freeze();
    drop(held);
    // The one that takes over finds other contacts: those of the sleeper are gone, five new ones are there.
    project.db.execute("update companies set segment = 'Trade'").await;
    project.add_contacts(100, CONTACTS).await;
    project.quiet().await;
    project.agrees(CONTACTS).await;
    sleeper.thaw();
    sleeper.finish().await.ended(75);
    assert_eq!(project.count("outreach.pushes where settled_at is null").await, 0);
    project.agrees(CONTACTS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_between_record_and_claim_holds() {
    join_all([Kind::File, Kind::Deduping, Kind::Blind].map(|kind| async move {
        let project = Project::new(kind, CONTACTS).await;
        let lease = project.hold(PROVIDER_LEASE).await;
        let process = project.start(&["apply", "--yes"]);
        project.stalled("insert into outreach.leases").await;
        project.run(&["suppress", "add", "p1@c1.example", "@c2.example"]).await.ended(0);
        project.db.execute("update employees set reply_unsubscribe = true where first_name = 'P3'").await;
        drop(lease);
        process.finish().await.ended(0);
        project.quiet().await;
        let enrolled = project.enrolled();
        assert_eq!(
            enrolled.into_iter().collect::<Vec<_>>(),
            [("p4@c4.example".to_owned(), 1), ("p5@c5.example".to_owned(), 1)]
        );
        project.run(&["audit"]).await.ended(0);
    }))
    .await;
}

/// The receiver has it, nobody says so, and then comes the stop: not sent again, and withdrawn.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_in_doubt_withdraws_what_arrived() {
    let lost = Behaviour::Drop { keep: false };
    for answer in [Behaviour::Hang { keep: true }, Behaviour::Drop { keep: true }, Behaviour::HalfList, lost]
    {
        join_all([Kind::Deduping, Kind::LookedUp, Kind::Blind].map(|kind| {
            let answer = answer.clone();
            async move {
                let project = Project::new(kind, BATCH).await;
                project.declare("1s", "1s");
                project.receiver.always(answer.clone());
                let process = project.start(&["apply", "--yes"]);
                project.receiver.requests(1).await;
                until("an answer that was lost", || async {
                    project.count("outreach.pushes where state in ('in_doubt', 'retry')").await > 0
                })
                .await;
                project.run(&["suppress", "add", "p1@c1.example", "p2@c2.example"]).await.ended(0);
                process.finish().await;
                project.receiver.always(Behaviour::Accept);
                project.quiet().await;
                assert_eq!(project.count("outreach.enrollments where live").await, 0);
                let mut holds = std::collections::BTreeSet::new();
                for delivery in project.taken() {
                    match delivery.action.as_str() {
                        "enroll" => holds.insert(delivery.email),
                        _ => holds.remove(&delivery.email),
                    };
                }
                assert!(holds.is_empty(), "{kind:?} {answer:?} still holds {holds:?}");
                assert!(project.enrolled().values().all(|times| *times == 1), "{kind:?} {answer:?}");
                let arrived = !matches!(answer, Behaviour::Drop { keep: false });
                assert_eq!(!project.enrolled().is_empty(), arrived, "{kind:?} {answer:?}");
                project.run(&["audit"]).await.ended(0);
            }
        }))
        .await;
    }
}

/// Its own private database, stopped as by a crash while the provider thinks.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_crashes_in_the_middle_costs_nobody_a_mail() {
    let project = Project::new(Kind::LookedUp, 0).await;
    let start =
        |arguments: &[&str]| Running::start(project.path(), &[("HOOK_SECRET", SECRET.to_owned())], arguments);
    project.write("companies.csv", "company_name,tin,segment\nAcme,7701000001,Fintech\n");
    let employees = [1, 2, 3, 4, 5].map(|n| format!("7701000001,P{n},p{n}@acme.example\n")).concat();
    project.write("employees.csv", &format!("company_tin,first_name,work_email\n{employees}"));
    start(&["import", "companies", "companies.csv"]).finish().await.ended(0);
    start(&["import", "employees", "employees.csv"]).finish().await.ended(0);

    project.receiver.script([Behaviour::Hang { keep: true }]);
    let process = start(&["apply", "--yes"]);
    project.receiver.requests(1).await;
    let pid = project.read(".outreachd/pg/data/postmaster.pid");
    let pid = Pid::from_raw(pid.lines().next().unwrap().parse().unwrap()).unwrap();
    kill_process(pid, Signal::QUIT).unwrap();
    process.finish().await.ended(75);
    start(&["apply", "--yes"]).finish().await.ended(0);
    start(&["plan", "--detailed-exitcode"]).finish().await.ended(0);
    start(&["audit"]).finish().await.ended(0);
    let enrolled = project.enrolled();
    assert_eq!(enrolled.len(), 5, "never zero: {enrolled:?}");
    assert!(enrolled.values().all(|times| *times == 1), "never twice: {enrolled:?}");
}
