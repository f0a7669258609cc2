//! The SQL diff, held to a naive model of the same rules over generated worlds.
//!
//! Each world lives through several rounds on a real database: things happen, all campaigns are
//! planned, then applied in order of rank through the `file` provider, then planned again.
//! `PROPTEST_CASES` sets how many worlds.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use outreachd::manifest::Manifest;
use outreachd::model::{
    Action, ActionKind, Campaign, CampaignPlan, FixedClock, Skip, WithdrawReason, is_address,
    normalize_address,
};
use outreachd::reconcile::{Context, Order, Planner, ReconcileError, in_rank, reconcile};
use outreachd::store::audit;
use outreachd::store::diff::{self, Question, Verdict};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value};
use sqlx::Row as _;
use uuid::Uuid;

use crate::support::TestDb;
use crate::support::model::{Person, Planned, World};
use crate::support::world::{self, Draw};

fn draws() -> impl Strategy<Value = Draw> {
    let bytes4 = || proptest::array::uniform4(any::<u8>());
    (
        vec(bytes4(), 1..4),
        vec(proptest::array::uniform12(any::<u8>()), 1..20),
        [bytes4(), bytes4(), bytes4()],
        vec(proptest::array::uniform20(any::<u8>()), 1..4),
        vec(vec(proptest::array::uniform3(any::<u8>()), 0..7), 1..5),
    )
        .prop_map(|(companies, people, segments, campaigns, rounds)| Draw {
            companies,
            people,
            segments,
            campaigns,
            rounds,
        })
}

#[test]
fn the_diff_does_what_the_model_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let db = runtime.block_on(TestDb::new());
    let config =
        Config { failure_persistence: None, max_shrink_time: 15_000, ..Config::with_cases(cases(32)) };
    let mut runner = TestRunner::new(config);
    let result = runner.run(&draws(), |draw| runtime.block_on(live_through(&db, draw)));
    runtime.block_on(db.pool().close());
    result.unwrap_or_else(|fault| panic!("{fault}"));
}

fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// One world on its database, and what was seen of it.
struct Life<'a> {
    db: &'a TestDb,
    root: &'a Path,
    manifest: Manifest,
    world: World,
    now: DateTime<Utc>,
}

async fn live_through(db: &TestDb, draw: Draw) -> Result<(), TestCaseError> {
    db.execute(
        "truncate employees, companies, outreach.campaigns, outreach.enrollments, outreach.pushes,
             outreach.suppressions, outreach.reconciles, outreach.leases, outreach.events,
             outreach.companies_in_flight, outreach.verifications, outreach.drafts",
    )
    .await;
    let folder = tempfile::tempdir().unwrap();
    // Two days before the clocks go forward in New York, in Europe three weeks later.
    let now: DateTime<Utc> = "2024-03-08T18:00:00Z".parse().unwrap();
    let (world, sql) = world::start(&draw, now);
    let manifest = world::manifest(&draw.segments, &draw.campaigns);
    for statement in &sql {
        db.execute(statement).await;
    }
    let mut life = Life { db, root: folder.path(), manifest, world, now };
    for (round, happenings) in draw.rounds.iter().enumerate() {
        for bytes in happenings {
            let sql = world::happen(&mut life.world, &mut life.manifest, *bytes, life.now);
            db.execute(&sql).await;
        }
        let hours = happenings.first().map_or(0, |bytes| [1, 7, 24, 26, 49][usize::from(bytes[1]) % 5]);
        life.now += TimeDelta::hours(hours) + TimeDelta::minutes(1);
        // The database's clock is the machine's; the promises are about the one of this world.
        let since = life.now - TimeDelta::seconds(30);
        db.execute(&format!(
            "update outreach.suppressions set created_at = '{}' where created_at > '2025-01-01'",
            since.to_rfc3339()
        ))
        .await;
        life.round(round).await?;
    }
    Ok(())
}

