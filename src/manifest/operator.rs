//! The operators of a rule: which fit which column, and what they take.

use serde_json::{Map, Value, json};

use super::diagnostic::suggestion;
use super::finding::Findings;
use super::literal::{MAX_TEXT, described, instant, literal_schema, order, scalar};
use super::yaml::child;
use crate::model::{FieldRef, Kind, Op, Scalar};

/// What an operator takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operand {
    /// A literal of the column's type.
    One,
    Many,
    Pair,
    Text,
    Texts,
    Flag,
    Span,
    Day,
}

struct Operator {
    name: &'static str,
    operand: Operand,
    kinds: &'static [Kind],
}

use Kind::{Bool, Date, Decimal as Number, Int, Json, Text, TextArray, Timestamp, Uuid as Id};

const ANY: &[Kind] = &[Text, Bool, Int, Number, Date, Timestamp, TextArray, Json, Id];
const SCALARS: &[Kind] = &[Text, Bool, Int, Number, Date, Timestamp, Json, Id];
const ORDERED: &[Kind] = &[Text, Int, Number, Date, Timestamp, Json];
const TEXTS: &[Kind] = &[Text, Json];
const LISTS: &[Kind] = &[TextArray, Json];
const TIMES: &[Kind] = &[Date, Timestamp, Json];

const fn operator(name: &'static str, operand: Operand, kinds: &'static [Kind]) -> Operator {
    Operator { name, operand, kinds }
}

const OPERATORS: &[Operator] = &[
    operator("eq", Operand::One, SCALARS),
    operator("ne", Operand::One, SCALARS),
    operator("in", Operand::Many, SCALARS),
    operator("not_in", Operand::Many, SCALARS),
    operator("lt", Operand::One, ORDERED),
    operator("lte", Operand::One, ORDERED),
    operator("gt", Operand::One, ORDERED),
    operator("gte", Operand::One, ORDERED),
    operator("between", Operand::Pair, ORDERED),
    operator("like", Operand::Text, TEXTS),
    operator("ilike", Operand::Text, TEXTS),
    operator("starts_with", Operand::Text, TEXTS),
    operator("ends_with", Operand::Text, TEXTS),
    operator("contains", Operand::Text, TEXTS),
    operator("matches", Operand::Text, TEXTS),
    operator("word", Operand::Text, TEXTS),
    operator("is_null", Operand::Flag, ANY),
    operator("is_set", Operand::Flag, ANY),
    operator("has", Operand::Text, LISTS),
    operator("has_any", Operand::Texts, LISTS),
    operator("is_empty", Operand::Flag, LISTS),
    operator("older_than", Operand::Span, TIMES),
    operator("newer_than", Operand::Span, TIMES),
    operator("before", Operand::One, TIMES),
    operator("after", Operand::One, TIMES),
    operator("on", Operand::Day, TIMES),
];

/// What may be asked of a json document as a whole.
const WHOLE: [&str; 5] = ["is_null", "is_set", "is_empty", "has", "has_any"];

/// Literals of one list; more of them are a table, which belongs into the database.
const MAX_LIST: usize = 1000;

/// Reads `field: value` and `field: { operator: value, ... }`. What cannot be read is reported.
pub(super) fn comparisons(
    findings: &mut Findings<'_>,
    pointer: &str,
    field: &FieldRef,
    value: &Value,
) -> Vec<Op> {
    match value {
        Value::Object(operators) if operators.is_empty() => {
            findings.error(pointer, "empty", format!("`{field}` is compared with nothing"));
            Vec::new()
        }
        Value::Object(operators) => findings
            .in_order(pointer, operators)
            .into_iter()
            .filter_map(|(name, operand)| one(findings, &child(pointer, name), field, name, operand))
            .collect(),
        Value::Array(_) => {
            findings.error(pointer, "wrong-type", format!("`{field}` is compared with a list")).advise(
                if field.field.kind == TextArray {
                    "write `{ has: ... }` or `{ has_any: [...] }`"
                } else {
                    "write `{ in: [...] }` for one of several values"
                },
            );
            Vec::new()
        }
        literal if field.field.kind == TextArray => {
            findings
                .error(pointer, "unfit-operator", format!("`{field}` is a list and equals no single value"))
                .advise(format!("write `{{ has: {literal} }}`"));
            Vec::new()
        }
        literal if field.field.kind == Json && field.path.is_empty() => {
            findings
                .error(
                    pointer,
                    "unfit-operator",
                    format!("`{field}` is a document and equals no single value, such as {literal}"),
                )
                .advise(format!("name a key inside of it: `{field}.KEY`"));
            Vec::new()
        }
        literal => scalar(findings, pointer, field, literal).map(Op::Eq).into_iter().collect(),
    }
}

