//! Columns that an import leaves to outreachd once it has had to do with a contact.
//!
//! History from before comes in with the columns of past campaigns. But of a contact with an enrollment these say what
//! the provider accepted, and nothing else may say otherwise.

use super::Staging;
use crate::model::Entity;

/// What is written back when a provider accepts.
const WRITTEN_BACK: [&str; 4] = ["campaign_number", "outreach_sent_date", "outreach_type", "campaign_status"];

/// Refuses rows that would change them; nothing to run when the file has none of them.
pub(super) fn refuse_kept(staging: &Staging) -> Option<String> {
    if staging.entity != Entity::Employee {
        return None;
    }
    let mut steps: Vec<String> = staging
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| WRITTEN_BACK.contains(&column.name.as_str()))
        .map(|(place, column)| refuse(&column.name, staging.clears.then_some(1_i64 << place)))
        .collect();
    if steps.is_empty() {
        return None;
    }
    steps.push("delete from import_matched m using import_rejects r where r.line = m.line".to_owned());
    Some(steps.join(";\n"))
}

/// `cleared` is the bit of a row that erases the column, where rows can.
fn refuse(name: &str, cleared: Option<i64>) -> String {
    let cleared = cleared.map_or_else(|| "false".to_owned(), |bit| format!("s.cleared & {bit} <> 0"));
    format!(
        "insert into import_rejects
         select s.line, '{name}', 'is kept by outreachd, which has this contact in campaign ' || n.campaigns
         from import_rows s
         join import_matched m on m.line = s.line
         join public.employees e on e.id = m.id
         join lateral (
             select string_agg(campaign_number::text, ', ' order by campaign_number) as campaigns
             from outreach.enrollments where employee_id = m.id
         ) n on n.campaigns is not null
         where case when s.{name} is null then {cleared} and e.{name} is not null
                    else s.{name} is distinct from e.{name} end"
    )
}
