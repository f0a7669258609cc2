//! Generated contacts and rules: values and patterns are put together from the same pieces, so that they meet.
//!
//! Never knows what a rule means: that is `naive`.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use outreachd::model::{FieldRef, Kind, Op, Rule, Scalar, Segment, Span, SqlClause, Test};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::naive::{Contact, PATTERNS, SQL};

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

pub(crate) fn as_of() -> DateTime<Utc> {
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

pub(crate) fn contact() -> impl Strategy<Value = Contact> {
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
pub(crate) fn operators(field: &FieldRef) -> Vec<BoxedStrategy<Op>> {
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

pub(crate) fn fields() -> Vec<FieldRef> {
    FIELDS.iter().map(|name| FieldRef::parse(name).unwrap()).collect()
}

fn test() -> impl Strategy<Value = Rule> {
    select(fields()).prop_flat_map(|field| {
        let op = Union::new(operators(&field));
        op.prop_map(move |op| Rule::Test(Test { field: field.clone(), op, at: String::new() }))
    })
}

pub(crate) fn rule() -> impl Strategy<Value = Rule> {
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

pub(crate) fn segment(name: &str, rule: Rule) -> Segment {
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

pub(crate) fn segments() -> BTreeMap<String, Segment> {
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
    Rule::Test(Test { field: FieldRef::parse(field).unwrap(), op, at: String::new() })
}
