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
    let mut text = String::new();
    for (place, column) in staging.columns.iter().enumerate() {
        let name = column.name.as_str();
        if !WRITTEN_BACK.contains(&name) {
            continue;
        }
        let cleared =
            if staging.clears { format!("s.cleared & {} <> 0", 1_i64 << place) } else { "false".into() };
        text += &format!(
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
                        else s.{name} is distinct from e.{name} end;"
        );
    }
    if text.is_empty() {
        return None;
    }
    text.push_str("delete from import_matched m using import_rejects r where r.line = m.line;");
    Some(text)
}
