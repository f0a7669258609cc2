//! The real binary, killed at every point between record and settle: never twice, never lost.
//!
//! The product has no hook for this. A test holds a lock in the database, or the receiver keeps silent; the
//! process runs up to there, is killed, and the next ones must put everything right.

use futures_util::future::join_all;

use crate::support::project::{BATCH, Kind, Project, until};
use crate::support::receiver::Behaviour;

const CONTACTS: usize = 5;

/// Where a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    /// Its pushes are written and not committed.
    Recording,
    Recorded,
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
    Point::Claimed,
    Point::Arrived,
    Point::Lost,
    Point::Answered,
    Point::BetweenBatches,
];

const OF_FILES: &[Point] = &[
    Point::Recording,
    Point::Recorded,
    Point::Claimed,
    Point::Answered,
    Point::BetweenBatches,
    Point::TornLine,
];

const CLAIM: &str = "-- Claims the next due pushes";
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
        Point::Claimed | Point::BetweenBatches => {
            let lease = project.hold(PROVIDER_LEASE).await;
            let process = project.start(&["apply", "--yes"]);
            project.stalled("insert into outreach.leases").await;
            let after = if point == Point::Claimed { 0 } else { BATCH };
            let rows = project
                .hold(&format!(
                    "select from outreach.pushes where employee_id > '00000000-0000-0000-0000-00000000000{after}'
                     for update"
                ))
                .await;
            drop(lease);
            project.stalled(CLAIM).await;
            process.kill().await;
            // The server goes on with the statement of a client that is gone.
            drop(rows);
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