impl Life<'_> {
    async fn round(&mut self, round: usize) -> Result<(), TestCaseError> {
        let before = self.plans("the plan").await?;
        if round == 0 {
            self.db.execute(&world::shuffled(round)).await;
            prop_assert_eq!(&self.plans("the plan of shuffled rows").await?, &before);
        }
        self.narrow(&before).await?;

        let approved = round % 2 == 1;
        let mut calm = true;
        let campaigns: Vec<Campaign> = in_rank(&self.manifest.campaigns).into_iter().cloned().collect();
        for campaign in &campaigns {
            let planned = self.world.plan(&self.manifest, campaign, self.now);
            if calm {
                prop_assert_eq!(
                    &planned,
                    &before[&campaign.number],
                    "applying came out otherwise than planned"
                );
            }
            let refused = self.apply(campaign, &planned, approved).await?;
            calm &= refused == 0 && is_calm(campaign, &planned, &self.world);
        }
        self.promises().await?;
        let after = self.plans("the plan after applying").await?;
        if calm {
            for (number, planned) in &after {
                prop_assert!(planned.actions.is_empty(), "campaign {number} is not done: {planned:#?}");
            }
        }
        Ok(())
    }

    fn context<'c>(&'c self, clock: &'c FixedClock) -> Context<'c> {
        Context {
            store: self.db.store(),
            manifest: &self.manifest,
            clock,
            root: self.root,
            holder: Uuid::nil(),
            revision: None,
            stop: outreachd::model::Stop::never(),
        }
    }

    /// The plans of all campaigns in one snapshot, each equal to the model's.
    async fn plans(&self, what: &str) -> Result<BTreeMap<i32, Planned>, TestCaseError> {
        let clock = FixedClock(self.now);
        let mut planner = Planner::open(&self.context(&clock)).await.unwrap();
        let mut plans = BTreeMap::new();
        let mut order = in_rank(&self.manifest.campaigns);
        // Lists come after counts, and nothing says that campaigns are asked for in order of rank.
        order.extend(order.clone().into_iter().rev());
        for campaign in order {
            let expected = self.world.plan(&self.manifest, campaign, self.now);
            let plan = planner.campaign(campaign, 3).await.unwrap();
            let found = self.found(&mut planner, campaign, &plan).await?;
            prop_assert_eq!(&found, &expected, "{} of campaign {}", what, campaign.number);
            check_counts(&plan, &expected)?;
            for (kind, email) in expected.actions.values() {
                let stopped = self.world.is_suppressed(email) || !is_address(email);
                prop_assert!(*kind == ActionKind::Withdraw || !stopped, "{kind:?} for a suppressed address");
            }
            plans.insert(campaign.number, found);
        }
        Ok(plans)
    }

    /// What the database says of every contact, in the model's words.
    async fn found<'m>(
        &self,
        planner: &mut Planner<'m>,
        campaign: &'m Campaign,
        plan: &CampaignPlan,
    ) -> Result<Planned, TestCaseError> {
        let mut listed: Vec<Action> = Vec::new();
        planner
            .each_action(campaign, |action| {
                listed.push(action);
                Ok::<(), ReconcileError>(())
            })
            .await
            .unwrap();
        let verdicts = planner.verdicts(campaign, &self.everybody()).await.unwrap().unwrap();
        let mut found = Planned {
            live: verdicts.iter().filter(|verdict| verdict.live).count() as i64,
            in_flight: plan.in_flight,
            live_in_flight: verdicts.iter().filter(|verdict| verdict.live && verdict.in_flight).count()
                as i64,
            blocked: plan.blocked.as_ref().map(|blocked| blocked.guard),
            ..Planned::default()
        };
        for verdict in verdicts {
            if let Some(skip) = &verdict.skip {
                found.skipped.insert(verdict.employee_id, Skip::parse(skip).unwrap());
            }
            found.against.extend(
                (!verdict.against.is_empty()).then(|| (verdict.employee_id, skips(&verdict.against))),
            );
            if let Some(leaves) = &verdict.leaves {
                found.leaving.insert(verdict.employee_id, WithdrawReason::parse(leaves).unwrap());
            }
            let in_list: Vec<&Action> =
                listed.iter().filter(|action| action.employee_id == verdict.employee_id).collect();
            let named: Option<&str> = in_list.first().map(|action| action.action.as_str());
            prop_assert_eq!(verdict.action.as_deref(), named, "the list and the verdict");
            prop_assert!(in_list.len() < 2);
            if let Some(action) = in_list.first() {
                found.actions.insert(action.employee_id, (action.action, action.email.clone()));
            }
        }
        prop_assert_eq!(found.actions.len(), listed.len(), "somebody was listed whom nobody knows");
        Ok(found)
    }

    /// Everybody who was ever heard of.
    fn everybody(&self) -> Vec<Uuid> {
        let enrolled = self.world.enrollments.keys().map(|(_, id)| *id);
        let open = self.world.open.iter().map(|push| push.person);
        let mut ids: Vec<Uuid> = self.world.people.keys().copied().chain(enrolled).chain(open).collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// Asked about one contact only, the diff says the same, as long as nobody else matters.
    async fn narrow(&self, plans: &BTreeMap<i32, Planned>) -> Result<(), TestCaseError> {
        for campaign in &self.manifest.campaigns {
            let segment = &self.manifest.segments[&campaign.segment];
            let ranked = segment.limit.is_some()
                || segment.per_company.is_some()
                || campaign.company_cap.is_some()
                || campaign.limits != outreachd::model::Limits::default();
            if ranked || self.manifest.campaigns.iter().any(|other| other.outranks(campaign)) {
                continue;
            }
            for id in self.everybody().into_iter().filter(|id| self.is_alone(id)) {
                let only = [id];
                let question = Question { only: Some(&only), ..self.question(campaign) };
                let mut connection = self.db.pool().acquire().await.unwrap();
                let verdict = diff::verdicts(&mut connection, &question, &only).await.unwrap().remove(0);
                let whole = &plans[&campaign.number];
                let action = whole.actions.get(&id).map(|(kind, _)| kind.as_str());
                prop_assert_eq!(verdict.action.as_deref(), action);
                prop_assert_eq!(verdict.skip.as_deref(), whole.skipped.get(&id).map(|skip| skip.code()));
                prop_assert_eq!(
                    verdict.leaves.as_deref(),
                    whole.leaving.get(&id).map(|leaves| leaves.code())
                );
            }
        }
        Ok(())
    }

    /// Whether no other row has an address of this one.
    fn is_alone(&self, id: &Uuid) -> bool {
        let addresses = |id: &Uuid| -> Vec<String> {
            let now = self.world.people.get(id).map(Person::address);
            let held = self.world.enrollments.iter().filter(|((_, of), _)| of == id);
            let open = self.world.open.iter().filter(|push| push.person == *id);
            held.map(|(_, n)| n.email.clone()).chain(open.map(|push| push.email.clone())).chain(now).collect()
        };
        let own = addresses(id);
        let others: Vec<Uuid> = self.everybody().into_iter().filter(|other| other != id).collect();
        others.iter().all(|other| addresses(other).iter().all(|address| !own.contains(address)))
    }

    fn question<'q>(&'q self, campaign: &'q Campaign) -> Question<'q> {
        let tolerated = self.manifest.campaigns.iter().filter(|other| other.tolerates(campaign));
        Question {
            campaign,
            segments: &self.manifest.segments,
            tolerated: tolerated.map(|other| other.number).chain([campaign.number]).collect(),
            above: Vec::new(),
            as_of: self.now,
            remaining_today: None,
            day_start: campaign.day_start(self.now),
            mails: None,
            only: None,
        }
    }

    /// Applies one campaign to the database and to the model; returns how many were refused.
    async fn apply(
        &mut self,
        campaign: &Campaign,
        planned: &Planned,
        approved: bool,
    ) -> Result<i64, TestCaseError> {
        let untouched = self.untouched(campaign).await;
        let clock = FixedClock(self.now);
        let order = Order {
            approved: approved.then(|| "test".to_owned()),
            ..Order::by_hand("test", std::time::Duration::ZERO)
        };
        let applied = reconcile(&self.context(&clock), campaign, &order).await;
        let applied =
            applied.map_err(|error| TestCaseError::fail(format!("{error}: {:?}", source(&error))))?;
        let let_through = planned.blocked.is_none() || approved;
        let expected = if let_through { planned.actions.len() as i64 } else { planned.stops() };
        let settled = applied.settled;
        prop_assert_eq!(settled.accepted + settled.refused, expected, "{:?}", applied);
        let put_off = self.world.open.iter().filter(|push| push.campaign == campaign.number).count() as i64;
        prop_assert_eq!((settled.retry, settled.in_doubt, applied.stopped), (put_off, 0, 0));
        self.world.apply(campaign, planned, self.now, approved);
        self.check_enrollments().await?;
        self.check_rows().await?;
        prop_assert_eq!(
            self.untouched(campaign).await,
            untouched,
            "a column that is none of ours was written"
        );
        Ok(settled.refused)
    }

    async fn check_enrollments(&self) -> Result<(), TestCaseError> {
        let rows = sqlx::query("select * from outreach.enrollments").fetch_all(self.db.pool()).await.unwrap();
        prop_assert_eq!(rows.len(), self.world.enrollments.len());
        for row in rows {
            let key = (row.get::<i32, _>("campaign_number"), row.get::<Uuid, _>("employee_id"));
            let expected = &self.world.enrollments[&key];
            prop_assert_eq!(row.get::<&str, _>("status"), expected.status, "{:?}", key);
            prop_assert_eq!(row.get::<&str, _>("email"), &expected.email);
            prop_assert_eq!(row.get::<DateTime<Utc>, _>("enrolled_at"), expected.enrolled_at);
            if expected.status != "failed" {
                let fields: Map<String, Value> = row.get::<sqlx::types::Json<_>, _>("fields").0;
                prop_assert_eq!(&fields, &expected.fields, "{:?}", key);
            }
        }
        Ok(())
    }

    /// The written columns of every contact and company.
    async fn check_rows(&self) -> Result<(), TestCaseError> {
        let rows = sqlx::query("select * from employees").fetch_all(self.db.pool()).await.unwrap();
        prop_assert_eq!(rows.len(), self.world.people.len());
        for row in rows {
            let expected = &self.world.people[&row.get::<Uuid, _>("id")];
            prop_assert_eq!(row.get::<Option<i32>, _>("campaign_number"), expected.campaign_number);
            prop_assert_eq!(row.get::<Option<DateTime<Utc>>, _>("outreach_sent_date"), expected.sent);
            for (column, expected) in [
                ("outreach_type", &expected.outreach_type),
                ("campaign_status", &expected.campaign_status),
                ("processing_status", &expected.processing_status),
                ("client_status", &expected.client_status),
            ] {
                prop_assert_eq!(&row.get::<Option<String>, _>(column), expected, "{}", column);
            }
        }
        let rows = sqlx::query("select id, status from companies").fetch_all(self.db.pool()).await.unwrap();
        for row in rows {
            let expected = &self.world.companies[&row.get::<Uuid, _>("id")];
            prop_assert_eq!(&row.get::<Option<String>, _>("status"), &expected.status);
        }
        Ok(())
    }

    /// Everything of the reference tables that the campaign may not write.
    async fn untouched(&self, campaign: &Campaign) -> Vec<Value> {
        let named = |table: &str| -> Vec<String> {
            let fields = campaign.write_back.iter().map(|write| write.field.field);
            fields
                .filter(|field| field.entity.as_str() == table)
                .map(|field| field.column.to_owned())
                .chain(["updated_at".to_owned()])
                .collect()
        };
        let ours = ["campaign_number", "outreach_sent_date", "outreach_type", "campaign_status"];
        let mut employee = named("employee");
        employee.extend(ours.map(ToOwned::to_owned));
        // Put back by whichever campaign lets the last contact go.
        let company: Vec<String> = named("company").into_iter().chain(["status".to_owned()]).collect();
        sqlx::query_scalar(
            "select to_jsonb(e) - $1::text[] from employees e union all
             select to_jsonb(c) - $2::text[] from companies c order by 1",
        )
        .bind(employee)
        .bind(company)
        .fetch_all(self.db.pool())
        .await
        .unwrap()
    }

    /// The audit's invariants, and the limits by what really lies in the outbox.
    async fn promises(&self) -> Result<(), TestCaseError> {
        for invariant in audit::INVARIANTS {
            let violations = audit::violations(self.db.store(), invariant, 5).await.unwrap();
            prop_assert!(violations.is_empty(), "{}: {violations:?}", invariant.name);
        }
        for campaign in &self.manifest.campaigns {
            let path = self.root.join(format!("outbox/campaign-{}.jsonl", campaign.number));
            let Ok(text) = std::fs::read_to_string(path) else { continue };
            let mut days: BTreeMap<_, Vec<String>> = BTreeMap::new();
            for line in text.lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                if line["action"] == "enroll" {
                    let at: DateTime<Utc> = line["at"].as_str().unwrap().parse().unwrap();
                    let day = at.with_timezone(&campaign.timezone).date_naive();
                    days.entry(day).or_default().push(line["email"].as_str().unwrap().to_owned());
                }
            }
            let Some(first) = days.keys().next().copied() else { continue };
            for (day, handed) in &days {
                let most = campaign.limits.on_day((*day - first).num_days() as u32);
                prop_assert!(most.is_none_or(|most| handed.len() <= most as usize), "{day}: {handed:?}");
                for email in handed {
                    let domain = |email: &str| email.split_once('@').map(|(_, domain)| domain.to_owned());
                    let same = handed.iter().filter(|other| domain(other) == domain(email)).count();
                    let most = campaign.limits.per_domain_per_day;
                    prop_assert!(most.is_none_or(|most| same <= most as usize), "{day}: {handed:?}");
                }
            }
        }
        Ok(())
    }
}