fn one(
    findings: &mut Findings<'_>,
    pointer: &str,
    field: &FieldRef,
    name: &str,
    operand: &Value,
) -> Option<Op> {
    let kind = field.field.kind;
    let Some(operator) = OPERATORS.iter().find(|operator| operator.name == name) else {
        findings
            .error_at_key(pointer, "unknown-operator", format!("there is no operator `{name}`"))
            .advise_some(suggestion(name, fitting(kind)));
        return None;
    };
    if !operator.kinds.contains(&kind) {
        let fitting: Vec<&str> = fitting(kind).collect();
        findings
            .error_at_key(
                pointer,
                "unfit-operator",
                format!("`{name}` does not fit `{field}`, which is {}", described(kind)),
            )
            .advise(format!("use one of: {}", fitting.join(", ")));
        return None;
    }
    if kind == Json && field.path.is_empty() && !WHOLE.contains(&name) {
        findings
            .error_at_key(pointer, "unfit-operator", format!("`{name}` does not fit `{field}` as a whole"))
            .advise(format!("name a key inside of it: `{field}.KEY`"));
        return None;
    }
    Some(match (operator.operand, name) {
        (Operand::One, "before" | "after") if kind == Json => {
            let at = instant(findings, pointer, field, operand)?;
            if name == "before" { Op::Before(at) } else { Op::After(at) }
        }
        (Operand::One, _) => {
            let value = scalar(findings, pointer, field, operand)?;
            match name {
                "eq" => Op::Eq(value),
                "ne" => Op::Ne(value),
                "lt" => Op::Lt(value),
                "lte" => Op::Lte(value),
                "gt" => Op::Gt(value),
                "gte" => Op::Gte(value),
                "before" => Op::Before(value),
                _ => Op::After(value),
            }
        }
        (Operand::Many, _) => {
            let values = scalars(findings, pointer, field, operand)?;
            if name == "in" { Op::In(values) } else { Op::NotIn(values) }
        }
        (Operand::Pair, _) => pair(findings, pointer, field, operand)?,
        (Operand::Text, _) => {
            let value = text(findings, pointer, name, operand)?;
            match name {
                "like" => Op::Like(value),
                "ilike" => Op::Ilike(value),
                "starts_with" => Op::StartsWith(value),
                "ends_with" => Op::EndsWith(value),
                "contains" => Op::Contains(value),
                "matches" => Op::Matches(value),
                "word" => Op::Word(value),
                _ => Op::Has(value),
            }
        }
        (Operand::Texts, _) => {
            let items = items(findings, pointer, name, operand)?;
            let texts: Option<Vec<String>> = items
                .iter()
                .enumerate()
                .map(|(index, item)| text(findings, &format!("{pointer}/{index}"), name, item))
                .collect();
            Op::HasAny(texts?)
        }
        (Operand::Flag, _) => {
            let Some(flag) = operand.as_bool() else {
                findings.error(pointer, "wrong-type", format!("`{name}` takes true or false"));
                return None;
            };
            match name {
                "is_null" => Op::IsNull(flag),
                "is_set" => Op::IsSet(flag),
                _ => Op::IsEmpty(flag),
            }
        }
        (Operand::Span, _) => {
            let span = findings.span(pointer, operand)?;
            if name == "older_than" { Op::OlderThan(span) } else { Op::NewerThan(span) }
        }
        (Operand::Day, _) => {
            let day = operand.as_str().and_then(|text| text.parse().ok());
            if day.is_none() {
                findings
                    .error(pointer, "bad-value", "`on` takes a day")
                    .advise("write it as year, month and day: `2026-01-31`");
            }
            Op::On(day?)
        }
    })
}

fn fitting(kind: Kind) -> impl Iterator<Item = &'static str> + Clone {
    OPERATORS.iter().filter(move |operator| operator.kinds.contains(&kind)).map(|operator| operator.name)
}

