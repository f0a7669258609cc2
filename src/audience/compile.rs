//! The rule compiler: a rule becomes one boolean expression over `e` and `c`.
//!
//! Every expression may be unknown (null) where it is not true, and nowhere else: a filter, `and` and
//! `or` treat unknown as false, so plain comparisons stay plain and indexes usable. `not`, `ne` and
//! `not_in` close what they negate with `is not true`, which is why they hold for unset values.
//! Never raises an error on bad data: casts stand behind a type test in a `case`.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use rust_decimal::Decimal;

use super::binds::{Bind, Binds};
use super::field::{column, literal};
use super::json;
use super::text::{like_literal, like_pattern, word_pattern};
use crate::model::{FieldRef, Kind, Op, Rule, Scalar, Segment, Test, check_sql};

/// Every contact: what follows `from`. An employee without a company is a contact whose company has
/// nothing set.
pub const CONTACTS: &str = "public.employees e left join public.companies c on c.id = e.company_id";

/// What a rule may refer to besides columns.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    pub segments: &'a BTreeMap<String, Segment>,
    /// The instant that `older_than` and `newer_than` count from.
    pub as_of: DateTime<Utc>,
}

/// The rule as a filter: true where it holds, false or null elsewhere.
///
/// Right in `where`, `and`, `or`, `filter (where ..)` and `case when`; as a value, or before `not`,
/// use [`strict`]. `in_segment` stands for the other segment's rule alone: its `per_company`, `limit`
/// and order pick whom that segment serves, not who belongs to it.
pub fn predicate(rule: &Rule, scope: &Scope<'_>, binds: &mut Binds) -> String {
    Compiler { scope, binds, inside: Vec::new() }.rule(rule)
}

/// The rule as a value: true or false, never null.
pub fn strict(rule: &Rule, scope: &Scope<'_>, binds: &mut Binds) -> String {
    format!("({}) is true", predicate(rule, scope, binds))
}

/// The segment's sort keys, for `order by`; unset values come last.
pub fn order_by(segment: &Segment) -> Vec<String> {
    let key = |order: &crate::model::Order| {
        let direction = if order.descending { "desc" } else { "asc" };
        format!("{} {direction} nulls last", column(&order.field))
    };
    segment.order_by.iter().map(key).collect()
}

/// How far contacts get through the clauses of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Funnel {
    /// One a clause, in order.
    pub labels: Vec<String>,
    /// An integer expression: how many clauses hold before the first that does not. Clauses behind
    /// that one are not evaluated.
    pub depth: String,
}

/// The clauses of the segment's rule as one expression, so that one scan counts all of them.
pub fn funnel(segment: &Segment, scope: &Scope<'_>, binds: &mut Binds) -> Funnel {
    let clauses = segment.rule.clauses();
    let mut steps = Vec::new();
    for (index, clause) in clauses.iter().enumerate() {
        steps.push(format!("when ({}) is not true then {index}", predicate(clause, scope, binds)));
    }
    // A `case` without a branch is no SQL.
    let depth = match steps.len() {
        0 => "0".to_owned(),
        count => format!("case {} else {count} end", steps.join(" ")),
    };
    Funnel { labels: clauses.iter().map(ToString::to_string).collect(), depth }
}

struct Compiler<'a, 'b> {
    scope: &'a Scope<'a>,
    binds: &'b mut Binds,
    /// Segments being inlined; the manifest refuses cycles, this keeps us from following one.
    inside: Vec<&'a str>,
}

impl Compiler<'_, '_> {
    fn rule(&mut self, rule: &Rule) -> String {
        match rule {
            Rule::All(parts) => self.join(parts, " and ", "true"),
            Rule::Any(parts) => self.join(parts, " or ", "false"),
            Rule::Not(inner) => format!("({}) is not true", self.rule(inner)),
            Rule::Test(clause) => comparison(clause, self.scope.as_of, self.binds),
            Rule::InSegment(name) => self.segment(name),
            // On lines of its own: a trailing comment must not swallow the bracket. Text that would reach
            // outside its brackets fails the statement with the reason: false would hold below `not`.
            Rule::Sql(clause) => match check_sql(&clause.text) {
                Ok(()) => format!("(\n{}\n)", clause.text),
                Err(error) => format!("{}::boolean", literal(&format!("sql clause: {error}"))),
            },
        }
    }