/// Whether nothing moved that others were waiting for: then the next plan has nothing left to do.
fn is_calm(campaign: &Campaign, planned: &Planned, after: &World) -> bool {
    let moves = planned.actions.iter().any(|(id, (kind, email))| match kind {
        ActionKind::Enroll => !campaign.write_back.is_empty(),
        ActionKind::Withdraw | ActionKind::Send => true,
        // An address that changed hands makes room for another row that carries the old one.
        ActionKind::Update => {
            after.enrollments.values().any(|n| n.email == *email) && {
                let held = &after.enrollments[&(campaign.number, *id)].email;
                held == email
            }
        }
    });
    planned.blocked.is_none() && !moves
}

fn source(error: &dyn std::error::Error) -> Option<String> {
    error.source().map(|source| format!("{source} {:?}", source.source().map(ToString::to_string)))
}

fn check_counts(plan: &CampaignPlan, expected: &Planned) -> Result<(), TestCaseError> {
    let (enroll, update, withdraw) = (
        expected.count(ActionKind::Enroll),
        expected.count(ActionKind::Update),
        expected.count(ActionKind::Withdraw),
    );
    prop_assert_eq!((plan.enroll, plan.update, plan.withdraw), (enroll, update, withdraw));
    prop_assert_eq!((plan.stops, plan.keep), (expected.stops(), expected.live - update - withdraw));
    let mut skipped: BTreeMap<String, i64> = BTreeMap::new();
    for skip in expected.skipped.values() {
        *skipped.entry(skip.code().to_owned()).or_default() += 1;
    }
    prop_assert_eq!(&plan.skipped, &skipped);
    Ok(())
}

