//! What mails come to does not depend on the order in which folders are read, nor on how often.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use outreachd::store::audit::{INVARIANTS, violations};
use outreachd::store::replies::{self, Claim, Incoming, Judged, Named, Place, Terms};

use crate::support::TestDb;
use crate::support::dice::Dice;
use crate::support::office::seed;

fn start() -> DateTime<Utc> {
    "2026-11-24T09:00:00Z".parse().unwrap()
}

fn terms() -> Terms {
    Terms { now: start(), sparing: vec![1], soft_bounces: 3, within: 14 * 86_400 }
}

fn mail(n: usize, contact: usize, kind: &'static str) -> Incoming {
    Incoming {
        dedupe: format!("mail {n}"),
        message_id: Some(format!("a{n}@c")),
        received_at: start() + TimeDelta::hours(n as i64),
        raw: b"From: x".to_vec(),
        claims: vec![Claim { via: "in_reply_to", names: Named::Message(format!("m{contact}@test.local")) }],
        judged: Judged {
            kind,
            rule: "test".to_owned(),
            evidence: String::new(),
            is_sure: true,
            status: None,
            hard: (kind == "bounce").then_some(true),
            away_until: (kind == "auto_reply").then(|| start() + TimeDelta::days(10 + n as i64)),
            left_company: false,
            from: Some(format!("alias{n}@c.example")),
        },
    }
}

fn soft(n: usize, contact: usize, status: &str) -> Incoming {
    let mut mail = mail(n, contact, "bounce");
    mail.judged.hard = Some(false);
    mail.judged.status = Some(status.to_owned());
    mail
}

/// Mails that get in each other's way.
fn mails() -> Vec<Incoming> {
    let mut mails = vec![
        mail(1, 1, "reply"),
        mail(2, 1, "bounce"),
        mail(3, 1, "auto_reply"),
        mail(4, 2, "auto_reply"),
        mail(5, 2, "auto_reply"),
        mail(6, 3, "unsubscribe"),
        mail(7, 3, "complaint"),
        mail(8, 3, "info_request"),
        soft(9, 4, "5.2.2"),
        soft(10, 4, "4.4.1"),
        soft(11, 4, "5.2.2"),
        soft(12, 4, "4.2.2"),
        // The sender's fault, three times.
        soft(13, 5, "5.7.1"),
        soft(14, 5, "4.7.0"),
        soft(15, 5, "5.7.26"),
        mail(16, 6, "auto_reply"),
        mail(17, 7, "other"),
    ];
    mails[15].judged.left_company = true;
    mails[15].judged.away_until = None;
    mails
}

/// Everything that mails bring about.
async fn state(db: &TestDb) -> BTreeMap<String, Vec<String>> {
    let mut state = BTreeMap::new();
    for (what, sql) in [
        (
            "enrollments",
            "select concat_ws(' ', email, status, left_reason, next_at - enrolled_at) from outreach.enrollments order by 1",
        ),
        (
            "people",
            "select concat_ws(' ', work_email, campaign_status, reply_unsubscribe, reply_bounce, reply_info_request) from employees order by 1",
        ),
        ("stops", "select target || ' ' || reason from outreach.suppressions order by 1"),
        (
            "spared",
            "select concat_ws(' ', company_id, campaign_number) from outreach.paused_companies order by 1",
        ),
        ("mails", "select concat_ws(' ', dedupe, kind, email) from outreach.replies order by 1"),
    ] {
        let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(db.pool()).await.unwrap();
        state.insert(what.to_owned(), rows);
    }
    state
}

async fn contacts() -> TestDb {
    let db = TestDb::new().await;
    db.execute(&seed(8)).await;
    db.execute("update outreach.enrollments set enrolled_at = '2026-11-24T09:00:00Z', next_at = '2026-11-27T09:00:00Z'").await;
    db
}

fn pick(dice: &mut Dice, of: usize) -> usize {
    dice.roll(of as u64) as usize
}

/// The mails in two folders, some in both, in any order, cut into batches anywhere, some of them read again.
async fn read_in_disorder(seed: u64) -> BTreeMap<String, Vec<String>> {
    let mut dice = Dice(seed);
    let db = contacts().await;
    let mut lots: Vec<(usize, Incoming)> = Vec::new();
    for one in mails() {
        let home = pick(&mut dice, 2);
        if pick(&mut dice, 2) == 0 {
            lots.push((1 - home, one.clone()));
        }
        lots.push((home, one));
    }
    for at in (1..lots.len()).rev() {
        lots.swap(at, pick(&mut dice, at + 1));
    }
    let mut uids = [0_i64; 2];
    while !lots.is_empty() {
        let size = 1 + pick(&mut dice, lots.len().min(5));
        let folder = lots[0].0;
        let batch: Vec<Incoming> =
            lots.iter().take(size).filter(|(home, _)| *home == folder).map(|(_, one)| one.clone()).collect();
        uids[folder] += batch.len() as i64;
        let place = Place { folder: format!("f{folder}"), uid_validity: 1, last_uid: uids[folder] };
        replies::take_in(db.store(), "alice", &place, &batch, &terms()).await.unwrap();
        if pick(&mut dice, 3) > 0 {
            let mut kept = Vec::new();
            for (at, one) in lots.into_iter().enumerate() {
                if at >= size || one.0 != folder {
                    kept.push(one);
                }
            }
            lots = kept;
        }
    }
    state(&db).await
}