    fn join(&mut self, parts: &[Rule], between: &str, none: &str) -> String {
        match parts {
            [] => none.to_owned(),
            [only] => self.rule(only),
            _ => {
                let parts: Vec<String> = parts.iter().map(|part| self.rule(part)).collect();
                format!("({})", parts.join(between))
            }
        }
    }

    fn segment(&mut self, name: &str) -> String {
        let Some((name, segment)) = self.scope.segments.get_key_value(name) else {
            return "false".to_owned();
        };
        if self.inside.contains(&name.as_str()) {
            return "false".to_owned();
        }
        self.inside.push(name);
        let sql = self.rule(&segment.rule);
        self.inside.pop();
        sql
    }
}

fn comparison(clause: &Test, as_of: DateTime<Utc>, binds: &mut Binds) -> String {
    let Test { field, op, .. } = clause;
    let in_json = field.field.kind == Kind::Json;
    let mut like = |operator: &str, pattern: String| {
        format!("{} {operator} {}", column(field), binds.add(Bind::Text(pattern)))
    };
    match op {
        Op::Like(pattern) => like("like", like_pattern(pattern)),
        Op::Ilike(pattern) => like("ilike", like_pattern(pattern)),
        Op::StartsWith(text) => like("ilike", format!("{}%", like_literal(text))),
        Op::EndsWith(text) => like("ilike", format!("%{}", like_literal(text))),
        Op::Contains(text) => like("ilike", format!("%{}%", like_literal(text))),
        Op::Matches(pattern) => like("~", pattern.clone()),
        Op::Word(word) => like("~*", word_pattern(word)),

        Op::Eq(value) => compare(field, "=", value, binds),
        Op::Ne(value) => format!("({}) is not true", compare(field, "=", value, binds)),
        Op::In(values) => one_of(field, values, binds),
        Op::NotIn(values) => format!("({}) is not true", one_of(field, values, binds)),
        Op::Lt(value) => compare(field, "<", value, binds),
        Op::Lte(value) => compare(field, "<=", value, binds),
        Op::Gt(value) => compare(field, ">", value, binds),
        Op::Gte(value) => compare(field, ">=", value, binds),
        Op::Between(low, high) => {
            format!("({} and {})", compare(field, ">=", low, binds), compare(field, "<=", high, binds))
        }
        Op::IsNull(true) | Op::IsSet(false) => format!("{} is null", column(field)),
        Op::IsNull(false) | Op::IsSet(true) => format!("{} is not null", column(field)),

        Op::Has(text) if in_json => json::has_any(field, std::slice::from_ref(text), binds),
        Op::HasAny(texts) if in_json => json::has_any(field, texts, binds),
        Op::IsEmpty(empty) if in_json => json::is_empty(field, *empty),
        Op::Has(text) => format!("{} = any({})", binds.add(Bind::Text(text.clone())), column(field)),
        // Cast: a varchar[] column overlaps with no text[].
        Op::HasAny(texts) => {
            format!("{}::text[] && {}", column(field), binds.add(Bind::TextArray(texts.clone())))
        }
        Op::IsEmpty(true) => format!("coalesce(cardinality({}), 0) = 0", column(field)),
        Op::IsEmpty(false) => format!("cardinality({}) > 0", column(field)),

        Op::OlderThan(span) => instant(field, "<", span.before(as_of), binds),
        Op::NewerThan(span) => instant(field, ">=", span.before(as_of), binds),
        Op::Before(value) => moment(field, "<", value, binds),
        Op::After(value) => moment(field, ">", value, binds),
        Op::On(day) => on(field, *day, binds),
    }
}

