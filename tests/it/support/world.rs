//! Generated worlds: the same contacts, campaigns and mutations for the model and for the database.
//!
//! Every choice is a byte, and 0 is the plainest one, so that a failing world shrinks to what matters.
//! Never decides what the diff should say.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use outreachd::manifest::{self, Manifest};
use outreachd::model::{
    ActionKind, Campaign, Draft, FieldRef, FieldSource, Limits, Membership, OnLeave, Op, Order, OutreachType,
    Ramp, Review, Rule, Safety, Scalar, Segment, Span, SpanUnit, State, Test, WriteBack, normalize_address,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::model::{Company, Drafted, MAY_LACK_REGION, NEEDS_POSITION, Open, Person, World};

pub(crate) type Bytes<const N: usize> = [u8; N];

const SEGMENTS: [&str; 3] = ["first", "second", "third"];
const EXIT: &str = "done";
const DOMAINS: [&str; 3] = ["a.example", "b.example", "c.example"];

fn pick<T: Copy, const N: usize>(from: [T; N], byte: u8) -> T {
    from[usize::from(byte) % N]
}

pub(crate) fn field(name: &str) -> FieldRef {
    FieldRef::parse(name).unwrap()
}

fn equals(name: &str, text: &str) -> Rule {
    Rule::Test(Test { field: field(name), op: Op::Eq(Scalar::Text(text.to_owned())), at: String::new() })
}

/// A manifest with one `file` provider; what it declares is put in by the caller.
pub(crate) fn manifest(segments: &[Bytes<4>; 3], campaigns: &[Bytes<20>]) -> Manifest {
    let project = "providers: { outbox: { kind: file, dir: outbox, batch: 3 } }";
    let mut manifest = manifest::load_sources([(manifest::PROJECT_FILE, project)]).manifest.unwrap();
    for (name, bytes) in SEGMENTS.iter().zip(segments) {
        manifest.segments.insert((*name).to_owned(), segment(name, *bytes));
    }
    let mut exit = segment(EXIT, [0; 4]);
    exit.rule = equals("employee.client_status", "client");
    manifest.segments.insert(EXIT.to_owned(), exit);
    manifest.campaigns = campaigns.iter().zip(1..).map(|(bytes, number)| campaign(number, bytes)).collect();
    manifest
}

fn segment(name: &str, bytes: Bytes<4>) -> Segment {
    let fintech = || equals("company.segment", "Fintech");
    let order = |descending| Order { field: field("company.revenue"), descending };
    Segment {
        name: name.to_owned(),
        description: None,
        rule: match bytes[0] % 4 {
            0 => Rule::All(vec![]),
            1 => fintech(),
            2 => Rule::Not(Box::new(fintech())),
            _ => Rule::Any(vec![fintech(), equals("employee.position", "CTO")]),
        },
        order_by: pick([None, Some(false), Some(true)], bytes[1]).map(order).into_iter().collect(),
        per_company: pick([None, None, Some(1), Some(2)], bytes[2]),
        limit: pick([None, None, None, Some(3), Some(6)], bytes[3]),
        examples: vec![],
        file: String::new(),
    }
}

fn campaign(number: i32, bytes: &Bytes<20>) -> Campaign {
    let days = |count| Span::new(count, SpanUnit::Day);
    Campaign {
        colleagues: outreachd::model::Colleagues::Continue,
        name: format!("c{number}"),
        description: None,
        number,
        outreach_type: pick([OutreachType::Sales, OutreachType::Marketing], bytes[17]),
        segment: pick(SEGMENTS, bytes[14]).to_owned(),
        provider: "outbox".to_owned(),
        state: pick([State::Active, State::Active, State::Active, State::Paused, State::Archived], bytes[0]),
        membership: pick([Membership::Enroll, Membership::Mirror], bytes[1]),
        on_leave: pick([OnLeave::Withdraw, OnLeave::Withdraw, OnLeave::Keep], bytes[2]),
        exit: pick([None, Some(EXIT)], bytes[3]).map(ToOwned::to_owned),
        priority: i32::from(bytes[4] % 3),
        overlap: bytes[5] % 2 == 1,
        holdout: pick([0, 0, 2500], bytes[6]),
        cooldown: pick([None, None, Some(days(0)), Some(days(2))], bytes[7]),
        verified: pick([None, Some(days(2)), None, None], bytes[18]),
        company_cap: pick([None, None, Some(1), Some(3)], bytes[8]),
        schedule: None,
        timezone: pick(
            [
                chrono_tz::UTC,
                chrono_tz::Europe::Moscow,
                chrono_tz::America::New_York,
                chrono_tz::Asia::Beirut,
            ],
            bytes[12],
        ),
        window: None,
        limits: Limits {
            per_day: pick([None, None, Some(2), Some(5)], bytes[9]),
            per_domain_per_day: pick([None, None, Some(1), Some(3)], bytes[10]),
            ramp: pick([None, None, Some((1, 1, 1)), Some((2, 2, 2))], bytes[11])
                .map(|(start, add, every_days)| Ramp { start, add, every_days }),
        },
        fields: fields(bytes[13])
            .into_iter()
            .chain((bytes[19] % 8 == 1).then(|| ("opener".to_owned(), FieldSource::Draft(drafted_field()))))
            .collect(),
        sequence: vec![],
        safety: safety(bytes[15]),
        remote: None,
        write_back: [
            ("employee.processing_status", "enrolled"),
            ("company.status", "Paused"),
            ("employee.client_status", "client"),
        ]
        .into_iter()
        .zip(0..)
        .filter(|(_, bit)| bytes[16] & (1 << bit) != 0)
        .map(|((name, value), _)| WriteBack { field: field(name), value: value.to_owned() })
        .collect(),
        file: String::new(),
    }
}

fn safety(byte: u8) -> Safety {
    let (max_enroll, max_withdraw_percent, from) =
        pick([(None, 100, 1), (None, 30, 3), (Some(4), 50, 10)], byte);
    Safety { max_enroll, max_withdraw_percent, from }
}

fn drafted_field() -> Draft {
    Draft {
        prompt: String::new(),
        text: String::new(),
        reads: Vec::new(),
        model: None,
        max_words: 10,
        language: None,
        links: false,
        review: Review::Required,
        spec: String::new(),
    }
    .with_spec()
}

/// Somebody drafts, or decides.
fn draft(key: Uuid, person: &mut Person, number: i32, byte: u8) -> String {
    let state = pick(["approved", "drafted", "failed", "rejected"], byte);
    let drafted = Drafted { text: format!("Text {}", byte % 3), state, fresh: !byte.is_multiple_of(5) };
    let sql = format!(
        "insert into outreach.drafts (employee_id, campaign_number, field, spec, digest, text, state, drafted_at)
         values ('{key}', {number}, 'opener', '{}', '', '{}', '{state}', now())
         on conflict (employee_id, campaign_number, field) do update
         set spec = excluded.spec, text = excluded.text, state = excluded.state",
        if drafted.fresh { drafted_field().spec } else { "another".to_owned() },
        drafted.text,
    );
    person.drafts.insert(number, drafted);
    sql
}

fn fields(mask: u8) -> BTreeMap<String, FieldSource> {
    let column = |name: &str, default: Option<&str>| FieldSource::Column {
        from: field(name),
        default: default.map(ToOwned::to_owned),
    };
    let template =
        |text: &str, reads: &str| FieldSource::Template { text: text.to_owned(), reads: vec![field(reads)] };
    [
        ("first_name", column("employee.first_name", None)),
        ("persona", column("employee.ai_research_data.persona", Some("stranger"))),
        ("revenue", column("company.revenue", Some("unknown"))),
        ("sender", FieldSource::Value("the team".to_owned())),
        ("greeting", template(NEEDS_POSITION, "employee.position")),
        ("place", template(MAY_LACK_REGION, "company.region")),
        ("region", column("company.region", None)),
    ]
    .into_iter()
    .zip(0..)
    .filter(|(_, bit)| mask & (1 << bit) != 0)
    .map(|((name, source), _)| (name.to_owned(), source))
    .collect()
}

/// One contact's or company's key: fixed, and in another order than the rows are made in.
fn id(kind: u8, index: usize) -> Uuid {
    let mixed = (index as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Uuid::from_u128((mixed & !0xff) | u128::from(kind))
}

fn email(index: usize, byte: u8) -> Option<String> {
    Some(match byte % 20 {
        0..=11 => format!("p{index}@{}", pick(DOMAINS, byte)),
        12 | 13 => "same@a.example".to_owned(),
        14 => " SAME@A.Example\t".to_owned(),
        15 => "other@b.example".to_owned(),
        16 => return None,
        17 => " ".to_owned(),
        18 => "nonsense".to_owned(),
        _ => "\u{a0}P0@a.example\n".to_owned(),
    })
}

/// What is known of an address: nothing, or that it was alive now or three days ago, or dead.
fn verified(email: Option<&str>, byte: u8, now: DateTime<Utc>) -> Option<(String, bool, DateTime<Utc>)> {
    let address = normalize_address(email?);
    let at = now - TimeDelta::hours(pick([0, 0, 72, 1], byte));
    (!byte.is_multiple_of(4)).then_some((address, byte % 4 < 3, at))
}

/// The statement that writes it down.
fn verification(key: Uuid, person: &Person) -> String {
    let Some((address, alive, at)) = &person.verified else { return String::new() };
    format!(
        ";
         insert into outreach.verifications (employee_id, email, status, source, checked_at)
         values ('{key}', {}, '{}', 'test', '{}')
         on conflict (employee_id) do update
         set email = excluded.email, status = excluded.status, checked_at = excluded.checked_at",
        literal(Some(address)),
        if *alive { "valid_catch_all" } else { "catch_all" },
        at.to_rfc3339(),
    )
}

fn text(from: [Option<&str>; 4], byte: u8) -> Option<String> {
    pick(from, byte).map(ToOwned::to_owned)
}

fn first_name(byte: u8) -> Option<String> {
    text([Some("Anna"), Some(" Boris "), None, Some("\t")], byte)
}

fn position(byte: u8) -> Option<String> {
    text([Some("CTO"), Some("CFO"), None, Some("")], byte)
}

fn region(byte: u8) -> Option<String> {
    text([Some("North"), Some("South"), None, Some(" ")], byte)
}

fn company_segment(byte: u8) -> Option<String> {
    text([Some("Fintech"), Some("Retail"), None, Some("Fintech")], byte)
}

fn persona(byte: u8) -> Value {
    [json!("builder"), Value::Null, json!(7), json!(" ")][usize::from(byte % 4)].clone()
}

fn company(bytes: Bytes<4>) -> Company {
    Company {
        segment: company_segment(bytes[0]),
        region: region(bytes[1]),
        revenue: pick([None, Some(10), Some(20), Some(10)], bytes[2]),
        status: Some("Active".to_owned()),
    }
}

fn person(index: usize, bytes: &Bytes<12>, companies: usize, start: DateTime<Utc>) -> Person {
    let company = usize::from(bytes[0]) % (companies + 1);
    Person {
        company: (company < companies).then(|| id(1, company)),
        email: email(index, bytes[1]),
        first_name: first_name(bytes[2] / 3),
        position: position(bytes[3] / 3),
        client_status: (bytes[4] % 8 == 7).then(|| "client".to_owned()),
        persona: persona(bytes[5]),
        unsubscribed: bytes[6] % 16 == 15,
        bounced: bytes[7] % 16 == 15,
        replied: bytes[8] % 16 == 15,
        sent: pick([None, None, None, Some(30), Some(100)], bytes[9]).map(|h| start - TimeDelta::hours(h)),
        processing_status: Some("pending".to_owned()),
        verified: verified(email(index, bytes[1]).as_deref(), bytes[10], start),
        ..Person::default()
    }
}

/// What is generated.
#[derive(Clone)]
pub(crate) struct Draw {
    pub(crate) companies: Vec<Bytes<4>>,
    pub(crate) people: Vec<Bytes<12>>,
    pub(crate) segments: [Bytes<4>; 3],
    pub(crate) campaigns: Vec<Bytes<20>>,
    pub(crate) rounds: Vec<Vec<Bytes<3>>>,
}

/// On a few lines, whatever the caller's format.
impl std::fmt::Debug for Draw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { companies, people, segments, campaigns, rounds } = self;
        writeln!(f, "companies {companies:?}\npeople {people:?}\nsegments {segments:?}")?;
        writeln!(f, "campaigns {campaigns:?}\nrounds {rounds:?}")
    }
}