#[tokio::test(flavor = "multi_thread")]
async fn any_order_comes_to_the_same() {
    let db = contacts().await;
    let place = Place { folder: "f0".to_owned(), uid_validity: 1, last_uid: 17 };
    replies::take_in(db.store(), "alice", &place, &mails(), &terms()).await.unwrap();
    let expected = state(&db).await;
    assert_eq!(
        expected["enrollments"],
        [
            "p1@c1.example bounced 13 days",
            "p2@c2.example active 15 days",
            "p3@c3.example unsubscribed 3 days",
            "p4@c4.example bounced 3 days",
            "p5@c5.example active 3 days",
            "p6@c6.example finished left_company 3 days",
            "p7@c7.example active 3 days",
            "p8@c8.example active 3 days"
        ]
    );
    assert_eq!(
        expected["stops"],
        [
            "alias6@c.example unsubscribed",
            "alias7@c.example complained",
            "p1@c1.example bounced",
            "p3@c3.example complained",
            "p4@c4.example bounced"
        ]
    );
    assert_eq!(expected["spared"].len(), 2, "colleagues of those who answered");
    let seeds: u64 =
        std::env::var("OUTREACHD_ORDER_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    for seed in 0..seeds {
        assert_eq!(read_in_disorder(seed).await, expected, "OUTREACHD_ORDER_SEEDS={}", seed + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_before_its_mail_is_settled_is_not_lost() {
    let db = contacts().await;
    // As in the moment after the server's 250: claimed, and no enrollment yet.
    db.execute(
        "update outreach.pushes set state = 'claimed', settled_at = null;
         create table kept as select * from outreach.enrollments;
         delete from outreach.enrollments",
    )
    .await;
    let place = Place { folder: "INBOX".to_owned(), uid_validity: 1, last_uid: 3 };
    let early = [mail(1, 1, "reply"), mail(2, 2, "auto_reply"), mail(3, 3, "unsubscribe")];
    replies::take_in(db.store(), "alice", &place, &early, &terms()).await.unwrap();
    let stopped: i64 =
        sqlx::query_scalar("select count(*) from outreach.suppressions where target = 'p3@c3.example'")
            .fetch_one(db.pool())
            .await
            .unwrap();
    assert_eq!(stopped, 1, "a stop holds at once");
    replies::catch_up(db.store(), 1, &terms()).await.unwrap();
    db.execute(
        "update outreach.pushes set state = 'accepted', settled_at = now();
         insert into outreach.enrollments (employee_id, campaign_number, company_id, email, status, ordinal, fields, source_hash,
             enrolled_at, updated_at, step, next_at, sender)
         select employee_id, campaign_number, company_id, email, status, ordinal, fields, source_hash, enrolled_at, updated_at,
             step, next_at, sender from kept",
    )
    .await;
    replies::catch_up(db.store(), 1, &terms()).await.unwrap();
    let found = state(&db).await;
    assert_eq!(
        found["enrollments"][..4],
        [
            "p1@c1.example replied 3 days",
            "p2@c2.example active 12 days",
            "p3@c3.example unsubscribed 3 days",
            "p4@c4.example active 3 days"
        ]
    );
    let open: i64 = sqlx::query_scalar("select count(*) from outreach.replies where pending")
        .fetch_one(db.pool())
        .await
        .unwrap();
    assert_eq!(open, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_address_says_nothing_of_the_next_one() {
    let db = contacts().await;
    db.execute(
        "update employees set work_email = 'New1@c1.example' where work_email = 'p1@c1.example';
         update outreach.enrollments set email = 'new1@c1.example' where email = 'p1@c1.example'",
    )
    .await;
    let place = Place { folder: "INBOX".to_owned(), uid_validity: 1, last_uid: 2 };
    replies::take_in(db.store(), "alice", &place, &[mail(1, 1, "bounce")], &terms()).await.unwrap();
    let found = state(&db).await;
    assert!(found["enrollments"].contains(&"new1@c1.example active 3 days".to_owned()), "{found:?}");
    assert_eq!(found["stops"], ["p1@c1.example bounced"], "the old one is never written to again");
    assert!(found["people"].iter().all(|row| !row.contains(" t")), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_after_an_answer_is_found_by_the_audit() {
    let db = contacts().await;
    let place = Place { folder: "INBOX".to_owned(), uid_validity: 1, last_uid: 2 };
    let answers = [mail(1, 1, "reply"), mail(2, 2, "auto_reply")];
    replies::take_in(db.store(), "alice", &place, &answers, &terms()).await.unwrap();
    let promise = INVARIANTS.iter().find(|one| one.name == "answered_is_left_alone").unwrap();
    let broken = async || violations(db.store(), promise, 10).await.unwrap().len();
    db.execute("update outreach.pushes set handed_at = '2026-11-24T08:00:00Z'").await;
    assert_eq!(broken().await, 0);
    let follow_ups = "insert into outreach.pushes (employee_id, campaign_number, ordinal, action, provider, email, reason, fields,
             source_hash, state, reconcile_id, recorded_at, handed_at, settled_at)
         select employee_id, 1, 2, 'send', 'mail', email, 'mail_2', '{}', 1, 'accepted', reconcile_id, now(),
             '2026-11-25T09:00:00Z', now() from outreach.pushes";
    db.execute(follow_ups).await;
    assert_eq!(broken().await, 1, "the one who answered; an automatic answer stops nothing");
}
