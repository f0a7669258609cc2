//! What is asked of the diff's steps: a report, the actions, the pushes, who is wanted, where somebody stands.

use uuid::Uuid;

use super::steps::Steps;
use super::{Record, columns, instant};
use crate::audience::{Bind, Binds};
use crate::model::{Skip, WithdrawReason};

impl Steps<'_> {
    /// Counts, sums and samples; one row each, told apart by `part`.
    pub(super) fn report_tail(&self, binds: &mut Binds, samples: i64) -> String {
        let number = self.number(binds);
        let stops = stop_codes();
        let sample = self.actions_select(binds, Some(samples));
        format!(
            "select 'action' as part, action as code, count(*) as n,
    count(*) filter (where action = 'withdraw' and reason in ({stops})) as stops,
    bit_xor(hash) as digest_1,
    sum((hash >> 32)::integer) as digest_2,
    null::jsonb as detail
from (
    select action, reason,
        hashtextextended(email, hashtextextended(reason,
            hashint4extended(ordinal, uuid_hash_extended(employee_id, source_hash)))) as hash
    from actions
) a group by action
union all
select 'skip', skip, count(*), null, null, null, null from admitted where skip is not null group by skip
union all
select 'left', leaves, count(*), null, null, null, null from standing
where leaves is not null and not in_flight group by leaves
union all
select 'live', '', count(*), null, null, null, null from outreach.enrollments
where campaign_number = {number} and live{only}
union all
select 'in_flight', '', count(*), null, null, null, null from moving where in_flight and live
union all
select 'on_the_way', '', count(*), null, null, null, null from moving where in_flight and not live
union all
select 'sample', action, null, null, null, null, to_jsonb(s) from ({sample}) s",
            only = self.only("employee_id", binds),
        )
    }

    /// The actions with what a person wants to see of each.
    pub(super) fn actions_tail(&self, binds: &mut Binds, limit: Option<i64>) -> String {
        self.actions_select(binds, limit)
    }

    fn actions_select(&self, binds: &mut Binds, limit: Option<i64>) -> String {
        let from = match limit {
            None => "actions".to_owned(),
            Some(limit) => {
                let limit = binds.add(Bind::Int(limit));
                let kind = |action: &str| {
                    format!(
                        "(select * from actions where action = '{action}' order by email collate \"C\", employee_id limit {limit})"
                    )
                };
                let kinds = ["enroll", "update", "withdraw"];
                let kinds = kinds.iter().chain(self.question.mails.map(|_| &"send"));
                format!("({})", kinds.map(|action| kind(action)).collect::<Vec<_>>().join(" union all "))
            }
        };
        let number = self.number(binds);
        format!(
            "select
    a.action, a.employee_id, a.email, a.reason,
    coalesce(nullif(btrim(e.full_name), ''), '') as full_name,
    coalesce(e.position, '') as position,
    coalesce(c.company_name, e.company_name, '') as company_name,
    case when a.action = 'update' then n.fields end as held,
    n.email as held_email,
    case when a.action <> 'withdraw' then {fields} end as fields,
    case when a.action <> 'withdraw' then {inputs} end as inputs
from {from} a
left join public.employees e on e.id = a.employee_id
left join public.companies c on c.id = e.company_id
left join outreach.enrollments n on n.employee_id = a.employee_id and n.campaign_number = {number}
order by a.action, a.email collate \"C\", a.employee_id",
            fields = columns::plain_fields(self.campaign, binds),
            inputs = columns::template_inputs(self.campaign),
        )
    }

    /// Records the actions as pushes.
    pub(super) fn record_tail(&self, binds: &mut Binds, what: Record, reconcile_id: Uuid) -> String {
        let which = match what {
            Record::Everything => "true".to_owned(),
            Record::NobodyNew => "a.action <> 'enroll'".to_owned(),
            Record::Stops => format!("a.action = 'withdraw' and a.reason in ({})", stop_codes()),
        };
        let now = instant(binds, self.question.as_of);
        // A follow-up says what the mails before it said of the contact.
        let (said, held) = match self.question.mails {
            Some(_) => (
                "when a.action = 'send' then n.fields",
                format!(
                    "
left join outreach.enrollments n on n.employee_id = a.employee_id and n.campaign_number = {}",
                    self.number(binds)
                ),
            ),
            None => ("", String::new()),
        };
        format!(
            "insert into outreach.pushes (
    employee_id, campaign_number, ordinal, action, provider, company_id, email, reason,
    fields, inputs, source_hash, reconcile_id, place, recorded_at
)
select
    a.employee_id, {number}, a.ordinal, a.action, {provider}, a.company_id, a.email, a.reason,
    case when a.action = 'withdraw' then '{{}}'::jsonb {said} else {fields} end,
    case when a.action in ('withdraw', 'send') then null else {inputs} end,
    a.source_hash, {reconcile}, row_number() over (), {now}
from actions a
left join public.employees e on e.id = a.employee_id
left join public.companies c on c.id = e.company_id{held}
where {which}",
            number = self.number(binds),
            provider = binds.add(Bind::Text(self.campaign.provider.clone())),
            fields = columns::plain_fields(self.campaign, binds),
            inputs = columns::template_inputs(self.campaign),
            reconcile = binds.add(Bind::Uuid(reconcile_id)),
        )
    }

    /// Whom this campaign takes or waits for: campaigns of lower rank leave them alone.
    pub(super) fn wanted_tail(&self, binds: &mut Binds) -> String {
        let deferred = codes(Skip::ALL.iter().filter(|skip| skip.is_deferral()).map(|skip| skip.code()));
        format!(
            "insert into wanted (employee_id, email, company_id, campaign_number, enrolling)
select employee_id, email, company_id, {}, skip is null from admitted where skip is null or skip in ({deferred})",
            self.number(binds)
        )
    }

    /// How many contacts wait to enter, by kinds of domains: those that may, and those that only a daily limit
    /// keeps for later.
    pub(super) fn waiting_tail(&self, binds: &mut Binds) -> String {
        let later = codes([Skip::OverDailyLimit, Skip::OverDomainLimit].iter().map(|skip| skip.code()));
        let since = instant(binds, self.question.day_start);
        format!(
            "select waiting, today, count(*) as domains
from (
    select count(*) as waiting, coalesce(max(t.taken), 0) as today
    from (select split_part(email, '@', 2) as domain from admitted where skip is null or skip in ({later})) w
    left join (
        select split_part(email, '@', 2) as domain, count(*) as taken
        from outreach.enrollments
        where campaign_number = {number} and enrolled_at >= {since} and status <> 'failed'
        group by 1
    ) t using (domain)
    group by domain
) d
group by waiting, today",
            number = self.number(binds),
        )
    }

    /// Where some contacts stand after every step.
    pub(super) fn verdict_tail(binds: &mut Binds, people: &[Uuid]) -> String {
        let people = binds.add(Bind::UuidArray(people.to_vec()));
        format!(
            "select p.employee_id,
    k.candidate_id is not null as matched,
    m.status, coalesce(m.live, false) as live, coalesce(m.in_flight, false) as in_flight,
    d.skip, s.leaves, a.action,
    coalesce(j.reasons, '{{}}') as against, coalesce(s.reasons, '{{}}') as leaving
from unnest({people}) as p (employee_id)
left join candidates k on k.candidate_id = p.employee_id
left join enrolled m on m.enrolled_id = p.employee_id
left join judged j using (employee_id)
left join admitted d using (employee_id)
left join standing s using (employee_id)
left join actions a using (employee_id)"
        )
    }
}

fn codes<'c>(codes: impl Iterator<Item = &'c str>) -> String {
    codes.map(|code| format!("'{code}'")).collect::<Vec<_>>().join(", ")
}

fn stop_codes() -> String {
    codes(WithdrawReason::ALL.iter().filter(|reason| reason.is_stop()).map(|reason| reason.code()))
}
