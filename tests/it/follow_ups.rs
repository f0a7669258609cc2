//! Mails that are due: the diff is held to a naive model of the same rules, over generated worlds.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use outreachd::manifest::{self, Manifest};
use outreachd::model::ActionKind;
use outreachd::store::StoreError;
use outreachd::store::diff::{self, Question};
use uuid::Uuid;

use crate::support::TestDb;
use crate::support::dice::Dice;

const NUMBER: i32 = 7;

fn now() -> DateTime<Utc> {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

/// One contact and all that speaks for or against its next mail.
#[derive(Debug, Clone)]
struct Person {
    id: Uuid,
    company: Uuid,
    email: String,
    status: &'static str,
    step: i16,
    due_in: Option<i64>,
    flagged: bool,
    suppressed: bool,
    /// A push that is open: its state, or none.
    open: Option<&'static str>,
    /// Its last mail was handed over so many hours ago.
    handed: i64,
    /// Its row has changed since.
    changed: bool,
}

struct World {
    people: Vec<Person>,
    waiting: BTreeSet<Uuid>,
    per_domain: Option<u32>,
    today: Option<i64>,
    pauses: bool,
    paused_campaign: bool,
}

impl World {
    fn roll(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let companies: Vec<Uuid> = (0..4).map(|n| Uuid::from_u128(0xc0 + n)).collect();
        let people = (0..14_u8)
            .map(|n| Person {
                id: Uuid::from_u128(0xe0 + u128::from(n)),
                company: companies[dice.roll(4) as usize],
                email: format!("p{n}@d{}.example", dice.roll(2)),
                status: ["active", "active", "active", "active", "replied", "finished", "withdrawn"]
                    [dice.roll(7) as usize],
                step: 1 + dice.roll(3) as i16,
                // Some at the very same time: then the id decides.
                due_in: (dice.roll(8) > 0).then(|| dice.roll(12) as i64 - 8),
                flagged: dice.roll(10) == 0,
                suppressed: dice.roll(10) == 0,
                open: [None, None, None, None, Some("recorded"), Some("retry"), Some("in_doubt")]
                    [dice.roll(7) as usize],
                handed: dice.roll(30) as i64,
                changed: dice.roll(6) == 0,
            })
            .collect();
        Self {
            people,
            waiting: companies.iter().copied().filter(|_| dice.roll(4) == 0).collect(),
            per_domain: (dice.roll(2) == 0).then(|| 1 + dice.roll(4) as u32),
            today: (dice.roll(2) == 0).then(|| dice.roll(5) as i64),
            pauses: dice.roll(2) == 0,
            paused_campaign: dice.roll(12) == 0,
        }
    }

    fn manifest(&self) -> Manifest {
        let limit =
            self.per_domain.map_or(String::new(), |n| format!("limits: {{ per_domain_per_day: {n} }}\n"));
        let colleagues = if self.pauses { "pause" } else { "continue" };
        let state = if self.paused_campaign { "paused" } else { "active" };
        let campaign = format!(
            "campaign: mails\nnumber: {NUMBER}\ntype: sales\nsegment: nobody\nprovider: mail\nstate: {state}\n\
             on_reply: {{ colleagues: {colleagues} }}\n{limit}fields: {{ name: employee.first_name }}\n\
             sequence:\n  - {{ subject: a, body: b }}\n  - {{ wait: 1d, body: c }}\n  - {{ wait: 1d, body: d }}\n"
        );
        let project = "mailboxes: { a: { address: a@us.example, smtp: { host: localhost, tls: none } } }\n\
                       providers: { mail: { kind: smtp, senders: [a], key: \"${KEY}\" } }";
        let segment = "segment: nobody\nwhere: { company.segment: Nobody }".to_owned();
        let loaded = manifest::load_sources([
            (manifest::PROJECT_FILE, project.to_owned()),
            ("segments/nobody.yaml", segment),
            ("campaigns/mails.yaml", campaign),
        ]);
        loaded.manifest.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
    }

    /// The rules as a person would apply them with a list and a pencil.
    fn due(&self) -> Vec<Uuid> {
        if self.paused_campaign {
            return Vec::new();
        }
        let mut due: Vec<&Person> = self
            .people
            .iter()
            .filter(|p| p.status == "active" && p.step < 3 && p.due_in.is_some_and(|hours| hours <= 0))
            .filter(|p| !p.flagged && !p.suppressed && !p.changed)
            .filter(|p| p.open.is_none_or(|state| state == "recorded"))
            .filter(|p| !(self.pauses && self.waiting.contains(&p.company)))
            .collect();
        due.sort_by_key(|p| (p.due_in, p.id));
        let mut domains: BTreeMap<&str, u32> = BTreeMap::new();
        for person in &self.people {
            // The local day began twelve hours ago; what may be under way is a second mail.
            let open = person.open.is_some_and(|state| state != "recorded");
            *domains.entry(domain(person)).or_default() += u32::from(person.handed <= 12) + u32::from(open);
        }
        if let Some(most) = self.per_domain {
            due.retain(|person| {
                let taken = domains.entry(domain(person)).or_default();
                *taken += 1;
                *taken <= most
            });
        }
        due.iter().map(|person| person.id).take(self.today.map_or(usize::MAX, |most| most as usize)).collect()
    }

    async fn write(&self, db: &TestDb) {
        db.execute(
            "truncate public.companies, public.employees, outreach.enrollments, outreach.pushes, outreach.mails,
                 outreach.suppressions, outreach.paused_companies cascade",
        )
        .await;
        for company in self.people.iter().map(|person| person.company).collect::<BTreeSet<_>>() {
            db.execute(&format!("insert into public.companies (id, company_name) values ('{company}', 'c')"))
                .await;
        }
        for company in &self.waiting {
            db.execute(&format!(
                "insert into outreach.paused_companies values ('{company}', {NUMBER}, 'answered', now(), null)"
            ))
            .await;
        }
        for person in &self.people {
            self.write_person(db, person).await;
        }
        // The hash is the server's own: taken over for everybody whose row has not changed.
        let manifest = self.manifest();
        let campaign = &manifest.campaigns[0];
        let hashes = format!(
            "update outreach.enrollments n set source_hash = h.hash
             from (
                 select e.id, hash_record_extended(row(e.work_email, e.first_name), {}) as hash from public.employees e
             ) h
             where h.id = n.employee_id",
            shape(campaign)
        );
        db.execute(&hashes).await;
        for person in self.people.iter().filter(|person| person.changed) {
            db.execute(&format!("update public.employees set first_name = 'New' where id = '{}'", person.id))
                .await;
        }
    }

    async fn write_person(&self, db: &TestDb, person: &Person) {
        let Person { id, company, email, status, step, flagged, handed, .. } = person;
        let due = person.due_in.map_or("null".to_owned(), |hours| {
            format!("'{}'", (now() + TimeDelta::hours(hours)).to_rfc3339())
        });
        let (begun, sent) = (now() - TimeDelta::days(9), now() - TimeDelta::hours(*handed));
        db.execute(&format!(
            "insert into public.employees (id, company_id, first_name, work_email, reply_info_request)
             values ('{id}', '{company}', 'Old', '{email}', {flagged});
             insert into outreach.enrollments (employee_id, campaign_number, company_id, email, status, ordinal, fields,
                 source_hash, enrolled_at, updated_at, step, next_at, sender)
             values ('{id}', {NUMBER}, '{company}', '{email}', '{status}', 3, '{{\"name\": \"Old\"}}', 0,
                 '{begun}', '{begun}', {step}, {due}, 'a');
             insert into outreach.mails (employee_id, campaign_number, ordinal, step, sender, message_id, subject, email,
                 made_at, handed_at, sent_at)
             values ('{id}', {NUMBER}, 3, {step}, 'a', '{id}', 's', '{email}', '{sent}', '{sent}', '{sent}')"
        ))
        .await;
        if person.suppressed {
            db.execute(&format!(
                "insert into outreach.suppressions (target, reason, source) values ('{email}', 'unsubscribed', 'test')"
            ))
            .await;
        }
        if let Some(state) = person.open {
            let attempts = i32::from(state != "recorded");
            db.execute(&format!(
                "insert into outreach.pushes (employee_id, campaign_number, ordinal, action, provider, company_id, email,
                     reason, fields, source_hash, state, attempts, reconcile_id, recorded_at)
                 values ('{id}', {NUMBER}, 4, 'send', 'mail', '{company}', '{email}', 'mail_2', '{{}}', 0, '{state}',
                     {attempts}, '{id}', '{begun}')"
            ))
            .await;
        }
    }
}