fn pair(findings: &mut Findings<'_>, pointer: &str, field: &FieldRef, operand: &Value) -> Option<Op> {
    let Some([low, high]) = operand.as_array().map(Vec::as_slice) else {
        findings
            .error(pointer, "wrong-type", "`between` takes a list of two values")
            .advise("write `between: [10, 250]`; both ends are included");
        return None;
    };
    let low = scalar(findings, &format!("{pointer}/0"), field, low);
    let high = scalar(findings, &format!("{pointer}/1"), field, high);
    let (low, high) = (low?, high?);
    match order(&low, &high) {
        Some(std::cmp::Ordering::Greater) => {
            findings
                .error(pointer, "impossible", format!("nothing is between {low} and {high}"))
                .advise("write the lower end first");
            None
        }
        Some(_) => Some(Op::Between(low, high)),
        None => {
            findings.error(pointer, "wrong-type", "the two ends are of different types");
            None
        }
    }
}

fn items<'v>(
    findings: &mut Findings<'_>,
    pointer: &str,
    name: &str,
    operand: &'v Value,
) -> Option<&'v [Value]> {
    match operand.as_array().map(Vec::as_slice) {
        Some([]) => {
            findings.error(pointer, "empty", format!("`{name}` has an empty list"));
            None
        }
        Some(items) if items.len() > MAX_LIST => {
            findings
                .error(pointer, "too-long", format!("`{name}` lists more than {MAX_LIST} values"))
                .advise("put the list into a column of the database and compare with that");
            None
        }
        Some(items) => Some(items),
        None => {
            findings
                .error(pointer, "wrong-type", format!("`{name}` takes a list"))
                .advise(format!("write `{name}: [...]`"));
            None
        }
    }
}

fn scalars(
    findings: &mut Findings<'_>,
    pointer: &str,
    field: &FieldRef,
    operand: &Value,
) -> Option<Vec<Scalar>> {
    let items = items(findings, pointer, "in", operand)?;
    let values: Vec<Option<Scalar>> = items
        .iter()
        .enumerate()
        .map(|(index, item)| scalar(findings, &format!("{pointer}/{index}"), field, item))
        .collect();
    values.into_iter().collect()
}

fn text(findings: &mut Findings<'_>, pointer: &str, name: &str, operand: &Value) -> Option<String> {
    let Some(text) = operand.as_str() else {
        findings
            .error(pointer, "wrong-type", format!("`{name}` takes text"))
            .advise("put the value into quotes");
        return None;
    };
    if text.is_empty() {
        findings
            .error(pointer, "empty", format!("`{name}` with an empty text"))
            .advise("for a set or an unset value there are `is_set: true` and `is_null: true`");
        return None;
    }
    if text.len() > MAX_TEXT {
        findings.error(pointer, "too-long", format!("the text is longer than {MAX_TEXT} bytes"));
        return None;
    }
    if text.contains('\0') {
        findings.error(pointer, "bad-value", "PostgreSQL's text has no zero character");
        return None;
    }
    Some(text.to_owned())
}

/// What may stand after a column of that kind in a rule.
pub(super) fn comparison_schema(kind: Kind, allowed: &[&str]) -> Value {
    let literal = match kind {
        Json => json!({"type": ["string", "number", "boolean"]}),
        other => literal_schema(other, allowed),
    };
    let text = json!({"type": "string", "minLength": 1});
    let operators: Map<String, Value> = OPERATORS
        .iter()
        .filter(|operator| operator.kinds.contains(&kind))
        .map(|operator| {
            let operand = match operator.operand {
                Operand::One => literal.clone(),
                Operand::Many => json!({"type": "array", "minItems": 1, "items": literal}),
                Operand::Pair => json!({"type": "array", "minItems": 2, "maxItems": 2, "items": literal}),
                Operand::Text => text.clone(),
                Operand::Texts => json!({"type": "array", "minItems": 1, "items": text}),
                Operand::Flag => json!({"type": "boolean"}),
                Operand::Span => json!({"type": "string", "pattern": "^[0-9]+(s|m|h|d|w|mo|y)$"}),
                Operand::Day => json!({"type": "string", "format": "date"}),
            };
            (operator.name.to_owned(), operand)
        })
        .collect();
    let operators = json!({
        "type": "object",
        "properties": operators,
        "additionalProperties": false,
        "minProperties": 1,
    });
    if kind == TextArray { operators } else { json!({"anyOf": [literal, operators]}) }
}
