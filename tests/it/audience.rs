//! Compiled rules, held on PostgreSQL to the naive model over generated contacts.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use outreachd::audience::{Binds, CONTACTS, Scope, explain, funnel, predicate, strict};
use outreachd::model::{FieldRef, Kind, Op, Rule, Scalar, Segment, Span, SqlClause, Test};
use outreachd::store::arguments;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::support::TestDb;
use crate::support::naive::{Contact, PATTERNS, SQL, holds};

const OPERATORS: &[&str] = &[
    "eq",
    "ne",
    "in",
    "not_in",
    "lt",
    "lte",
    "gt",
    "gte",
    "between",
    "like",
    "ilike",
    "starts_with",
    "ends_with",
    "contains",
    "matches",
    "word",
    "is_null",
    "is_set",
    "has",
    "has_any",
    "is_empty",
    "older_than",
    "newer_than",
    "before",
    "after",
    "on",
];

const FIELDS: &[&str] = &[
    "company.segment",
    "employee.position",
    "company.sme_registry",
    "employee.reply_info_request",
    "company.employee_count",
    "employee.campaign_number",
    "company.revenue",
    "company.registration_date",
    "employee.test_date",
    "employee.outreach_sent_date",
    "company.all_company_emails",
    "employee.phone_numbers",
    "employee.company_id",
    "employee.ai_research_data",
    "employee.ai_research_data.persona",
    "employee.ai_research_data.it's \"so\\",
    "employee.ai_research_data.deep.er",
    "employee.ai_research_data.nowhere",
];

/// Pieces that values and patterns are both put together from, so that they meet.
const PIECES: &[&str] = &[
    "CTO",
    "cto",
    "Director",
    "директор",
    "ДИРЕКТОР",
    "%",
    "_",
    "\\",
    "'",
    "\"",
    "\n",
    " ",
    "50%",
    "a_b",
    "é",
    "É",
    "日本",
    "🦀",
    "C++",
    "; --",
    "$1",
    "{}",
    "[a]",
    "(",
    ".",
    "*",
    "1",
    "0",
    "-",
    "true",
    "null",
];

const TIMES: &[&str] = &[
    "2024-02-29T00:00:00Z",
    "2024-02-29T23:59:59.999999Z",
    "2024-03-01T00:00:00Z",
    "2026-02-28T12:00:00Z",
    "2026-03-01T12:00:00Z",
    "2026-02-28T11:59:59Z",
    "1999-12-31T22:00:00Z",
];

fn as_of() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn text() -> BoxedStrategy<String> {
    vec(select(PIECES), 0..4).prop_map(|pieces| pieces.concat()).boxed()
}

fn time() -> impl Strategy<Value = DateTime<Utc>> {
    select(TIMES).prop_map(|text| text.parse().unwrap())
}

fn day() -> impl Strategy<Value = NaiveDate> {
    time().prop_map(|at| at.date_naive())
}

fn decimal() -> impl Strategy<Value = Decimal> {
    (-3_i64..4, select(vec![0_u32, 1, 2])).prop_map(|(number, scale)| Decimal::new(number * 50, scale))
}

fn id() -> impl Strategy<Value = Uuid> {
    (1_u128..4).prop_map(Uuid::from_u128)
}

fn json_value() -> BoxedStrategy<Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        select(vec![0.5, -1.25, 100.0 / 8.0]).prop_map(Value::from),
        text().prop_map(Value::from),
        vec(text(), 0..3).prop_map(Value::from),
        time().prop_map(|at| Value::from(at.to_rfc3339())),
        select(vec![
            "2024-02-29",
            "2023-02-29",
            "2024-02-29T25:00:00Z",
            "2024-02-29 23:59:59.5",
            "2024-02-29 00:00:00",
            "2024-03-01T01:00:00+03:00",
            "2024-03-01T01:00:00Z",
            "true",
            "1",
        ])
        .prop_map(Value::from),
    ]
    .boxed()
}

