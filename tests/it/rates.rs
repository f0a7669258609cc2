//! The budget of calls to a provider account, on the real database.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use outreachd::model::{Clock as _, SystemClock};
use outreachd::store::rates;

use crate::support::TestDb;

const PATIENT: Duration = Duration::from_mins(10);

async fn wait(db: &TestDb, provider: &str, per_minute: u32, patience: Duration) -> Option<u64> {
    let wait = rates::take(db.store(), provider, per_minute, patience).await.unwrap();
    // To the minute: the test itself takes some of it.
    wait.map(|wait| (wait.as_secs() + 30) / 60)
}

#[tokio::test]
async fn calls_are_spread_and_those_that_cannot_wait_reserve_nothing() {
    let db = TestDb::new().await;
    assert_eq!(wait(&db, "a", 1, PATIENT).await, Some(0));
    assert_eq!(wait(&db, "a", 1, PATIENT).await, Some(1));
    assert_eq!(wait(&db, "a", 1, Duration::from_secs(30)).await, None);
    assert_eq!(wait(&db, "a", 1, PATIENT).await, Some(2), "nothing was reserved by the one before");
    assert_eq!(wait(&db, "b", 1, PATIENT).await, Some(0), "another account");
}

#[tokio::test]
async fn a_second_of_calls_may_follow_each_other() {
    let db = TestDb::new().await;
    let mut waits = Vec::new();
    for _ in 0..30 {
        waits.push(rates::take(db.store(), "a", 600, PATIENT).await.unwrap().unwrap());
    }
    // Ten a second: ten at once, and the twenty others over the two seconds that follow.
    assert!(waits[..10].iter().all(Duration::is_zero), "{waits:?}");
    assert!(waits[29] <= Duration::from_secs(2), "{waits:?}");
    let reserved: f64 = sqlx::query_scalar(
        "select extract(epoch from next_at - (select min(xact_start) from pg_stat_activity
             where pid = pg_backend_pid()))::double precision from outreach.rates",
    )
    .fetch_one(db.pool())
    .await
    .unwrap();
    assert!(reserved <= 3.0, "thirty calls are three seconds' worth: {reserved}");
}

#[tokio::test]
async fn a_providers_own_word_holds_for_all() {
    let db = TestDb::new().await;
    rates::pause(db.store(), "a", SystemClock.now() + TimeDelta::minutes(5)).await.unwrap();
    assert_eq!(wait(&db, "a", 60, Duration::from_mins(1)).await, None);
    assert_eq!(wait(&db, "a", 60, PATIENT).await, Some(5));
    // A shorter word does not take back a longer one.
    rates::pause(db.store(), "a", Utc::now() + TimeDelta::minutes(1)).await.unwrap();
    assert_eq!(wait(&db, "a", 60, PATIENT).await, Some(5));
}
