//! Whether a contact is ready to be handed over: its address verified, its texts drafted and approved.

use super::instant;
use super::steps::Steps;
use crate::audience::{Bind, Binds};
use crate::model::Skip;

impl Steps<'_> {
    /// Whom nothing but this reason, the last one that is looked for, keeps out.
    pub(super) fn kept_out_tail(&self, binds: &mut Binds, by: Skip, most: i64) -> String {
        format!(
            "select employee_id from admitted where skip = '{}' order by {} limit {}",
            by.code(),
            self.sort(),
            binds.add(Bind::Int(most)),
        )
    }

    /// Whether the campaign wants addresses that were found alive, and this one was not, or too long ago.
    pub(super) fn unverified(&self, binds: &mut Binds) -> String {
        self.campaign.verified.map_or_else(
            || "false".to_owned(),
            |span| {
                format!(
                    "not exists (
            select from outreach.verifications v
            where v.employee_id = f.employee_id and v.email = f.email
                and v.status in ('valid', 'valid_catch_all') and v.checked_at >= {}
        )",
                    instant(binds, span.before(self.question.as_of))
                )
            },
        )
    }

    /// Whether a field that is drafted has no draft, or one that is not approved.
    pub(super) fn awaits_draft(&self, binds: &mut Binds, made: bool) -> String {
        let (fields, specs): (Vec<String>, Vec<String>) =
            self.campaign.drafts().map(|(field, draft)| (field.to_owned(), draft.spec.clone())).unzip();
        if fields.is_empty() {
            return "false".to_owned();
        }
        format!(
            "exists (
            select from unnest({fields}, {specs}) as w (field, spec)
            where {exists} (
                select from outreach.drafts d
                where d.employee_id = f.employee_id and d.campaign_number = {number}
                    and d.field = w.field and d.spec = w.spec{state}
            )
        )",
            fields = binds.add(Bind::TextArray(fields)),
            specs = binds.add(Bind::TextArray(specs)),
            number = self.number(binds),
            exists = if made { "exists" } else { "not exists" },
            state = if made { " and d.state <> 'approved'" } else { "" },
        )
    }
}
