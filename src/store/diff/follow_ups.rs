//! Mails of sequences that are due, where we send each one ourselves.
//!
//! They go before new enrollments within a day's limit: who was written to once is not left hanging.

use super::instant;
use super::steps::{OPEN, Steps};
use crate::audience::{Bind, Binds};
use crate::model::{Colleagues, State};

impl Steps<'_> {
    /// The steps that only such campaigns have.
    pub(super) fn follow_ups(&self, binds: &mut Binds) -> Vec<(&'static str, String)> {
        let Some(steps) = self.question.mails else { return Vec::new() };
        let changes = self.changes(binds);
        let number = self.number(binds);
        let now = instant(binds, self.question.as_of);
        let steps = binds.add(Bind::Int(i64::from(steps)));
        let active = self.campaign.state == State::Active;
        let waits = self.company_waits("n.company_id", binds);
        let only = self.only("n.employee_id", binds);
        let (mut joined, mut admitted) = (String::new(), String::from("true"));
        if let Some(bound) = self.campaign.limits.per_domain_per_day {
            let taken = self.mails_today(binds);
            joined = format!(
                "
    left join (
        select split_part(email, '@', 2) as domain, count(*) as taken from ({taken}) u group by 1
    ) t on t.domain = split_part(n.email, '@', 2)"
            );
            admitted = format!("in_domain <= {}", binds.add(Bind::Int(i64::from(bound))));
        }
        let (place, taken) = if joined.is_empty() {
            ("0", "")
        } else {
            (
                "row_number() over (partition by split_part(n.email, '@', 2) order by n.next_at, n.employee_id)",
                " + coalesce(t.taken, 0)",
            )
        };
        let bound = self
            .question
            .remaining_today
            .map_or_else(|| "true".to_owned(), |most| format!("place <= {}", binds.add(Bind::Int(most))));
        let follow_ups = format!(
            "select employee_id, company_id, email, ordinal, step, source_hash
from (
    select d.*, row_number() over (order by next_at, employee_id) as place
    from (
        select n.employee_id, n.company_id, n.email, n.ordinal, n.step, n.source_hash, n.next_at,
            {place}{taken} as in_domain
        from outreach.enrollments n{joined}
        where {active} and n.campaign_number = {number} and n.live and n.next_at <= {now} and n.step < {steps}{only}
            and not exists (select from changes c where c.employee_id = n.employee_id)
            and not exists (
                select from outreach.pushes p
                where p.employee_id = n.employee_id and p.campaign_number = {number} and p.settled_at is null
                    and {OPEN}
            )
            and not ({waits})
    ) d
    where {admitted}
) d
where {bound}"
        );
        vec![("changes", changes), ("follow_ups", follow_ups)]
    }

    /// Added to the actions.
    pub(super) fn sends() -> String {
        "
union all
select 'send', employee_id, company_id, email, ordinal + 1, 'mail_' || step + 1, source_hash
from follow_ups"
            .to_owned()
    }

    /// Addresses of the mails that count against today's limits: those that were handed over, and those that are
    /// on their way.
    pub(super) fn mails_today(&self, binds: &mut Binds) -> String {
        let number = self.number(binds);
        let since = instant(binds, self.question.day_start);
        format!(
            "
        select email from outreach.mails where campaign_number = {number} and handed_at >= {since}
        union all
        select p.email from outreach.pushes p
        where p.campaign_number = {number} and p.action in ('enroll', 'send') and p.settled_at is null and {OPEN}
            and not exists (
                select from outreach.mails m
                where m.employee_id = p.employee_id and m.campaign_number = p.campaign_number
                    and m.ordinal = p.ordinal and m.handed_at >= {since}
            )
    "
        )
    }

    /// Whether the address had a mail of this campaign in another row's name: that row may carry another one by now.
    pub(super) fn address_had_mail(&self, alias: &str, binds: &mut Binds) -> String {
        if self.question.mails.is_none() {
            return "false".to_owned();
        }
        let number = self.number(binds);
        format!(
            "exists (
            select from outreach.mails m
            where m.campaign_number = {number} and m.email = {alias}.email and m.handed_at is not null
                and m.employee_id <> {alias}.employee_id
        )"
        )
    }

    /// Whether a colleague has answered and the campaign leaves the company alone for that.
    pub(super) fn company_waits(&self, company: &str, binds: &mut Binds) -> String {
        if self.campaign.colleagues == Colleagues::Continue {
            return "false".to_owned();
        }
        let number = self.number(binds);
        let now = instant(binds, self.question.as_of);
        format!(
            "exists (
            select from outreach.paused_companies w
            where w.company_id = {company} and w.campaign_number = {number} and (w.until is null or w.until > {now})
        )"
        )
    }
}