fn columns(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> impl Strategy<Value = Map<String, Value>> {
    fields
        .into_iter()
        .map(|(name, value)| (Just(name.to_owned()), option::of(value).prop_map(Value::from)))
        .collect::<Vec<_>>()
        .prop_map(|columns| columns.into_iter().collect())
}

fn contact() -> impl Strategy<Value = Contact> {
    let texts = || vec(text(), 0..3).prop_map(Value::from).boxed();
    let json = (json_value(), json_value(), json_value())
        .prop_map(|(a, b, c)| json!({"persona": a, "it's \"so\\": b, "deep": {"er": c}}));
    let company = columns(vec![
        ("segment", text().prop_map(Value::from).boxed()),
        ("sme_registry", any::<bool>().prop_map(Value::from).boxed()),
        ("employee_count", (-3_i64..4).prop_map(Value::from).boxed()),
        ("revenue", decimal().prop_map(|number| number.to_string().into()).boxed()),
        ("registration_date", day().prop_map(|day| day.to_string().into()).boxed()),
        ("all_company_emails", texts()),
    ]);
    let employee = columns(vec![
        ("position", text().prop_map(Value::from).boxed()),
        ("reply_info_request", any::<bool>().prop_map(Value::from).boxed()),
        ("campaign_number", (-3_i64..4).prop_map(Value::from).boxed()),
        ("test_date", time().prop_map(|at| at.to_rfc3339().into()).boxed()),
        ("outreach_sent_date", time().prop_map(|at| at.to_rfc3339().into()).boxed()),
        ("phone_numbers", texts()),
        ("ai_research_data", prop_oneof![9 => json, 1 => json_value()].boxed()),
    ]);
    // One contact in eight has no company.
    (option::weighted(0.875, company), employee)
        .prop_map(|(company, employee)| Contact { company: company.unwrap_or_default(), employee })
}

fn scalar(kind: Kind) -> BoxedStrategy<Scalar> {
    match kind {
        Kind::Text | Kind::TextArray => text().prop_map(Scalar::Text).boxed(),
        Kind::Bool => any::<bool>().prop_map(Scalar::Bool).boxed(),
        Kind::Int => prop_oneof![9 => -3_i64..4, 1 => Just(i64::MAX)].prop_map(Scalar::Int).boxed(),
        Kind::Decimal => decimal().prop_map(Scalar::Decimal).boxed(),
        Kind::Date => day().prop_map(Scalar::Date).boxed(),
        Kind::Timestamp => time().prop_map(Scalar::Timestamp).boxed(),
        Kind::Uuid => id().prop_map(Scalar::Uuid).boxed(),
        Kind::Json => {
            prop_oneof![scalar(Kind::Text), scalar(Kind::Bool), scalar(Kind::Int), scalar(Kind::Decimal)]
                .boxed()
        }
    }
}

fn span() -> impl Strategy<Value = Span> {
    select(vec!["0s", "1d", "2y", "24mo", "9999y", "4294967295y", "365d"])
        .prop_map(|text| text.parse().unwrap())
}

/// Every operator that the manifest admits for the field.
fn operators(field: &FieldRef) -> Vec<BoxedStrategy<Op>> {
    let kind = field.field.kind;
    let flag = any::<bool>;
    let mut ops = vec![flag().prop_map(Op::IsNull).boxed(), flag().prop_map(Op::IsSet).boxed()];
    if matches!(kind, Kind::TextArray | Kind::Json) {
        ops.push(flag().prop_map(Op::IsEmpty).boxed());
        ops.push(text().prop_map(Op::Has).boxed());
        ops.push(vec(text(), 0..3).prop_map(Op::HasAny).boxed());
    }
    // How PostgreSQL writes a whole document is its own affair.
    if kind == Kind::TextArray || (kind == Kind::Json && field.path.is_empty()) {
        return ops;
    }
    let one = || scalar(kind);
    ops.push(one().prop_map(Op::Eq).boxed());
    ops.push(one().prop_map(Op::Ne).boxed());
    ops.push(vec(one(), 0..4).prop_map(Op::In).boxed());
    ops.push(vec(one(), 0..4).prop_map(Op::NotIn).boxed());
    if !matches!(kind, Kind::Bool | Kind::Uuid) {
        ops.push(one().prop_map(Op::Lt).boxed());
        ops.push(one().prop_map(Op::Lte).boxed());
        ops.push(one().prop_map(Op::Gt).boxed());
        ops.push(one().prop_map(Op::Gte).boxed());
        ops.push((one(), one()).prop_map(|(low, high)| Op::Between(low, high)).boxed());
    }
    if matches!(kind, Kind::Text | Kind::Json) {
        ops.push(text().prop_map(Op::Like).boxed());
        ops.push(text().prop_map(Op::Ilike).boxed());
        ops.push(text().prop_map(Op::StartsWith).boxed());
        ops.push(text().prop_map(Op::EndsWith).boxed());
        ops.push(text().prop_map(Op::Contains).boxed());
        ops.push(text().prop_map(Op::Word).boxed());
        ops.push(select(PATTERNS).prop_map(|(pattern, _)| Op::Matches(pattern.to_owned())).boxed());
    }
    if matches!(kind, Kind::Date | Kind::Timestamp | Kind::Json) {
        // Inside json a literal stays the text it was written as.
        let moment = || match kind {
            Kind::Json => select(TIMES).prop_map(|text| Scalar::Text(text.to_owned())).boxed(),
            kind => scalar(kind),
        };
        ops.push(span().prop_map(Op::OlderThan).boxed());
        ops.push(span().prop_map(Op::NewerThan).boxed());
        ops.push(moment().prop_map(Op::Before).boxed());
        ops.push(moment().prop_map(Op::After).boxed());
        ops.push(day().prop_map(Op::On).boxed());
    }
    ops
}

fn fields() -> Vec<FieldRef> {
    FIELDS.iter().map(|name| FieldRef::parse(name).unwrap()).collect()
}

fn test() -> impl Strategy<Value = Rule> {
    select(fields()).prop_flat_map(|field| {
        let op = proptest::strategy::Union::new(operators(&field));
        op.prop_map(move |op| Rule::Test(Test { field: field.clone(), op }))
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let sql =
        select(SQL).prop_map(|(text, _)| Rule::Sql(SqlClause { text: text.to_owned(), at: String::new() }));
    let known =
        select(vec!["clients", "nested", "missing"]).prop_map(|name| Rule::InSegment(name.to_owned()));
    let leaf = prop_oneof![8 => test(), 1 => sql, 1 => known];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Rule::All),
            vec(inner.clone(), 0..4).prop_map(Rule::Any),
            inner.prop_map(|part| Rule::Not(Box::new(part))),
        ]
    })
}

