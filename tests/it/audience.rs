//! Compiled rules, held on PostgreSQL to the naive model over generated contacts.

use std::collections::{BTreeMap, BTreeSet};

use outreachd::audience::{Binds, CONTACTS, Scope, explain, funnel, predicate, strict};
use outreachd::model::{Rule, Segment, Test};
use outreachd::store::arguments;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::support::TestDb;
use crate::support::generate::{as_of, contact, fields, operators, rule, segment, segments};
use crate::support::naive::{Contact, holds};

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

/// Contacts in a database of their own.
struct World {
    runtime: tokio::runtime::Runtime,
    connection: PgConnection,
    contacts: Vec<Contact>,
    segments: BTreeMap<String, Segment>,
    /// Last: it outlives its connections.
    _db: TestDb,
}

/// Settings that must not matter.
const STRANGE: &str = "set timezone to 'America/New_York'; set standard_conforming_strings to off";

impl World {
    /// `before` and `after` run before and after the contacts go in.
    fn new(runner: &mut TestRunner, before: &str, after: &str) -> Self {
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
            db.execute(before).await;
            let mut connection = db.pool().acquire().await.unwrap().detach();
            let companies = contacts.iter().map(|contact| &contact.company).filter(|row| !row.is_empty());
            insert(&mut connection, "companies", companies.collect()).await;
            insert(&mut connection, "employees", contacts.iter().map(|contact| &contact.employee).collect())
                .await;
            sqlx::raw_sql(AssertSqlSafe(after.to_owned())).execute(&mut connection).await.unwrap();
            (db, connection)
        });
        Self { runtime, connection, contacts, segments: segments(), _db: db }
    }

    fn select<T>(&mut self, sql: &str, binds: &Binds) -> Vec<T>
    where
        T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
    {
        let arguments = arguments(binds).unwrap();
        let query = sqlx::query_as_with(AssertSqlSafe(sql.to_owned()), arguments).persistent(false);
        self.runtime
            .block_on(query.fetch_all(&mut self.connection))
            .unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }

    /// Each operator on each field it fits, some times; the names of those that let somebody in, but not all.
    fn check_every_operator(&mut self, runner: &mut TestRunner, times: usize) -> BTreeSet<&'static str> {
        let mut telling = BTreeSet::new();
        for field in fields() {
            for op in operators(&field).iter().flat_map(|op| std::iter::repeat_n(op, times)) {
                let op = op.new_tree(runner).unwrap().current();
                let name = op.name();
                let matching =
                    self.check(&Rule::Test(Test { field: field.clone(), op, at: String::new() })).unwrap();
                if (1..self.contacts.len()).contains(&matching) {
                    telling.insert(name);
                }
            }
        }
        telling
    }

    /// Holds the rule as a filter, and its opposite as a value, to the model; how many contacts it lets in.
    fn check(&mut self, rule: &Rule) -> Result<usize, TestCaseError> {
        let segments = self.segments.clone();
        let scope = Scope { segments: &segments, as_of: as_of() };
        let expected: Vec<bool> =
            self.contacts.iter().map(|contact| holds(rule, contact, &segments, as_of())).collect();

        let mut binds = Binds::default();
        let filter = predicate(rule, &scope, &mut binds);
        let found: Vec<(Uuid,)> = self.select(&format!("select e.id from {CONTACTS} where {filter}"), &binds);
        let found: BTreeSet<Uuid> = found.into_iter().map(|(id,)| id).collect();

        let mut binds = Binds::default();
        let opposite = strict(&Rule::Not(Box::new(rule.clone())), &scope, &mut binds);
        // A null would fail to decode.
        let opposites: Vec<(Uuid, bool)> =
            self.select(&format!("select e.id, {opposite} from {CONTACTS}"), &binds);
        let opposites: BTreeMap<Uuid, bool> = opposites.into_iter().collect();

        for (index, expected) in expected.into_iter().enumerate() {
            let id = Uuid::from_u128(index as u128 + 1);
            let contact = &self.contacts[index];
            prop_assert_eq!(found.contains(&id), expected, "{}\n{:?}\n{}", rule, contact, filter);
            prop_assert_eq!(opposites[&id], !expected, "not {}\n{:?}\n{}", rule, contact, opposite);
        }
        Ok(found.len())
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
    let mut world = World::new(&mut runner, "", STRANGE);
    assert_eq!(world.check_every_operator(&mut runner, 6), OPERATORS.iter().copied().collect());
}

#[test]
fn columns_of_a_database_that_was_there_before_may_have_other_types() {
    const OLDER: &str = "
        alter table companies
            alter segment type varchar(200), alter all_company_emails type varchar[],
            alter revenue type real, alter employee_count type bigint, alter registration_date type timestamptz;
        alter table employees
            alter position type varchar, alter phone_numbers type varchar(200)[],
            alter campaign_number type smallint, alter test_date type timestamp";
    let mut runner = TestRunner::deterministic();
    let mut world = World::new(&mut runner, OLDER, "");
    world.check_every_operator(&mut runner, 2);
}

#[test]
fn rules_mean_what_the_model_says() {
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let world = std::cell::RefCell::new(World::new(&mut runner, "", STRANGE));
    runner.run(&rule(), |rule| world.borrow_mut().check(&rule).map(|_| ())).unwrap();
}

#[test]
fn funnels_and_trees_agree_with_the_model() {
    let mut runner = TestRunner::deterministic();
    let mut world = World::new(&mut runner, "", STRANGE);
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
        let rows: Vec<(i32, Vec<bool>, Vec<Option<String>>)> = world.select(&sql, &binds);
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