/// The world before anything happened, and the statements that make it.
pub(crate) fn start(draw: &Draw, at: DateTime<Utc>) -> (World, Vec<String>) {
    let mut world = World::default();
    let mut sql = Vec::new();
    for (index, bytes) in draw.companies.iter().enumerate() {
        let company = company(*bytes);
        sql.push(format!(
            "insert into companies (id, company_name, segment, region, revenue, status)
             values ('{}', 'Company {index}', {}, {}, {}, 'Active')",
            id(1, index),
            literal(company.segment.as_deref()),
            literal(company.region.as_deref()),
            company.revenue.map_or("null".to_owned(), |revenue| revenue.to_string()),
        ));
        world.companies.insert(id(1, index), company);
    }
    for (index, bytes) in draw.people.iter().enumerate() {
        sql.push(add(&mut world, index, person(index, bytes, draw.companies.len(), at)));
    }
    (world, sql)
}

fn add(world: &mut World, index: usize, person: Person) -> String {
    let key = id(2, index);
    let sql = format!(
        "delete from outreach.verifications where employee_id = '{key}';
         delete from outreach.drafts where employee_id = '{key}';
         insert into employees (id, company_id, work_email, first_name, position, client_status,
             ai_research_data, reply_unsubscribe, reply_bounce, reply_info_request, outreach_sent_date)
         values ('{key}', {}, {}, {}, {}, {}, {}::jsonb, {}, {}, {}, {}::timestamptz)",
        literal(person.company.map(|id| id.to_string()).as_deref()),
        literal(person.email.as_deref()),
        literal(person.first_name.as_deref()),
        literal(person.position.as_deref()),
        literal(person.client_status.as_deref()),
        literal(Some(&json!({ "persona": person.persona }).to_string())),
        person.unsubscribed,
        person.bounced,
        person.replied,
        literal(person.sent.map(|sent| sent.to_rfc3339()).as_deref()),
    ) + &verification(key, &person);
    world.people.insert(key, person);
    flag(world, key);
    sql
}