/// Text that could pass for an address if one looked away.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[a-z0-9]{1,3}",
        4 => Just("@".to_owned()),
        4 => Just(".".to_owned()),
        1 => proptest::sample::select(vec![
            " ", "\t", "\n", "\r", "\u{b}", "\u{c}", "\u{a0}", "\u{85}", "\u{1680}", "\u{2003}", "\u{200b}", "\u{2028}",
            "\u{202f}", "\u{205f}", "\u{2060}", "\u{3000}", "\u{feff}", "-", ",", ";", ":", "<", ">", "(", ")", "[", "]", "\"", "\\",
            "'", "+", "А", "Ж", "й", "É", "ß", "Ü", "Σ", "İ", "K", "%", "_", "..", "xn--", "A", "Z", "\u{7f}", "\u{1}", "😀",
        ]).prop_map(ToOwned::to_owned),
        1 => Just("a".repeat(60)),
    ];
    vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

#[test]
fn an_address_is_the_same_to_both_sides() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let db = runtime.block_on(TestDb::new());
    // Many texts in one statement: a case is a list.
    let config = Config { failure_persistence: None, ..Config::with_cases(cases(64)) };
    let result = TestRunner::new(config).run(&vec(nasty(), 1..100), |texts| {
        let (address, valid) = (diff::normalized("t"), diff::is_address("n"));
        let sql = format!(
            "select n, {valid} as valid from (
                 select {address} as n, place from unnest($1::text[]) with ordinality as u (t, place)
             ) u order by place"
        );
        let rows = runtime
            .block_on(sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&texts).fetch_all(db.pool()))
            .unwrap();
        for (text, row) in texts.iter().zip(rows) {
            let normal = normalize_address(text);
            prop_assert_eq!(row.get::<&str, _>("n"), &normal, "{:?}", text);
            prop_assert_eq!(row.get::<bool, _>("valid"), is_address(&normal), "{:?}", normal);
        }
        Ok(())
    });
    runtime.block_on(db.pool().close());
    result.unwrap_or_else(|fault| panic!("{fault}"));
}

