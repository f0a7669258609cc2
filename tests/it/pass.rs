//! The pass, end to end on a real database, from the library's side.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use outreachd::manifest::Manifest;
use outreachd::model::{
    Campaign, FieldRef, FieldSource, FixedClock, Limits, Membership, OnLeave, OutreachType, ProviderKind,
    ProviderSettings, Rule, Safety, Segment, SqlClause, State,
};
use outreachd::reconcile::{Context, Order, Planner, reconcile};
use uuid::Uuid;

use crate::support::db::TestDb;

fn campaign(number: i32) -> Campaign {
    Campaign {
        name: format!("c{number}"),
        description: None,
        number,
        outreach_type: OutreachType::Sales,
        segment: "all".into(),
        provider: "outbox".into(),
        state: State::Active,
        membership: Membership::Enroll,
        on_leave: OnLeave::Withdraw,
        exit: None,
        priority: 0,
        overlap: false,
        holdout: 0,
        cooldown: None,
        company_cap: None,
        schedule: None,
        timezone: chrono_tz::Tz::UTC,
        window: None,
        limits: Limits::default(),
        fields: BTreeMap::from([(
            "first_name".to_owned(),
            FieldSource::Column { from: FieldRef::parse("employee.first_name").unwrap(), default: None },
        )]),
        sequence: vec![],
        safety: Safety::default(),
        write_back: vec![],
        file: String::new(),
    }
}

fn segment(sql: &str) -> Segment {
    Segment {
        name: "all".into(),
        description: None,
        rule: Rule::Sql(SqlClause { text: sql.into(), at: String::new() }),
        order_by: vec![],
        per_company: None,
        limit: None,
        examples: vec![],
        file: String::new(),
    }
}

fn manifest(campaigns: Vec<Campaign>, segment: Segment) -> Manifest {
    let outbox = ProviderSettings {
        name: "outbox".into(),
        kind: ProviderKind::File { dir: "outbox".into() },
        batch: 3,
    };
    let mut manifest = Manifest::default();
    manifest.project.providers.insert("outbox".to_owned(), outbox);
    manifest.segments.insert("all".to_owned(), segment);
    manifest.campaigns = campaigns;
    "d".clone_into(&mut manifest.digest);
    manifest
}

fn now() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_apply_plan_ends_empty() {
    let db = TestDb::new().await;
    sqlx::raw_sql(
        "insert into companies (id, company_name, tin, segment) values
           ('00000000-0000-0000-0000-000000000001', 'A', '1', 'Fintech'), ('00000000-0000-0000-0000-000000000002', 'B', '2', 'Retail');
         insert into employees (company_id, full_name, first_name, work_email) select
           '00000000-0000-0000-0000-000000000001', 'P ' || i, case when i <> 5 then 'P' || i end, 'P' || (i % 8) || '@a.example' from generate_series(1, 9) i;
         insert into employees (company_id, full_name, first_name, work_email) values
           ('00000000-0000-0000-0000-000000000002', 'Q', 'Q', 'q@b.example'),
           ('00000000-0000-0000-0000-000000000001', 'R', 'R', 'nonsense'),
           ('00000000-0000-0000-0000-000000000001', 'S', 'S', null);
         insert into outreach.suppressions (target, reason, source) values ('p3@a.example', 'do_not_contact', 'test'), ('@x.example', 'do_not_contact', 'test');
         update employees set reply_unsubscribe = true where full_name = 'P 2';",
    )
    .execute(db.pool())
    .await
    .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(vec![campaign(1), campaign(2)], segment("c.segment = 'Fintech'"));
    let clock = FixedClock(now());
    let context = Context {
        pool: db.pool(),
        manifest: &manifest,
        clock: &clock,
        root: dir.path(),
        holder: Uuid::new_v4(),
    };
    let mut planner = Planner::open(&context).await.unwrap();
    for campaign in &manifest.campaigns {
        let plan = planner.campaign(campaign, 3).await.unwrap();
        println!("{plan:#?}");
    }
    drop(planner);
    for campaign in &manifest.campaigns {
        let applied =
            reconcile(&context, campaign, &Order { trigger: "test", ..Order::default() }).await.unwrap();
        println!("{applied:#?}");
    }
    println!("{}", std::fs::read_to_string(dir.path().join("outbox/campaign-1.jsonl")).unwrap());
    let mut planner = Planner::open(&context).await.unwrap();
    for campaign in &manifest.campaigns {
        let plan = planner.campaign(campaign, 3).await.unwrap();
        assert_eq!(plan.changes(), 0, "{plan:#?}");
    }
    drop(planner);
    sqlx::query("update employees set reply_bounce = true where full_name = 'P 4'")
        .execute(db.pool())
        .await
        .unwrap();
    sqlx::query("update employees set first_name = 'X' where full_name = 'P 6'")
        .execute(db.pool())
        .await
        .unwrap();
    for campaign in &manifest.campaigns {
        let applied =
            reconcile(&context, campaign, &Order { trigger: "test", ..Order::default() }).await.unwrap();
        println!("{applied:#?}");
    }
    println!("{}", std::fs::read_to_string(dir.path().join("outbox/campaign-1.jsonl")).unwrap());
}