/// A reply flag suppresses the address, not only the row.
fn flag(world: &mut World, id: Uuid) {
    let person = &world.people[&id];
    let address = person.address();
    if (person.unsubscribed || person.bounced) && address.contains('@') {
        world.suppressed.entry(address).or_insert(true);
    }
}

/// A flag taken back lifts what it had suppressed, unless another row still has it.
fn unflag(world: &mut World, id: Uuid) {
    let address = world.people[&id].address();
    let flagged = |person: &Person| (person.unsubscribed || person.bounced) && person.address() == address;
    if world.suppressed.get(&address) == Some(&true) && !world.people.values().any(flagged) {
        world.suppressed.remove(&address);
    }
}

fn literal(text: Option<&str>) -> String {
    text.map_or("null".to_owned(), |text| format!("'{}'", text.replace('\'', "''")))
}

/// One thing that happens between two passes; returns the statements that make it happen.
pub(crate) fn happen(
    world: &mut World,
    manifest: &mut Manifest,
    bytes: Bytes<3>,
    now: DateTime<Utc>,
) -> String {
    let [what, whom, how] = bytes;
    let keys: Vec<Uuid> = world.people.keys().copied().collect();
    let Some(key) = keys.get(usize::from(whom) % keys.len().max(1)).copied() else { return String::new() };
    let campaign = usize::from(how) % manifest.campaigns.len();
    let set =
        |column: &str, value: String| format!("update employees set {column} = {value} where id = '{key}'");
    let person = world.people.get_mut(&key).unwrap();
    match what % 22 {
        1 => {
            person.first_name = first_name(how);
            set("first_name", literal(person.first_name.as_deref()))
        }
        2 | 3 => {
            person.email = email(usize::from(whom) % keys.len(), how);
            let sql = set("work_email", literal(person.email.as_deref()));
            flag(world, key);
            sql
        }
        4 | 5 => {
            let was = person.unsubscribed || person.bounced;
            let column = if what % 22 == 4 { "reply_unsubscribe" } else { "reply_bounce" };
            let flag_of = if what % 22 == 4 { &mut person.unsubscribed } else { &mut person.bounced };
            *flag_of = !*flag_of;
            let sql = set(column, flag_of.to_string());
            let is = person.unsubscribed || person.bounced;
            if is {
                flag(world, key);
            } else if was {
                unflag(world, key);
            }
            sql
        }
        6 => {
            person.replied = !person.replied;
            set("reply_info_request", person.replied.to_string())
        }
        7 => {
            world.people.remove(&key);
            format!("delete from employees where id = '{key}'")
        }
        8 | 9 => {
            let Some(id) = person.company else { return String::new() };
            let company = world.companies.get_mut(&id).unwrap();
            company.segment = company_segment(how);
            format!(
                "update companies set segment = {} where id = '{id}'",
                literal(company.segment.as_deref())
            )
        }
        10 => {
            person.position = position(how);
            set("position", literal(person.position.as_deref()))
        }
        11 | 12 => {
            let address = person.address();
            let target = match (what % 22, address.split_once('@')) {
                (_, None) => return String::new(),
                (11, _) => address,
                (_, Some((_, domain))) => format!("@{domain}"),
            };
            world.suppressed.entry(target.clone()).or_insert(false);
            format!(
                "insert into outreach.suppressions (target, reason, source)
                 values ({}, 'do_not_contact', 'test') on conflict do nothing",
                literal(Some(&target))
            )
        }
        13 => {
            person.persona = persona(how);
            set(
                "ai_research_data",
                format!("{}::jsonb", literal(Some(&json!({ "persona": person.persona }).to_string()))),
            )
        }
        14 => {
            person.client_status = (how % 2 == 0).then(|| "client".to_owned());
            set("client_status", literal(person.client_status.as_deref()))
        }
        15 => {
            let index = world.people.len() + 100 + usize::from(whom);
            if world.people.contains_key(&id(2, index)) {
                return String::new();
            }
            let companies = world.companies.len();
            let person = person_of(index, whom, how, companies, now);
            add(world, index, person)
        }
        16 => hang(world, manifest.campaigns[campaign].number, key, now),
        17 => {
            manifest.campaigns[campaign].state = pick([State::Active, State::Paused, State::Archived], whom);
            String::new()
        }
        18 => {
            let Some(id) = person.company else { return String::new() };
            let company = world.companies.get_mut(&id).unwrap();
            company.region = region(how);
            format!("update companies set region = {} where id = '{id}'", literal(company.region.as_deref()))
        }
        19 => {
            let companies: Vec<Uuid> = world.companies.keys().copied().collect();
            person.company = companies.get(usize::from(how) % (companies.len() + 1)).copied();
            set("company_id", literal(person.company.map(|id| id.to_string()).as_deref()))
        }
        20 => {
            manifest.campaigns[campaign].fields = fields(whom);
            String::new()
        }
        21 => {
            let number = manifest.campaigns[campaign].number;
            match world.enrollments.get_mut(&(number, key)).filter(|enrollment| enrollment.live()) {
                None => String::new(),
                Some(enrollment) => {
                    enrollment.status = "finished";
                    format!(
                        "update outreach.enrollments set status = 'finished'
                         where employee_id = '{key}' and campaign_number = {number}"
                    )
                }
            }
        }
        _ if how >= 128 => draft(key, person, manifest.campaigns[campaign].number, how / 4),
        _ => {
            person.verified = verified(person.email.as_deref(), how, now);
            match verification(key, person) {
                sql if sql.is_empty() => {
                    format!("delete from outreach.verifications where employee_id = '{key}'")
                }
                sql => sql,
            }
        }
    }
}