/// A verdict about somebody of whom nothing is known says so.
fn skips(codes: &[String]) -> Vec<Skip> {
    codes.iter().map(|code| Skip::parse(code).unwrap()).collect()
}

#[tokio::test]
async fn nothing_is_known_of_a_stranger() {
    let db = TestDb::new().await;
    let manifest = world::manifest(&[[0; 4]; 3], &[[0; 20]]);
    let life = Life {
        db: &db,
        root: Path::new("."),
        manifest,
        world: World::default(),
        now: "2024-03-08T18:00:00Z".parse().unwrap(),
    };
    let stranger = Uuid::from_u128(7);
    let mut connection = db.pool().acquire().await.unwrap();
    let question = life.question(&life.manifest.campaigns[0]);
    let verdicts = diff::verdicts(&mut connection, &question, &[stranger]).await.unwrap();
    assert_eq!(verdicts, [Verdict::nothing(stranger)]);
}

/// Keeps a world in which the two once disagreed.
fn relive(draw: Draw) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let db = runtime.block_on(TestDb::new());
    let result = runtime.block_on(live_through(&db, draw));
    runtime.block_on(db.pool().close());
    result.unwrap();
}

/// A blank less in an address is the same address, and with templates a reason to fill them again.
#[test]
fn a_found_case_of_an_address_in_other_letters() {
    relive(Draw {
        companies: vec![[0, 12, 28, 74]],
        people: vec![
            [135, 117, 107, 119, 106, 152, 228, 41, 6, 33, 119, 88],
            [53, 64, 74, 240, 162, 163, 95, 145, 176, 68, 172, 38],
            [237, 233, 180, 33, 32, 25, 118, 122, 72, 178, 233, 161],
            [209, 159, 17, 241, 61, 191, 181, 63, 120, 252, 250, 49],
            [153, 181, 196, 173, 242, 142, 116, 151, 101, 14, 106, 0],
            [99, 117, 231, 228, 252, 55, 116, 251, 18, 112, 7, 126],
            [250, 190, 83, 248, 122, 108, 255, 48, 206, 7, 184, 248],
            [176, 161, 199, 241, 7, 113, 70, 81, 218, 76, 226, 183],
            [254, 17, 239, 190, 54, 139, 149, 23, 118, 253, 119, 236],
            [41, 87, 44, 246, 6, 231, 1, 67, 84, 9, 205, 240],
            [84, 56, 207, 212, 155, 6, 202, 172, 229, 45, 145, 21],
            [28, 11, 200, 221, 155, 230, 148, 218, 161, 59, 2, 29],
            [244, 114, 69, 253, 90, 7, 131, 194, 192, 2, 213, 211],
            [116, 115, 211, 232, 128, 64, 188, 180, 110, 241, 151, 8],
            [157, 4, 98, 137, 32, 6, 52, 194, 196, 45, 192, 144],
        ],
        segments: [[124, 213, 196, 244], [243, 58, 243, 147], [68, 203, 133, 23]],
        campaigns: vec![
            [167, 1, 142, 241, 234, 69, 32, 66, 70, 54, 220, 43, 36, 201, 5, 179, 236, 8, 148, 160],
            [6, 170, 152, 61, 116, 134, 46, 186, 246, 254, 92, 222, 144, 56, 118, 178, 148, 217, 239, 7],
            [20, 107, 128, 41, 117, 103, 160, 70, 238, 141, 91, 156, 19, 45, 158, 113, 251, 17, 159, 76],
        ],
        rounds: vec![
            vec![[26, 67, 16]],
            vec![[162, 234, 157], [70, 254, 118], [16, 183, 27], [112, 210, 52]],
        ],
    });
}