fn segment(name: &str, rule: Rule) -> Segment {
    Segment {
        name: name.to_owned(),
        description: None,
        rule,
        order_by: Vec::new(),
        per_company: None,
        limit: None,
        examples: Vec::new(),
        file: format!("segments/{name}.yaml"),
    }
}

fn segments() -> BTreeMap<String, Segment> {
    let clients = is("company.segment", Op::Contains("cto".to_owned()));
    let nested = Rule::Any(vec![
        Rule::Not(Box::new(Rule::InSegment("clients".to_owned()))),
        is("company.revenue", Op::Gt(Scalar::Int(0))),
    ]);
    [segment("clients", clients), segment("nested", nested)]
        .into_iter()
        .map(|segment| (segment.name.clone(), segment))
        .collect()
}

fn is(field: &str, op: Op) -> Rule {
    Rule::Test(Test { field: FieldRef::parse(field).unwrap(), op })
}

/// Contacts in a database of their own, seen from a session that is as unlike ours as it can be.
struct World {
    runtime: tokio::runtime::Runtime,
    connection: PgConnection,
    contacts: Vec<Contact>,
    segments: BTreeMap<String, Segment>,
    /// Last: it outlives its connections.
    _db: TestDb,
}

impl World {
    fn new(runner: &mut TestRunner) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut contacts = vec(contact(), 200).new_tree(runner).unwrap().current();
        for (index, contact) in contacts.iter_mut().enumerate() {
            let id = Uuid::from_u128(index as u128 + 1).to_string();
            contact.employee.insert("id".to_owned(), id.clone().into());
            if !contact.company.is_empty() {
                contact.company.insert("id".to_owned(), id.clone().into());
                contact.company.insert("company_name".to_owned(), "A company".into());
                contact.employee.insert("company_id".to_owned(), id.into());
            }
        }
        let (db, connection) = runtime.block_on(async {
            let db = TestDb::new().await;
            let mut connection = db.pool().acquire().await.unwrap().detach();
            let companies = contacts.iter().map(|contact| &contact.company).filter(|row| !row.is_empty());
            insert(&mut connection, "companies", companies.collect()).await;
            insert(&mut connection, "employees", contacts.iter().map(|contact| &contact.employee).collect())
                .await;
            for setting in ["timezone to 'America/New_York'", "standard_conforming_strings to off"] {
                sqlx::query(AssertSqlSafe(format!("set {setting}"))).execute(&mut connection).await.unwrap();
            }
            (db, connection)
        });
        Self { runtime, connection, contacts, segments: segments(), _db: db }
    }

    fn select<T>(&mut self, sql: String, binds: &Binds) -> Vec<T>
    where
        T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
    {
        let arguments = arguments(binds).unwrap();
        let query = sqlx::query_as_with(AssertSqlSafe(sql.clone()), arguments).persistent(false);
        self.runtime
            .block_on(query.fetch_all(&mut self.connection))
            .unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }

    /// Holds the rule as a filter, and its opposite as a value, to the model.
    fn check(&mut self, rule: &Rule) -> Result<(), TestCaseError> {
        let segments = self.segments.clone();
        let scope = Scope { segments: &segments, as_of: as_of() };
        let expected: Vec<bool> =
            self.contacts.iter().map(|contact| holds(rule, contact, &segments, as_of())).collect();

        let mut binds = Binds::default();
        let filter = predicate(rule, &scope, &mut binds);
        let found: Vec<(Uuid,)> = self.select(format!("select e.id from {CONTACTS} where {filter}"), &binds);
        let found: BTreeSet<Uuid> = found.into_iter().map(|(id,)| id).collect();

        let mut binds = Binds::default();
        let opposite = strict(&Rule::Not(Box::new(rule.clone())), &scope, &mut binds);
        // A null would fail to decode.
        let opposites: Vec<(Uuid, bool)> =
            self.select(format!("select e.id, {opposite} from {CONTACTS}"), &binds);
        let opposites: BTreeMap<Uuid, bool> = opposites.into_iter().collect();

        for (index, expected) in expected.into_iter().enumerate() {
            let id = Uuid::from_u128(index as u128 + 1);
            let contact = &self.contacts[index];
            prop_assert_eq!(found.contains(&id), expected, "{}\n{:?}\n{}", rule, contact, filter);
            prop_assert_eq!(opposites[&id], !expected, "not {}\n{:?}\n{}", rule, contact, opposite);
        }
        Ok(())
    }
}

