//! A window that closes while people are being taken in.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use outreachd::manifest;
use outreachd::model::{Clock, FixedClock, Stop};
use outreachd::reconcile::need::{self, Need};
use outreachd::reconcile::{Context, Order, reconcile};
use outreachd::store::campaigns;
use uuid::Uuid;

use crate::support::project::{Kind, Project};

/// A second before the end of the window, until something has left.
struct Evening {
    outbox: PathBuf,
}

impl Clock for Evening {
    fn now(&self) -> DateTime<Utc> {
        let left = std::fs::read(&self.outbox).is_ok_and(|lines| !lines.is_empty());
        at(if left { "2026-11-24T17:00:01Z" } else { "2026-11-24T16:59:59Z" })
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn pass(project: &Project, clock: &dyn Clock, order: &Order) {
    let manifest = manifest::load(project.path()).manifest.unwrap();
    let context = Context {
        store: project.db.store(),
        manifest: &manifest,
        clock,
        root: project.path(),
        holder: Uuid::from_u128(1),
        revision: None,
        stop: Stop::never(),
    };
    reconcile(&context, &manifest.campaigns[0], order).await.unwrap();
}

/// What a daemon would do.
async fn judged(project: &Project, now: DateTime<Utc>) -> Need {
    let manifest = manifest::load(project.path()).manifest.unwrap();
    let campaign = &manifest.campaigns[0];
    let glance = campaigns::glance(project.db.store(), campaign.number, now).await.unwrap();
    let digest = need::declared(&manifest, campaign);
    let grace = TimeDelta::minutes(2);
    need::judge(campaign, &glance, &digest, &manifest.project.daemon, grace, now)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_leaves_after_its_end_and_the_rest_goes_when_it_opens_again() {
    let project = Project::new(Kind::File, 6).await;
    project.campaign(
        "timezone: UTC\nschedule: { cron: \"0 9 * * 2\", catch_up: skip }\nwindow: { from: \"09:00\", to: \"17:00\" }\n",
    );
    let tick = at("2026-11-24T09:00:00Z");
    let order = Order { keeps_window: true, tick: Some(tick), ..Order::by_hand("test", Duration::ZERO) };
    // Known since Friday, so that Tuesday's tick is one to be served.
    let none = Order { takes_in: false, tick: None, ..order.clone() };
    pass(&project, &FixedClock(at("2026-11-20T12:00:00Z")), &none).await;
    let evening = Evening { outbox: project.path().join("outbox/campaign-1.jsonl") };
    pass(&project, &evening, &order).await;
    assert_eq!(project.enrolled().len(), 2, "one call had left when it closed");
    let open = "outreach.campaigns where intake_open";
    assert_eq!(project.count(open).await, 1, "the tick has people left to take in");
    // The tick is long over by then, and is not made up: what it began is gone on with.
    let morning = at("2026-11-25T09:00:00Z");
    let need = judged(&project, morning).await;
    assert!(need.pass && need.takes_in && need.tick.is_none(), "{need:?}");
    let order = Order { tick: None, ..order };
    pass(&project, &FixedClock(morning), &order).await;
    assert_eq!(project.enrolled().len(), 6);
    assert!(!judged(&project, morning).await.takes_in);
    assert_eq!(project.count(open).await, 0);
    // A person who says now is not held by it.
    project.add_contacts(7, 2).await;
    let now = Order::by_hand("test", Duration::ZERO);
    pass(&project, &FixedClock(at("2026-11-25T20:00:00Z")), &now).await;
    assert_eq!(project.enrolled().len(), 8);
}