fn person_of(index: usize, a: u8, b: u8, companies: usize, now: DateTime<Utc>) -> Person {
    person(index, &[a, b, b, a, 0, a, 0, 0, 0, 0, 0, 0], companies, now)
}

/// A push that the provider put off for a long time.
fn hang(world: &mut World, number: i32, key: Uuid, now: DateTime<Utc>) -> String {
    let person = &world.people[&key];
    let earlier = world.enrollments.get(&(number, key));
    let taken = world.open.iter().any(|push| push.campaign == number && push.person == key);
    let address = person.address();
    let action = match earlier {
        _ if taken || !outreachd::model::is_address(&address) => return String::new(),
        None => ActionKind::Enroll,
        Some(enrollment) if enrollment.live() => ActionKind::Withdraw,
        Some(_) => return String::new(),
    };
    let push = Open { campaign: number, person: key, action, email: address, company: person.company };
    let sql = format!(
        "insert into outreach.pushes (employee_id, campaign_number, ordinal, action, provider, company_id,
             email, reason, fields, source_hash, state, attempts, not_before, reconcile_id, recorded_at)
         values ('{key}', {number}, (select coalesce(max(ordinal), 0) + 1 from outreach.enrollments
                 where employee_id = '{key}' and campaign_number = {number}),
             '{}', 'outbox', {}, {}, 'test', '{{}}', 0, 'retry', 1, '2100-01-01', gen_random_uuid(), '{}')",
        action.as_str(),
        literal(push.company.map(|id| id.to_string()).as_deref()),
        literal(Some(&push.email)),
        now.to_rfc3339(),
    );
    world.open.push(push);
    sql
}

/// Puts the rows of the reference tables into another physical order.
pub(crate) fn shuffled(seed: usize) -> String {
    let mut sql = String::new();
    for table in ["employees", "companies"] {
        let _ = write!(
            sql,
            "alter table {table} disable trigger user;
             update {table} set id = id where hashtext(id::text || '{seed}') % 2 = 0;
             update {table} set id = id where hashtext(id::text || 'again{seed}') % 3 = 0;
             alter table {table} enable trigger user;"
        );
    }
    sql
}