async fn insert(connection: &mut PgConnection, table: &str, rows: Vec<&Map<String, Value>>) {
    let names: BTreeSet<&str> = rows.iter().flat_map(|row| row.keys().map(String::as_str)).collect();
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    let sql = format!(
        "insert into public.{table} ({names}) select {names} from jsonb_populate_recordset(null::public.{table}, $1)"
    );
    sqlx::query(AssertSqlSafe(sql)).bind(json!(rows)).execute(connection).await.unwrap();
}

#[test]
fn every_operator_on_every_field_means_what_the_model_says() {
    let mut runner = TestRunner::deterministic();
    let mut world = World::new(&mut runner);
    let mut covered = BTreeSet::new();
    for field in fields() {
        for op in operators(&field) {
            for _ in 0..6 {
                let op = op.new_tree(&mut runner).unwrap().current();
                covered.insert(op.name());
                world.check(&Rule::Test(Test { field: field.clone(), op })).unwrap();
            }
        }
    }
    assert_eq!(covered, OPERATORS.iter().copied().collect());
}

#[test]
fn rules_mean_what_the_model_says() {
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let world = std::cell::RefCell::new(World::new(&mut runner));
    runner.run(&rule(), |rule| world.borrow_mut().check(&rule)).unwrap();
}

#[test]
fn funnels_and_trees_agree_with_the_model() {
    let mut runner = TestRunner::deterministic();
    let mut world = World::new(&mut runner);
    let segments = world.segments.clone();
    let scope = Scope { segments: &segments, as_of: as_of() };
    for _ in 0..40 {
        let rule = Rule::All(vec(rule(), 0..5).new_tree(&mut runner).unwrap().current());
        let mut binds = Binds::default();
        let steps = funnel(&segment("under-test", rule.clone()), &scope, &mut binds);
        let query = explain(&rule, &scope, &mut binds);
        let sql = format!(
            "select {}, {}, {} from {CONTACTS} order by e.id",
            steps.depth, query.verdicts, query.values
        );
        let rows: Vec<(i32, Vec<bool>, Vec<Option<String>>)> = world.select(sql, &binds);
        for (contact, (depth, verdicts, values)) in world.contacts.iter().zip(rows) {
            let model = |rule: &Rule| holds(rule, contact, &segments, as_of());
            let expected = rule.clauses().iter().take_while(|clause| model(clause)).count();
            assert_eq!(depth as usize, expected, "{rule}");
            let tree = query.tree(&verdicts, &values);
            assert_eq!(tree.verdict, model(&rule), "{tree}");
            let parts: Vec<bool> = tree.children.iter().map(|child| child.verdict).collect();
            assert_eq!(parts, rule.clauses().iter().map(model).collect::<Vec<_>>(), "{tree}");
        }
    }
}
