//! A segment file -> [`Segment`].

use super::finding::Findings;
use super::raw::{RawExample, RawSegment};
use super::yaml::child;
use super::{names, rule};
use crate::model::{Example, Expect, FieldRef, Kind, Order, Rule, Segment};

/// Checks everything that the file alone can tell; `None` when a part that is needed is wrong.
pub(super) fn check(findings: &mut Findings<'_>, raw: RawSegment) -> Option<Segment> {
    let name = names::check(findings, "/segment", raw.segment);
    let rule = raw.rule.as_ref().and_then(|clause| rule::read(findings, "/where", clause));
    let order_by = raw
        .order_by
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| {
            let (key, direction) = entry.iter().next()?;
            let pointer = child(&format!("/order_by/{index}"), key);
            let field = field(findings, &pointer, key)?;
            if field.field.kind == Kind::Json && field.path.is_empty() || field.field.kind == Kind::TextArray
            {
                findings
                    .error_at_key(&pointer, "unfit-order", format!("`{field}` has no order"))
                    .advise("order by a column that holds one value");
                return None;
            }
            Some(Order { field, descending: direction.as_str() == Some("desc") })
        })
        .collect();
    let examples: Vec<Example> = raw
        .examples
        .into_iter()
        .enumerate()
        .filter_map(|(index, raw)| example(findings, &format!("/examples/{index}"), raw))
        .collect();
    let rule = rule?;
    for example in &examples {
        reason(findings, example, &rule);
    }
    Some(Segment {
        name: name?,
        description: raw.description,
        rule,
        order_by,
        per_company: raw.per_company,
        limit: raw.limit,
        examples,
        file: findings.source().path.clone(),
    })
}

/// A rule that never reads the field cannot fail because of it.
fn reason(findings: &mut Findings<'_>, example: &Example, rule: &Rule) {
    let Some(because) = &example.because else { return };
    let mut may_read = false;
    rule.walk(&mut |part| match part {
        Rule::Test(test) => may_read |= test.field == *because,
        // These may read anything.
        Rule::InSegment(_) | Rule::Sql(_) => may_read = true,
        Rule::All(_) | Rule::Any(_) | Rule::Not(_) => {}
    });
    if !may_read {
        let message = format!("no clause of the rule reads `{because}`");
        findings.error(&child(&example.at, "because"), "impossible", message).advise_some(None);
    }
}

fn field(findings: &mut Findings<'_>, pointer: &str, name: &str) -> Option<FieldRef> {
    let field = FieldRef::parse(name);
    if field.is_none() {
        let (message, advice) = rule::unknown_field(name);
        findings.error_at_key(pointer, "unknown-field", message).advise_some(advice);
    }
    field
}

fn example(findings: &mut Findings<'_>, pointer: &str, raw: RawExample) -> Option<Example> {
    let because = match raw.because {
        Some(name) => Some(field(findings, &format!("{pointer}/because"), &name)?),
        None => None,
    };
    let expect = raw.expect?;
    if because.is_some() && expect == Expect::In {
        findings
            .error(&format!("{pointer}/because"), "impossible", "`because` says why a contact is out")
            .advise("write `expect: out`, or remove `because`");
    }
    Some(Example { expect, because, company: raw.company, employee: raw.employee, at: pointer.to_owned() })
}
