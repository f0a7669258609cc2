//! Stub while the compiler is written.
mod binds;
pub use binds::{Bind, Binds};
use crate::model::*;
use std::collections::BTreeMap;
pub struct Scope<'a> { pub segments: &'a BTreeMap<String, Segment>, pub as_of: chrono::DateTime<chrono::Utc> }
pub fn column(f: &FieldRef) -> String { format!("{}.{}", &f.field.entity.as_str()[..1], f.field.column) }
pub fn predicate(rule: &Rule, scope: &Scope<'_>, binds: &mut Binds) -> String {
    match rule {
        Rule::All(r) => r.iter().map(|r| predicate(r, scope, binds)).collect::<Vec<_>>().join(" and "),
        Rule::Sql(s) => format!("({}\n)", s.text),
        Rule::Test(Test{field, op: Op::Eq(Scalar::Text(t))}) => format!("{} = {}", column(field), binds.add(Bind::Text(t.clone()))),
        _ => "true".into(),
    }
}
pub fn strict(rule: &Rule, scope: &Scope<'_>, binds: &mut Binds) -> String { format!("(({}) is true)", predicate(rule, scope, binds)) }
pub fn depth(segment: &Segment, scope: &Scope<'_>, binds: &mut Binds) -> String { let p = strict(&segment.rule, scope, binds); format!("case when {p} then 1 else 0 end") }