fn domain(person: &Person) -> &str {
    person.email.rsplit_once('@').unwrap().1
}

fn shape(campaign: &outreachd::model::Campaign) -> i64 {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(serde_json::to_vec(&campaign.fields).unwrap());
    i64::from_be_bytes(std::array::from_fn(|index| digest[index]))
}

#[tokio::test]
async fn the_mails_that_are_due_are_those_of_the_model() {
    let db = TestDb::new().await;
    let mut seen = [0; 2];
    for seed in 0..60 {
        let world = World::roll(seed);
        world.write(&db).await;
        let manifest = world.manifest();
        let campaign = &manifest.campaigns[0];
        let question = Question {
            campaign,
            segments: &manifest.segments,
            tolerated: vec![NUMBER],
            above: Vec::new(),
            as_of: now(),
            remaining_today: world.today,
            day_start: campaign.day_start(now()),
            mails: manifest.project.mails(campaign),
            only: None,
        };
        let mut connection = db.pool().acquire().await.unwrap();
        let report = diff::report(&mut connection, &question, 100).await.unwrap();
        let mut sends = Vec::new();
        let mut updates = BTreeSet::new();
        diff::each_action(&mut connection, &question, |row| -> Result<(), StoreError> {
            match row.action {
                ActionKind::Send => sends.push(row.employee_id),
                ActionKind::Update => {
                    updates.insert(row.employee_id);
                }
                _ => {}
            }
            Ok(())
        })
        .await
        .unwrap();
        let expected: BTreeSet<Uuid> = world.due().into_iter().collect();
        let found: BTreeSet<Uuid> = sends.iter().copied().collect();
        assert_eq!(found, expected, "seed {seed}: {:#?}", world.people);
        assert_eq!((sends.len(), report.send), (found.len(), found.len() as i64), "seed {seed}");
        assert!(updates.is_disjoint(&found), "seed {seed}: one action a contact");
        seen[usize::from(!found.is_empty())] += 1;
    }
    assert!(seen.iter().all(|worlds| *worlds > 5), "the worlds are alike: {seen:?}");
}
