//! What people ask of a segment, asked of a real database.

use std::collections::BTreeMap;

use outreachd::audience::{Binds, CONTACTS, Scope, order_by, predicate};
use outreachd::model::{Example, Expect, FieldRef, Op, Order, Rule, Scalar, Segment, SqlClause, Test};
use outreachd::store::{arguments, segment};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::support::TestDb;

fn is(field: &str, op: Op) -> Rule {
    Rule::Test(Test { field: FieldRef::parse(field).unwrap(), op, at: String::new() })
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

fn sql(text: &str) -> Rule {
    Rule::Sql(SqlClause { text: text.to_owned(), at: "/where/all/1/sql".to_owned() })
}

fn declare(name: &str, rule: Rule) -> Segment {
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

fn scope(segments: &BTreeMap<String, Segment>) -> Scope<'_> {
    Scope { segments, as_of: "2026-03-01T12:00:00Z".parse().unwrap() }
}

/// Two companies, one employee of none.
async fn contacts() -> TestDb {
    let db = TestDb::new().await;
    db.execute(
        "insert into companies (id, company_name, segment, sme_registry) values
             ('00000000-0000-0000-0000-00000000000a', 'A', 'Fintech', true),
             ('00000000-0000-0000-0000-00000000000b', 'B', 'Fintech', null);
         insert into employees (id, company_id, position) values
             ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-00000000000a', 'CTO'),
             ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-00000000000a', 'Director'),
             ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-00000000000a', 'Director'),
             ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-00000000000a', 'CEO'),
             ('00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-00000000000b', 'Director'),
             ('00000000-0000-0000-0000-000000000006', null, 'CTO')",
    )
    .await;
    db
}

fn technical() -> Segment {
    let rule = Rule::All(vec![
        is("company.segment", Op::Eq(text("Fintech"))),
        is("employee.position", Op::Ilike("%CTO%".to_owned())),
        is("company.sme_registry", Op::Eq(Scalar::Bool(true))),
        Rule::Not(Box::new(is("employee.position", Op::Word("intern".to_owned())))),
    ]);
    declare("technical", rule)
}

#[tokio::test]
async fn show_counts_clauses_and_lists_who_got_in_by_text() {
    let (db, segments) = (contacts().await, BTreeMap::new());
    let segment = Segment { per_company: Some(2), limit: Some(5), ..technical() };
    let shown = segment::show(db.store(), &segment, &scope(&segments), 10).await.unwrap();
    assert_eq!(shown.contacts, 6);
    let counts: Vec<_> = shown.clauses.iter().map(|clause| (clause.alone, clause.left)).collect();
    assert_eq!(counts, [(5, 5), (5, 4), (4, 3), (6, 3)]);
    assert_eq!((shown.matching, shown.selected), (3, 2));
    let [let_in] = shown.let_in.as_slice() else { panic!("{:?}", shown.let_in) };
    assert_eq!(let_in.label, r#"employee.position ilike "%CTO%""#);
    assert_eq!(let_in.values, [("Director".to_owned(), 2), ("CTO".to_owned(), 1)]);
}

#[tokio::test]
async fn examples_are_tests_of_the_rule_and_leave_nothing_behind() {
    let (db, segments) = (contacts().await, BTreeMap::new());
    let example = |at: &str, expect, because: Option<&str>, company: Value, employee: Value| Example {
        expect,
        because: because.map(|name| FieldRef::parse(name).unwrap()),
        company: company.as_object().unwrap().clone(),
        employee: employee.as_object().unwrap().clone(),
        at: at.to_owned(),
    };
    let good = json!({"segment": "Fintech", "sme_registry": true, "employee_count": 12e1});
    let examples = vec![
        example("/ok-in", Expect::In, None, good.clone(), json!({"position": "Deputy CTO"})),
        example("/ok-out", Expect::Out, Some("company.segment"), json!({}), json!({})),
        example("/not-in", Expect::In, None, good.clone(), json!({"position": "CEO"})),
        example("/not-out", Expect::Out, None, good.clone(), json!({"position": "CTO"})),
        example("/why", Expect::Out, Some("company.sme_registry"), good.clone(), json!({"position": "CEO"})),
        example("/odd", Expect::In, None, json!({"registration_date": "soon"}), json!({})),
    ];
    let segment = Segment { examples, ..technical() };
    let faults = segment::check_examples(db.store(), &segment, &scope(&segments)).await.unwrap();
    let said: Vec<_> = faults.iter().map(|fault| (fault.at.as_str(), fault.message.as_str())).collect();
    assert_eq!(
        said,
        [
            ("/not-in", r#"expected in, but it is out: `employee.position ilike "%CTO%"` does not hold"#),
            ("/not-out", "expected out, but it is in: every clause holds"),
            (
                "/why",
                "expected out because of company.sme_registry, but it is out because of \
                 `employee.position ilike \"%CTO%\"`"
            ),
            (
                "/odd",
                "the example is no contact of this database: invalid input syntax for type date: \"soon\""
            ),
        ]
    );
    let left: i64 = sqlx::query_scalar("select count(*) from employees").fetch_one(db.pool()).await.unwrap();
    assert_eq!(left, 6);
}

#[tokio::test]
async fn prepare_finds_the_clause_at_fault() {
    let db = contacts().await;
    db.execute(
        "create function public.nosy() returns boolean language plpgsql as
         $$ begin delete from public.employees; return true; end $$",
    )
    .await;
    let outer = declare("other", Rule::Not(Box::new(sql("c.nope > 0"))));
    let segments = BTreeMap::from([("other".to_owned(), outer)]);
    for (rule, owner, at, message) in [
        (sql("c.nope = 1"), "s", "/where/all/1/sql", "column c.nope does not exist"),
        (
            sql("c.revenue"),
            "s",
            "/where/all/1/sql",
            "argument of WHERE must be type boolean, not type numeric",
        ),
        (sql("public.nosy()"), "s", "/where/all/1/sql", "cannot execute DELETE in a read-only transaction"),
        (
            sql("pg_sleep(60) is null"),
            "s",
            "/where/all/1/sql",
            "canceling statement due to statement timeout",
        ),
        (
            sql("true) or (true"),
            "s",
            "/where/all/1/sql",
            "brackets do not match: close what you open, and nothing more",
        ),
        (
            sql("true; delete from employees"),
            "s",
            "/where/all/1/sql",
            "`;` would end the statement: write one expression",
        ),
        (Rule::InSegment("other".to_owned()), "other", "/where/all/1/sql", "column c.nope does not exist"),
        (
            is("employee.position", Op::Matches("(".to_owned())),
            "s",
            "/where",
            "`employee.position matches \"(\"`: invalid regular expression: parentheses () not balanced",
        ),
    ] {
        let whole = Rule::All(vec![technical().rule, rule]);
        let faults = segment::prepare(db.store(), &declare("s", whole), &scope(&segments)).await.unwrap();
        let [fault] = faults.as_slice() else { panic!("{message}: {faults:?}") };
        assert_eq!((fault.segment.as_str(), fault.at.as_str(), fault.message.as_str()), (owner, at, message));
    }
    let good = Rule::All(vec![technical().rule, sql("c.revenue > 0 -- and more")]);
    let ordered = Segment {
        order_by: vec![Order { field: FieldRef::parse("company.revenue").unwrap(), descending: true }],
        ..declare("good", good)
    };
    assert_eq!(segment::prepare(db.store(), &ordered, &scope(&segments)).await.unwrap(), []);
    let left: i64 = sqlx::query_scalar("select count(*) from employees").fetch_one(db.pool()).await.unwrap();
    assert_eq!(left, 6);
}

#[tokio::test]
async fn a_contact_is_explained_clause_by_clause() {
    let (db, segments) = (contacts().await, BTreeMap::new());
    let id = "00000000-0000-0000-0000-000000000005".parse().unwrap();
    let scope = scope(&segments);
    let rule = technical().rule;
    let tree = segment::explain_contact(db.store(), &rule, &scope, id).await.unwrap().unwrap();
    assert_eq!(
        tree.to_string(),
        "✗ all of\n  \
           ✓ company.segment = \"Fintech\"   is \"Fintech\"\n  \
           ✓ employee.position ilike \"%CTO%\"   is \"Director\"\n  \
           ✗ company.sme_registry = true   is unset\n  \
           ✓ not\n    \
             ✗ employee.position word \"intern\"   is \"Director\"\n"
    );
    let nobody = uuid::Uuid::nil();
    assert_eq!(segment::explain_contact(db.store(), &rule, &scope, nobody).await.unwrap(), None);
}

#[tokio::test]
async fn plain_equality_goes_by_the_index() {
    let db = TestDb::new().await;
    db.execute(
        "insert into companies (id, company_name, segment, revenue)
             select md5('c' || i)::uuid, 'C' || i, 'segment ' || i % 500, i from generate_series(1, 5000) i;
         insert into employees (company_id, work_email, position)
             select md5('c' || i % 5000 + 1)::uuid, 'p' || i || '@example.org', 'CTO' from generate_series(1, 20000) i;
         analyze companies, employees",
    )
    .await;
    let segments = BTreeMap::new();
    let usual = Rule::All(vec![
        is("company.segment", Op::Eq(text("segment 7"))),
        is("employee.position", Op::Ilike("%CTO%".to_owned())),
        Rule::Not(Box::new(is("employee.work_email", Op::EndsWith("@gmail.com".to_owned())))),
    ]);
    let one = is("employee.work_email", Op::In(vec![text("p7@example.org"), text("p8@example.org")]));
    for (rule, index) in [(usual, "companies_segment"), (one, "employees_work_email")] {
        let segment = Segment {
            order_by: vec![Order { field: FieldRef::parse("company.revenue").unwrap(), descending: true }],
            ..declare("s", rule)
        };
        let mut binds = Binds::default();
        let filter = predicate(&segment.rule, &scope(&segments), &mut binds);
        let order = order_by(&segment).join(", ");
        let sql = format!("explain select e.id from {CONTACTS} where {filter} order by {order}");
        let plan: Vec<String> = sqlx::query_scalar_with(AssertSqlSafe(sql), arguments(&binds).unwrap())
            .fetch_all(db.pool())
            .await
            .unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains(index), "no {index} in\n{plan}");
    }
}