/// A comparison with a literal. A literal of a type that the manifest would have refused is never met.
fn compare(field: &FieldRef, operator: &str, value: &Scalar, binds: &mut Binds) -> String {
    let kind = field.field.kind;
    let bind = match (kind, value) {
        (Kind::Json, _) => return json::compare(field, operator, value, binds),
        (Kind::Date | Kind::Timestamp, Scalar::Date(_) | Scalar::Timestamp(_)) => {
            return moment(field, operator, value, binds);
        }
        // Order by code point: the same answer whatever the collation of the database.
        (Kind::Text, Scalar::Text(text)) if operator != "=" => {
            let text = binds.add(Bind::Text(text.clone()));
            return format!("{} {operator} {text} collate \"C\"", column(field));
        }
        (Kind::Text, Scalar::Text(text)) => Bind::Text(text.clone()),
        (Kind::Bool, Scalar::Bool(flag)) => Bind::Bool(*flag),
        (Kind::Int, Scalar::Int(number)) => Bind::Int(*number),
        (Kind::Int | Kind::Decimal, Scalar::Decimal(number)) => Bind::Decimal(*number),
        (Kind::Decimal, Scalar::Int(number)) => Bind::Decimal(Decimal::from(*number)),
        (Kind::Uuid, Scalar::Uuid(id)) => Bind::Uuid(*id),
        _ => return "false".to_owned(),
    };
    format!("{} {operator} {}", operand(field), binds.add(bind))
}

/// The column to compare. A database that was there before us may hold money as `real`, whose 0.1 equals
/// no decimal 0.1; on `numeric` the cast is none.
fn operand(field: &FieldRef) -> String {
    let cast = if field.field.kind == Kind::Decimal { "::numeric" } else { "" };
    format!("{}{cast}", column(field))
}

/// Whether the value is one of a list; texts, whole numbers and ids as one array, so that the
/// statement's text does not depend on the list's length.
fn one_of(field: &FieldRef, values: &[Scalar], binds: &mut Binds) -> String {
    let array = match field.field.kind {
        Kind::Text | Kind::Json => texts(values).map(Bind::TextArray),
        Kind::Int => {
            all(values, |value| if let Scalar::Int(n) = value { Some(*n) } else { None }).map(Bind::IntArray)
        }
        Kind::Decimal => all(values, |value| match value {
            Scalar::Decimal(number) => Some(*number),
            Scalar::Int(number) => Some(Decimal::from(*number)),
            _ => None,
        })
        .map(Bind::DecimalArray),
        Kind::Uuid => all(values, |value| if let Scalar::Uuid(id) = value { Some(*id) } else { None })
            .map(Bind::UuidArray),
        _ => None,
    };
    if let Some(array) = array {
        return format!("{} = any({})", operand(field), binds.add(array));
    }
    if values.is_empty() {
        return "false".to_owned();
    }
    let parts: Vec<String> = values.iter().map(|value| compare(field, "=", value, binds)).collect();
    format!("({})", parts.join(" or "))
}

fn all<T>(values: &[Scalar], pick: impl FnMut(&Scalar) -> Option<T>) -> Option<Vec<T>> {
    values.iter().map(pick).collect()
}

fn texts(values: &[Scalar]) -> Option<Vec<String>> {
    all(values, |value| if let Scalar::Text(text) = value { Some(text.clone()) } else { None })
}

/// A comparison in time; a day stands for its beginning in UTC. On columns of the reference's types the
/// answer does not depend on the session; where a database that was there before us has another of the
/// date types, PostgreSQL converts by the session's time zone, which sqlx sets to UTC.
fn moment(field: &FieldRef, operator: &str, value: &Scalar, binds: &mut Binds) -> String {
    let at = match value {
        Scalar::Timestamp(at) => *at,
        Scalar::Date(day) => midnight(*day),
        Scalar::Text(text) => match json::read_instant(text) {
            Some(at) => at,
            None => return "false".to_owned(),
        },
        _ => return "false".to_owned(),
    };
    instant(field, operator, at, binds)
}

