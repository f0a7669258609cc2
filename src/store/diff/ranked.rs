//! The layers of the diff that count contacts: each drops what is past its bound.

use std::fmt::Write as _;

use super::instant;
use super::steps::{COMPANY, OPEN, Steps};
use crate::audience::{self, Bind, Binds};
use crate::model::Skip;

impl Steps<'_> {
    pub(super) fn sort_keys(&self) -> impl Iterator<Item = (String, bool)> {
        self.segment.into_iter().flat_map(|segment| {
            segment.order_by.iter().map(|order| (audience::column(&order.field), order.descending))
        })
    }

    pub(super) fn sort(&self) -> String {
        let mut text = String::new();
        for (index, (_, descending)) in self.sort_keys().enumerate() {
            let direction = if descending { "desc" } else { "asc" };
            let _ = write!(text, "sort_{index} {direction} nulls last, ");
        }
        text + "employee_id"
    }

    /// The layers that count contacts: each drops what is past its bound, in the declared order.
    /// A layer that has no bound is left out, because each costs a sort.
    pub(super) fn ranked(&self, binds: &mut Binds) -> Vec<(&'static str, String)> {
        let sort = self.sort();
        let number = self.number(binds);
        let since = instant(binds, self.question.day_start);
        let above = self.above(binds);
        let segment = self.segment;
        // Who takes up room in the segment's limits; one who is on the way will.
        let entered = format!(
            "
        select company_id from outreach.enrollments
        where campaign_number = {number} and status not in ('failed', 'withdrawn')
        union all
        select company_id from outreach.pushes
        where campaign_number = {number} and action = 'enroll' and settled_at is null and {OPEN}
    "
        );
        // What counts against a domain's limit of today.
        let today = if self.question.mails.is_some() {
            format!("{} union all select email from follow_ups", self.mails_today(binds))
        } else {
            format!(
                "
        select email from outreach.enrollments
        where campaign_number = {number} and enrolled_at >= {since} and status <> 'failed'
        union all
        select email from outreach.pushes
        where campaign_number = {number} and action = 'enroll' and settled_at is null and {OPEN}
    "
            )
        };
        let mut layers = vec![("single", self.single(&sort))];
        let mut previous = "single";
        let mut layer = |name: &'static str,
                         partition: &str,
                         held: Option<String>,
                         bound: i64,
                         skip: Skip| {
            let bound = binds.add(Bind::Int(bound));
            // Contacts without a company are no company together.
            let counts = if partition == COMPANY { " and r.company_id is not null" } else { "" };
            let (join, taken) = match &held {
                Some(join) => (join.as_str(), "coalesce(t.taken, 0)"),
                None => ("", "0"),
            };
            let code = skip.code();
            layers.push((
                name,
                format!(
                    "select r.*, case when r.passed then case when r.place + {taken} > {bound}{counts} then '{code}' end
        else r.dropped end as skip
from (
    select {columns}, p.skip as dropped, p.skip is null as passed,
        row_number() over (partition by p.skip is null{partition} order by {sort}) as place
    from {previous} p
) r{join}",
                    columns = self.ranked_columns("p"),
                ),
            ));
            previous = name;
        };
        if let Some(bound) = segment.and_then(|segment| segment.per_company) {
            let held = format!(
                "
left join (
    select company_id, count(*) as taken from ({entered}) u group by company_id
) t on t.company_id = r.company_id"
            );
            layer("within_company", COMPANY, Some(held), i64::from(bound), Skip::OverPerCompany);
        }
        if let Some(bound) = self.campaign.company_cap {
            let wanted = above.as_ref().map_or_else(String::new, |above| {
                format!("union all select company_id from wanted where {above} and enrolling")
            });
            let held = format!(
                "
left join (
    select company_id, count(*) as taken from (
        select company_id from outreach.enrollments where live
        union all
        select company_id from outreach.pushes where action = 'enroll' and settled_at is null and {OPEN}
        {wanted}
    ) u group by company_id
) t on t.company_id = r.company_id"
            );
            layer("under_cap", COMPANY, Some(held), i64::from(bound), Skip::OverCompanyCap);
        }
        if let Some(bound) = segment.and_then(|segment| segment.limit) {
            let held = format!(
                "
cross join (
    select count(*) as taken from ({entered}) u
) t"
            );
            layer("within_segment", "", Some(held), i64::from(bound), Skip::OverSegmentLimit);
        }
        if let Some(bound) = self.campaign.limits.per_domain_per_day {
            let held = format!(
                "
left join (
    select split_part(email, '@', 2) as domain, count(*) as taken from ({today}) u group by 1
) t on t.domain = split_part(r.email, '@', 2)"
            );
            let bound = i64::from(bound);
            layer("within_domain", ", split_part(p.email, '@', 2)", Some(held), bound, Skip::OverDomainLimit);
        }
        if let Some(bound) = self.question.remaining_today {
            let due = self.question.mails.map(|_| {
                "
cross join (select count(*) as taken from follow_ups) t"
                    .to_owned()
            });
            layer("within_day", "", due, bound, Skip::OverDailyLimit);
        }
        layers.push(("admitted", format!("select * from {previous}")));
        layers
    }

    /// What the layers carry of a contact.
    pub(super) fn ranked_columns(&self, from: &str) -> String {
        let mut text = ["employee_id", "company_id", "email", "ordinal", "source_hash"]
            .map(|name| format!("{from}.{name}"))
            .join(", ");
        for (index, _) in self.sort_keys().enumerate() {
            let _ = write!(text, ", {from}.sort_{index}");
        }
        text
    }

    /// Of the rows that share an address only the first goes on.
    ///
    /// Both sets are asked for inside a `case`, where the planner makes a hash table of each. As joins they
    /// would be nested loops over all contacts on tables without fresh statistics.
    pub(super) fn single(&self, sort: &str) -> String {
        let code = Skip::DuplicateAddress.code();
        format!(
            "select {columns}, case
        when p.skip is not null then p.skip
        when p.employee_id in (
            select employee_id from (
                select employee_id, row_number() over (partition by email order by {sort}) as place
                from judged
                where case when skip is null then email in (
                    select email from judged where skip is null group by email having count(*) > 1
                ) else false end
            ) t where place > 1
        ) then '{code}'
    end as skip
from judged p",
            columns = self.ranked_columns("p"),
        )
    }
}
