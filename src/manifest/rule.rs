//! The `where` of a segment -> [`Rule`]. Read by hand, because a mistake in a rule deserves a
//! sentence of its own and not a schema's.

use serde_json::Value;

use super::diagnostic::closest;
use super::finding::Findings;
use super::operator;
use super::yaml::child;
use crate::model::{FIELDS, FieldRef, Kind, Rule, SqlClause, Test, check_sql, field};

const CLAUSES: [&str; 5] = ["all", "any", "not", "in_segment", "sql"];

/// Longest text of an `sql` clause: more than this is a view, which belongs into the database.
const MAX_SQL: usize = 4000;

/// Reads a clause; `None` when any part of it is wrong.
pub(super) fn read(findings: &mut Findings<'_>, pointer: &str, clause: &Value) -> Option<Rule> {
    let Some(entries) = clause.as_object() else {
        findings
            .error(pointer, "wrong-type", "a clause is a map such as `company.segment: Fintech`")
            .advise_some(
                clause.is_array().then(|| "a list of clauses goes under `all:` or `any:`".to_owned()),
            );
        return None;
    };
    if entries.is_empty() {
        findings.error(pointer, "empty", "this clause is empty");
        return None;
    }
    let mut rules = Vec::new();
    let mut whole = true;
    for (key, value) in findings.in_order(pointer, entries) {
        match entry(findings, &child(pointer, key), key, value) {
            Some(mut parts) => rules.append(&mut parts),
            None => whole = false,
        }
    }
    whole.then_some(())?;
    Some(if rules.len() == 1 { rules.remove(0) } else { Rule::All(rules) })
}

fn entry(findings: &mut Findings<'_>, pointer: &str, key: &str, value: &Value) -> Option<Vec<Rule>> {
    let rule = match key {
        "all" => Rule::All(list(findings, pointer, key, value)?),
        "any" => Rule::Any(list(findings, pointer, key, value)?),
        "not" => Rule::Not(Box::new(read(findings, pointer, value)?)),
        "in_segment" => {
            let Some(name) = value.as_str() else {
                findings.error(pointer, "wrong-type", "`in_segment` takes the name of a segment");
                return None;
            };
            Rule::InSegment(name.to_owned())
        }
        "sql" => Rule::Sql(sql(findings, pointer, value)?),
        _ => return tests(findings, pointer, key, value),
    };
    Some(vec![rule])
}

fn list(findings: &mut Findings<'_>, pointer: &str, key: &str, value: &Value) -> Option<Vec<Rule>> {
    let Some(items) = value.as_array() else {
        findings
            .error(pointer, "wrong-type", format!("`{key}` takes a list of clauses"))
            .advise("begin each clause with `- `");
        return None;
    };
    if items.is_empty() {
        let meaning = if key == "all" { "everybody" } else { "nobody" };
        findings
            .error(pointer, "empty", format!("an empty `{key}` would match {meaning}"))
            .advise("write at least one clause");
        return None;
    }
    let rules: Vec<Option<Rule>> = items
        .iter()
        .enumerate()
        .map(|(index, item)| read(findings, &format!("{pointer}/{index}"), item))
        .collect();
    rules.into_iter().collect()
}

fn sql(findings: &mut Findings<'_>, pointer: &str, value: &Value) -> Option<SqlClause> {
    let text = value.as_str().map(str::trim).filter(|text| !text.is_empty());
    let Some(text) = text else {
        findings
            .error(pointer, "wrong-type", "`sql` takes a boolean expression as text")
            .advise("such as sql: \"cardinality(c.all_company_emails) > 0\"");
        return None;
    };
    if text.len() > MAX_SQL || text.contains('\0') {
        findings.error(pointer, "too-long", format!("the expression is longer than {MAX_SQL} bytes"));
        return None;
    }
    if text.ends_with(';') {
        findings
            .error(pointer, "bad-value", "`sql` takes one expression, not a statement")
            .advise("remove the semicolon");
        return None;
    }
    if let Err(error) = check_sql(text) {
        findings.error(pointer, "bad-value", error.to_string());
        return None;
    }
    Some(SqlClause { text: text.to_owned(), at: pointer.to_owned() })
}

fn tests(findings: &mut Findings<'_>, pointer: &str, key: &str, value: &Value) -> Option<Vec<Rule>> {
    let Some(field) = FieldRef::parse(key) else {
        let (message, advice) = unknown_field(key);
        findings.error_at_key(pointer, "unknown-field", message).advise_some(advice);
        return None;
    };
    let places: Vec<String> = match value.as_object() {
        Some(entries) => {
            findings.in_order(pointer, entries).into_iter().map(|(name, _)| child(pointer, name)).collect()
        }
        None => vec![pointer.to_owned()],
    };
    let ops = operator::comparisons(findings, pointer, &field, value);
    let test = |(op, at)| Rule::Test(Test { field: field.clone(), op, at });
    (ops.len() == places.len() && !places.is_empty()).then(|| ops.into_iter().zip(places).map(test).collect())
}

/// Says what is wrong with a field's name, and which was likely meant.
pub(super) fn unknown_field(name: &str) -> (String, Option<String>) {
    let mut parts = name.splitn(3, '.');
    let head = [parts.next(), parts.next()].into_iter().flatten().collect::<Vec<_>>().join(".");
    if let Some(known) = field(&head) {
        if known.kind == Kind::Json {
            return (format!("`{name}` has an empty part"), Some("name the key after each dot".to_owned()));
        }
        let kind = known.kind.as_str();
        return (
            format!("`{known}` is {kind} and has nothing inside"),
            Some("paths go into json columns only, such as `employee.ai_research_data.persona`".to_owned()),
        );
    }
    if matches!(name, "company" | "employee") {
        let advice = format!("write the table and the column as one key: `{name}.COLUMN`");
        return (format!("`{name}` is a table, not a field"), Some(advice));
    }
    let names: Vec<String> = FIELDS.iter().map(ToString::to_string).collect();
    // A column without its table is the commonest slip.
    let bare: Vec<&String> = names
        .iter()
        .filter(|known| known.split_once('.').is_some_and(|(_, column)| column == name))
        .collect();
    let advice = match bare.as_slice() {
        [] => closest(&head, names.iter().map(String::as_str).chain(CLAUSES))
            .map(|near| format!("did you mean `{near}`?")),
        near => Some(format!(
            "did you mean {}?",
            near.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
        )),
    };
    let advice = advice.or_else(|| {
        Some(
            "fields are `company.COLUMN` and `employee.COLUMN`; clauses are all, any, not, in_segment, sql"
                .to_owned(),
        )
    });
    (format!("there is no field `{name}`"), advice)
}
