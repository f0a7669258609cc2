//! A mirror never reads what its campaign writes: it would withdraw whom it has just enrolled.

use std::collections::BTreeSet;

use super::{Declared, Report};
use crate::model::{Campaign, Entity, FieldRef, Membership, Rule, Segment};

/// What every campaign writes when the provider accepts, and what a trigger changes with it.
const ALWAYS_WRITTEN: [&str; 5] = [
    "employee.campaign_number",
    "employee.outreach_sent_date",
    "employee.outreach_type",
    "employee.campaign_status",
    "employee.updated_at",
];

pub(super) fn check(declared: &Declared, report: &mut Report<'_>) {
    for (source, _, campaign) in &declared.campaigns {
        let Some(campaign) = campaign.as_ref().filter(|campaign| campaign.membership == Membership::Mirror)
        else {
            continue;
        };
        let written = written(campaign);
        let mut seen = BTreeSet::new();
        let mut open = vec![campaign.segment.as_str()];
        let mut reads = BTreeSet::new();
        while let Some(name) = open.pop() {
            if !seen.insert(name) {
                continue;
            }
            let Some(segment) = declared.segment(name) else { continue };
            // Only the campaign's own order decides who is inside its limits.
            read_by(segment, name == campaign.segment, &written, &mut reads, &mut open);
        }
        for (name, column) in reads {
            let through = if name == campaign.segment { "reads" } else { "reads, through another segment," };
            report.error(
                *source,
                "/segment",
                "mirror-reads-own-writes",
                format!(
                    "the mirrored segment {through} `{column}`, which this campaign writes (in `{name}`)"
                ),
                Some(
                    "use `membership: enroll`, or leave the column out of the rule or of `write_back`"
                        .to_owned(),
                ),
            );
        }
    }
}

fn written(campaign: &Campaign) -> BTreeSet<String> {
    let mut written: BTreeSet<String> = ALWAYS_WRITTEN.iter().map(ToString::to_string).collect();
    for extra in &campaign.write_back {
        written.insert(extra.field.to_string());
        if extra.field.field.entity == Entity::Company {
            written.insert("company.updated_at".to_owned());
        }
    }
    written
}

fn read_by<'a>(
    segment: &'a Segment,
    ordered: bool,
    written: &BTreeSet<String>,
    reads: &mut BTreeSet<(&'a str, String)>,
    open: &mut Vec<&'a str>,
) {
    let mut read = |field: &FieldRef| {
        let column = field.field.to_string();
        if written.contains(&column) {
            reads.insert((segment.name.as_str(), column));
        }
    };
    segment.rule.walk(&mut |rule| match rule {
        Rule::Test(test) => read(&test.field),
        Rule::InSegment(name) => open.push(name),
        Rule::Sql(clause) => {
            for column in mentioned(&clause.text, written) {
                if let Some(field) = FieldRef::parse(&column) {
                    read(&field);
                }
            }
        }
        Rule::All(_) | Rule::Any(_) | Rule::Not(_) => {}
    });
    if ordered {
        segment.order_by.iter().for_each(|order| read(&order.field));
    }
}

/// Written columns whose name occurs in the text as a word. That is more than what is surely read:
/// only the database could tell, and a mirror that is wrong withdraws people.
fn mentioned(sql: &str, written: &BTreeSet<String>) -> Vec<String> {
    let sql = sql.to_lowercase();
    let words: BTreeSet<&str> = sql.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let named = |name: &String| name.rsplit('.').next().is_some_and(|column| words.contains(column));
    written.iter().filter(|name| named(name)).cloned().collect()
}