fn instant(field: &FieldRef, operator: &str, at: DateTime<Utc>, binds: &mut Binds) -> String {
    let at = at.max(EARLIEST);
    match field.field.kind {
        Kind::Timestamp => {
            format!("{} {operator} {}", column(field), binds.add(Bind::Timestamp(at)))
        }
        Kind::Date => date(field, operator, at, binds),
        Kind::Json => json::instant(field, operator, at, binds),
        _ => "false".to_owned(),
    }
}

/// Compares a day's beginning with an instant, as days, so that the column stays bare.
fn date(field: &FieldRef, operator: &str, at: DateTime<Utc>, binds: &mut Binds) -> String {
    let day = at.date_naive();
    let starts_then = midnight(day) == at;
    let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
    let bound = match operator {
        // The first day that does not begin before the instant.
        "<" | ">=" if !starts_then => next,
        "=" if !starts_then => return "false".to_owned(),
        _ => day,
    };
    format!("{} {operator} {}", column(field), binds.add(Bind::Date(bound)))
}

fn on(field: &FieldRef, day: NaiveDate, binds: &mut Binds) -> String {
    let from = instant(field, ">=", midnight(day), binds);
    match day.checked_add_days(Days::new(1)) {
        Some(next) => format!("({from} and {})", instant(field, "<", midnight(next), binds)),
        None => from,
    }
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// PostgreSQL's calendar begins in 4714 BC, chrono's much earlier: `older_than: 9999y` must not fail.
const EARLIEST: DateTime<Utc> = match NaiveDate::from_ymd_opt(-4700, 1, 1) {
    Some(day) => day.and_time(NaiveTime::MIN).and_utc(),
    None => DateTime::<Utc>::UNIX_EPOCH,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SqlClause;

    fn compiled(rule: &Rule) -> (String, Binds) {
        let (segments, mut binds) = (BTreeMap::new(), Binds::default());
        let scope = Scope { segments: &segments, as_of: DateTime::UNIX_EPOCH };
        (predicate(rule, &scope, &mut binds), binds)
    }

    fn is(field: &str, op: Op) -> Rule {
        Rule::Test(Test { field: FieldRef::parse(field).unwrap(), op, at: String::new() })
    }

    #[test]
    fn plain_comparisons_stay_plain_and_values_are_bound() {
        let text = Scalar::Text("x' or true --".to_owned());
        let rule = Rule::All(vec![
            is("company.segment", Op::Eq(text.clone())),
            Rule::Not(Box::new(is("employee.position", Op::Eq(text.clone())))),
        ]);
        let (sql, binds) = compiled(&rule);
        assert_eq!(sql, "(c.segment = $1::text and (e.position = $1::text) is not true)");
        assert_eq!(binds.values(), [Bind::Text("x' or true --".to_owned())]);
    }

    #[test]
    fn a_sql_clause_cannot_leave_its_brackets() {
        let sql = |text: &str| compiled(&Rule::Sql(SqlClause { text: text.to_owned(), at: String::new() })).0;
        assert_eq!(sql("e.id is null -- )"), "(\ne.id is null -- )\n)");
        assert!(sql("true) or (true").starts_with("'sql clause: brackets do not match"));
        assert!(sql("e.id = $1").ends_with("write the value itself'::boolean"));
    }

    #[test]
    fn a_day_is_its_first_instant() {
        let at = |text: &str| Scalar::Timestamp(text.parse().unwrap());
        let bound = |op: Op| compiled(&is("company.registration_date", op)).1.values().to_vec();
        let day = |text: &str| vec![Bind::Date(text.parse().unwrap())];
        assert_eq!(bound(Op::Before(at("2024-02-29T00:00:00Z"))), day("2024-02-29"));
        assert_eq!(bound(Op::Before(at("2024-02-29T00:00:01Z"))), day("2024-03-01"));
        assert_eq!(bound(Op::After(at("2024-02-29T00:00:01Z"))), day("2024-02-29"));
    }
}