/// Two rows without an address, one of them enrolled when it had one, do not share it.
#[test]
fn a_found_case_of_no_address_at_all() {
    relive(Draw {
        companies: vec![[0, 0, 0, 0]],
        people: vec![
            [10, 96, 173, 130, 222, 34, 128, 187, 173, 7, 134, 68],
            [92, 42, 184, 201, 166, 211, 177, 8, 63, 250, 30, 83],
            [235, 242, 99, 155, 14, 55, 100, 26, 170, 31, 226, 194],
            [177, 204, 179, 43, 22, 79, 84, 131, 74, 20, 219, 227],
            [255, 66, 165, 215, 93, 216, 48, 167, 74, 250, 146, 180],
            [26, 115, 166, 204, 215, 78, 226, 32, 228, 255, 103, 97],
            [233, 123, 91, 252, 141, 60, 54, 13, 106, 156, 59, 93],
            [220, 23, 99, 169, 114, 125, 169, 173, 173, 173, 136, 11],
            [60, 221, 137, 200, 244, 88, 165, 141, 182, 10, 89, 44],
            [3, 177, 125, 106, 111, 206, 210, 94, 195, 223, 56, 237],
            [157, 31, 45, 38, 15, 239, 30, 237, 90, 115, 180, 215],
            [38, 110, 241, 248, 89, 93, 206, 55, 227, 141, 13, 207],
            [78, 51, 132, 190, 179, 220, 154, 124, 70, 184, 138, 227],
            [89, 191, 197, 159, 52, 197, 100, 130, 185, 118, 64, 56],
            [59, 45, 187, 5, 55, 219, 91, 68, 0, 77, 163, 244],
            [226, 241, 243, 247, 2, 56, 10, 161, 129, 209, 251, 224],
        ],
        segments: [[143, 66, 3, 30], [92, 183, 71, 196], [152, 184, 56, 16]],
        campaigns: vec![
            [83, 91, 134, 156, 250, 224, 116, 242, 189, 129, 76, 151, 203, 91, 16, 64, 95, 242, 35, 140],
            [12, 2, 255, 223, 157, 17, 236, 81, 248, 4, 136, 45, 68, 149, 212, 126, 19, 133, 212, 56],
        ],
        rounds: vec![
            vec![[62, 28, 83], [119, 170, 0], [43, 222, 18], [86, 138, 91]],
            vec![[109, 120, 18]],
            vec![[4, 104, 241], [56, 7, 127], [2, 113, 137]],
            vec![[23, 195, 54], [236, 5, 142]],
        ],
    });
}
