//! The named steps of the diff, and the tails that read them.
//!
//! Invariant: `with_clause` is the same for every tail, so a preview cannot disagree with the deed.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::columns;
use super::{Question, Record, instant};
use crate::audience::{self, Bind, Binds, CONTACTS, Scope};
use crate::model::{Campaign, Membership, OnLeave, Segment, Skip, State, WithdrawReason};

/// A push that was recorded and never claimed is forgotten by the next pass; it counts for nothing.
const OPEN: &str = "(state <> 'recorded' or attempts > 0)";

/// Who is in a campaign or on the way into one; an own campaign is always tolerated.
const ELSEWHERE: &str = "(
        select employee_id, email, campaign_number from outreach.enrollments where live
        union all
        select employee_id, email, campaign_number from outreach.pushes
        where action = 'enroll' and settled_at is null and {OPEN}
    ) u";

/// What a layer that counts within companies is partitioned by.
const COMPANY: &str = ", p.company_id";

/// Writes the steps of one question.
pub(super) struct Steps<'a> {
    question: &'a Question<'a>,
    campaign: &'a Campaign,
    segment: Option<&'a Segment>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(question: &'a Question<'a>) -> Self {
        let campaign = question.campaign;
        Self { question, campaign, segment: question.segments.get(&campaign.segment) }
    }

    /// `with candidates as (...), ..., actions as (...)`.
    pub(super) fn with_clause(&self, binds: &mut Binds) -> String {
        let ranked = self.ranked(binds);
        let steps = [
            ("candidates", self.candidates(binds)),
            ("enrolled", self.enrolled(binds)),
            ("moving", self.moving()),
            ("outside", self.outside(binds)),
            ("standing", self.standing()),
            ("judged", self.judged(binds)),
        ];
        let mut text = String::from("with ");
        for (name, step) in steps.iter().chain(&ranked).chain(&[("actions", self.actions(binds))]) {
            let comma = if *name == "candidates" { "" } else { ",\n" };
            let _ = write!(text, "{comma}{name} as (\n{step}\n)");
        }
        text.push('\n');
        text
    }

    fn number(&self, binds: &mut Binds) -> String {
        format!("{}::integer", binds.add(Bind::Int(i64::from(self.campaign.number))))
    }

    fn scope(&self) -> Scope<'a> {
        Scope { segments: self.question.segments, as_of: self.question.as_of }
    }

    fn only(&self, column: &str, binds: &mut Binds) -> String {
        self.question.only.map_or_else(String::new, |people| {
            format!(" and {column} = any({})", binds.add(Bind::UuidArray(people.to_vec())))
        })
    }

    /// What is true of a contact now, in the names that every later step uses.
    fn contact(&self, binds: &mut Binds) -> String {
        let exit = self.campaign.exit.as_ref().and_then(|name| self.question.segments.get(name)).map_or_else(
            || "false".to_owned(),
            |segment| audience::strict(&segment.rule, &self.scope(), binds),
        );
        format!(
            "e.company_id,
    {address} as email,
    coalesce(e.reply_unsubscribe, false) as unsubscribed,
    coalesce(e.reply_bounce, false) as bounced,
    coalesce(e.reply_info_request, false) as replied,
    e.outreach_sent_date as last_sent,
    {exit} as exits,
    {complete} as complete,
    {hash} as source_hash",
            address = columns::normalized("e.work_email"),
            complete = columns::complete(self.campaign),
            hash = columns::source_hash(self.campaign, binds),
        )
    }

    /// Whom the rule lets in. A campaign that takes nobody in asks for nobody.
    fn candidates(&self, binds: &mut Binds) -> String {
        let rule = match (self.campaign.state, self.segment) {
            (State::Active, Some(segment)) => audience::predicate(&segment.rule, &self.scope(), binds),
            _ => "false".to_owned(),
        };
        let mut sort = String::new();
        for (index, key) in self.sort_keys().enumerate() {
            let _ = write!(sort, ",\n    {} as sort_{index}", key.0);
        }
        format!(
            "select
    e.id as employee_id,
    {contact}{sort}
from {CONTACTS}
where {rule}{only}",
            contact = self.contact(binds),
            only = self.only("e.id", binds),
        )
    }

    /// What the provider is known to hold, and what is on its way.
    fn enrolled(&self, binds: &mut Binds) -> String {
        let number = self.number(binds);
        let only_enrollment = self.only("n.employee_id", binds);
        let only_push = self.only("p.employee_id", binds);
        format!(
            "select
    employee_id,
    n.company_id as held_company,
    n.email as held_email,
    n.status,
    coalesce(n.live, false) as live,
    n.ordinal,
    n.source_hash as held_hash,
    n.refused_hash,
    p.employee_id is not null as in_flight,
    p.email as push_email
from (select * from outreach.enrollments n where n.campaign_number = {number}{only_enrollment}) n
full join (
    select p.employee_id, p.email from outreach.pushes p
    where p.campaign_number = {number} and p.settled_at is null and {OPEN}{only_push}
) p using (employee_id)"
        )
    }

    /// Audience beside enrollments, without the contacts that stay as they are.
    fn moving(&self) -> String {
        let mut sort = String::new();
        for (index, _) in self.sort_keys().enumerate() {
            let _ = write!(sort, ", k.sort_{index}");
        }
        format!(
            "select
    employee_id,
    k.employee_id is not null as matched,
    n.employee_id is not null as known,
    n.held_company, n.held_email, n.status, coalesce(n.live, false) as live, n.ordinal, n.held_hash,
    n.refused_hash, coalesce(n.in_flight, false) as in_flight, n.push_email,
    k.company_id, k.email, k.unsubscribed, k.bounced, k.replied,
    s.target is not null or d.target is not null as suppressed,
    k.last_sent, k.exits, k.complete, k.source_hash{sort}
from candidates k
full join enrolled n using (employee_id)
left join outreach.suppressions s on s.target = coalesce(k.email, n.held_email)
left join outreach.suppressions d on d.target = '@' || split_part(coalesce(k.email, n.held_email), '@', 2)
where (n.live and not n.in_flight and k.source_hash = n.held_hash
       and not (k.unsubscribed or k.bounced or k.replied or k.exits)
       and s.target is null and d.target is null) is not true
    and (k.employee_id is not null or n.live or n.in_flight)"
        )
    }

    /// Live enrollments whose contact the rule no longer lets in (or that is gone), as it is now.
    fn outside(&self, binds: &mut Binds) -> String {
        format!(
            "select
    n.employee_id, e.id is null as deleted, n.held_company, n.held_email, n.ordinal, n.held_hash,
    n.refused_hash, n.in_flight, n.suppressed,
    {contact}
from moving n
left join public.employees e on e.id = n.employee_id
left join public.companies c on c.id = e.company_id
where n.live and not n.matched",
            contact = self.contact(binds),
        )
    }

    /// Every live enrollment that may change, with the reason to leave if there is one.
    fn standing(&self) -> String {
        let state = self.campaign.state;
        let leaves = self.campaign.on_leave == OnLeave::Withdraw && state != State::Paused;
        let mirror = self.campaign.membership == Membership::Mirror && state == State::Active;
        let when = |holds: bool, condition: &'static str| if holds { condition } else { "false" };
        let mut reasons = String::new();
        for (condition, reason) in [
            ("deleted", WithdrawReason::Deleted),
            ("unsubscribed", WithdrawReason::Unsubscribed),
            ("bounced", WithdrawReason::Bounced),
            ("replied", WithdrawReason::Replied),
            ("suppressed", WithdrawReason::Suppressed),
            (when(state != State::Paused, "coalesce(email, '') = ''"), WithdrawReason::NoAddress),
            (when(leaves && state == State::Archived, "true"), WithdrawReason::Archived),
            (when(leaves, "exits"), WithdrawReason::Exit),
            (when(leaves && mirror, "not matched"), WithdrawReason::LeftAudience),
        ] {
            let _ = write!(reasons, "\n        when {condition} then '{}'", reason.code());
        }
        let held = "employee_id, held_company, held_email, ordinal, held_hash, refused_hash, in_flight";
        let now = "company_id, email, unsubscribed, bounced, replied, exits, complete, source_hash";
        // Both addresses count: the one that the provider holds and the one that the row has now.
        format!(
            "select t.*, case{reasons}
    end as leaves
from (
    select {held}, {now}, matched, deleted,
        suppressed or (held_email is distinct from email and exists (
            select from outreach.suppressions s
            where s.target in (email, held_email, '@' || split_part(email, '@', 2),
                '@' || split_part(held_email, '@', 2))
        )) as suppressed
    from (
        select {held}, {now}, true as matched, false as deleted, suppressed from moving where live and matched
        union all
        select {held}, {now}, false, deleted, suppressed from outside
    ) b
) t"
        )
    }

    /// Contacts that could enter, with the first reason that speaks against it.
    fn judged(&self, binds: &mut Binds) -> String {
        let number = self.number(binds);
        let reenters =
            if self.campaign.membership == Membership::Mirror { "f.status = 'withdrawn'" } else { "false" };
        let held_out = if self.campaign.holdout == 0 {
            "false".to_owned()
        } else {
            format!(
                "('x' || left(md5(f.employee_id::text || ':' || {number}), 8))::bit(32)::bigint % 10000 < {}",
                binds.add(Bind::Int(i64::from(self.campaign.holdout)))
            )
        };
        let tolerated = binds
            .add(Bind::IntArray(self.question.tolerated.iter().map(|number| i64::from(*number)).collect()));
        let above = self.above(binds);
        let (wanted, joined) = match &above {
            None => ("", String::new()),
            Some(above) => (
                " or w.employee_id is not null or wa.email is not null",
                format!(
                    "left join (
    select distinct employee_id from wanted where {above} and campaign_number <> all ({tolerated})
) w on w.employee_id = f.employee_id
left join (
    select distinct email from wanted where {above} and campaign_number <> all ({tolerated})
) wa on wa.email = f.email
left join (
    select distinct employee_id from wanted where {above} and enrolling
) taken on taken.employee_id = f.employee_id
"
                ),
            ),
        };
        let cooling = self.campaign.cooldown.map_or_else(
            || "false".to_owned(),
            |span| {
                let since = span.before(self.question.as_of);
                // A campaign that goes first in this very pass is an outreach as well.
                let soon = above.is_some() && since < self.question.as_of;
                let soon = if soon { " or taken.employee_id is not null" } else { "" };
                format!("f.last_sent > {}{soon}", instant(binds, since))
            },
        );
        let mut reasons = String::new();
        for (condition, skip) in [
            (
                format!("f.known and f.status is not null and f.status <> 'failed' and not ({reenters})"),
                Skip::AlreadyContacted,
            ),
            ("f.status = 'failed' and f.refused_hash = f.source_hash".to_owned(), Skip::Refused),
            ("coalesce(f.email, '') = ''".to_owned(), Skip::NoAddress),
            (format!("not {}", columns::is_address("f.email")), Skip::InvalidAddress),
            ("f.unsubscribed".to_owned(), Skip::Unsubscribed),
            ("f.bounced".to_owned(), Skip::Bounced),
            ("f.replied".to_owned(), Skip::Replied),
            ("f.suppressed".to_owned(), Skip::Suppressed),
            ("not f.complete".to_owned(), Skip::MissingField),
            (held_out, Skip::HeldOut),
            ("f.exits".to_owned(), Skip::MatchesExit),
            (format!("o.employee_id is not null or oa.email is not null{wanted}"), Skip::InAnotherCampaign),
            (cooling, Skip::CoolingDown),
            ("h.holders > 1 or h.holder <> f.employee_id::text".to_owned(), Skip::DuplicateAddress),
        ] {
            let _ = write!(reasons, "\n        when {condition} then '{}'", skip.code());
        }
        format!(
            "select f.*, case{reasons}
    end as skip
from moving f
left join (
    select distinct employee_id from {elsewhere} where campaign_number <> all ({tolerated})
) o on o.employee_id = f.employee_id
left join (
    select distinct email from {elsewhere} where campaign_number <> all ({tolerated})
) oa on oa.email = f.email
{joined}left join (
    select email, count(*) as holders, min(employee_id::text) as holder from (
        select email, employee_id from outreach.enrollments
        where campaign_number = {number} and {holds}
        union
        select email, employee_id from standing where email is not null
        union
        select push_email, employee_id from moving where in_flight and push_email is not null
    ) u group by email
) h on h.email = f.email
where f.matched and not f.live and not f.in_flight",
            elsewhere = ELSEWHERE.replace("{OPEN}", OPEN),
            holds = self.holds_address("status"),
        )
    }

    /// One address is enrolled once a campaign, so whoever had it keeps it; what a mirror has let go may
    /// come back in another row.
    fn holds_address(&self, status: &str) -> String {
        match self.campaign.membership {
            Membership::Enroll => format!("{status} <> 'failed'"),
            Membership::Mirror => format!("{status} not in ('failed', 'withdrawn')"),
        }
    }

    /// The rows of `wanted` that this question looks at.
    fn above(&self, binds: &mut Binds) -> Option<String> {
        let above: Vec<i64> = self.question.above.iter().map(|number| i64::from(*number)).collect();
        (!above.is_empty()).then(|| format!("campaign_number = any ({})", binds.add(Bind::IntArray(above))))
    }

    fn sort_keys(&self) -> impl Iterator<Item = (String, bool)> {
        self.segment.into_iter().flat_map(|segment| {
            segment.order_by.iter().map(|order| (audience::column(&order.field), order.descending))
        })
    }

    fn sort(&self) -> String {
        let mut text = String::new();
        for (index, (_, descending)) in self.sort_keys().enumerate() {
            let direction = if descending { "desc" } else { "asc" };
            let _ = write!(text, "sort_{index} {direction} nulls last, ");
        }
        text + "employee_id"
    }

    /// The layers that count contacts: each drops what is past its bound, in the declared order.
    /// A layer that has no bound is left out, because each costs a sort.
    fn ranked(&self, binds: &mut Binds) -> Vec<(&'static str, String)> {
        let sort = self.sort();
        let number = self.number(binds);
        let since = instant(binds, self.question.day_start);
        let above = self.above(binds);
        let segment = self.segment;
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
                    columns = self.ranked_columns(),
                ),
            ));
            previous = name;
        };
        if let Some(bound) = segment.and_then(|segment| segment.per_company) {
            let held = format!(
                "
left join (
    select company_id, count(*) as taken from outreach.enrollments
    where campaign_number = {number} and status not in ('failed', 'withdrawn') group by company_id
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
    select count(*) as taken from outreach.enrollments
    where campaign_number = {number} and status not in ('failed', 'withdrawn')
) t"
            );
            layer("within_segment", "", Some(held), i64::from(bound), Skip::OverSegmentLimit);
        }
        if let Some(bound) = self.campaign.limits.per_domain_per_day {
            let held = format!(
                "
left join (
    select split_part(email, '@', 2) as domain, count(*) as taken from (
        select email from outreach.enrollments
        where campaign_number = {number} and enrolled_at >= {since} and status <> 'failed'
        union all
        select email from outreach.pushes
        where campaign_number = {number} and action = 'enroll' and settled_at is null and {OPEN}
    ) u group by 1
) t on t.domain = split_part(r.email, '@', 2)"
            );
            let bound = i64::from(bound);
            layer("within_domain", ", split_part(p.email, '@', 2)", Some(held), bound, Skip::OverDomainLimit);
        }
        if let Some(bound) = self.question.remaining_today {
            layer("within_day", "", None, bound, Skip::OverDailyLimit);
        }
        layers.push(("admitted", format!("select * from {previous}")));
        layers
    }

    fn ranked_columns(&self) -> String {
        let mut text = "p.employee_id, p.company_id, p.email, p.ordinal, p.source_hash".to_owned();
        for (index, _) in self.sort_keys().enumerate() {
            let _ = write!(text, ", p.sort_{index}");
        }
        text
    }

    /// Of the rows that share an address only the first goes on.
    fn single(&self, sort: &str) -> String {
        let code = Skip::DuplicateAddress.code();
        format!(
            "select {columns}, case when twin.employee_id is not null then '{code}' else p.skip end as skip
from judged p
left join (
    select employee_id from (
        select employee_id, row_number() over (partition by email order by {sort}) as place
        from judged
        where skip is null and email in (
            select email from judged where skip is null group by email having count(*) > 1
        )
    ) t where place > 1
) twin on twin.employee_id = p.employee_id",
            columns = self.ranked_columns(),
        )
    }

    fn actions(&self, binds: &mut Binds) -> String {
        let entered = binds.add(Bind::Text(self.campaign.segment.clone()));
        let updates = if self.campaign.state == State::Active { "true" } else { "false" };
        format!(
            "select
    'enroll' as action, employee_id, company_id, email, coalesce(ordinal, 0) + 1 as ordinal,
    {entered} as reason, source_hash
from admitted
where skip is null
union all
select
    'update', employee_id, company_id, email, ordinal + 1, 'fields_changed', source_hash
from standing t
where leaves is null and not in_flight and {updates} and complete
    and source_hash <> held_hash
    and source_hash is distinct from refused_hash
    and (email = held_email or ({valid} and not exists (
        select from standing o where o.employee_id <> t.employee_id and t.email in (o.email, o.held_email)
    ) and not exists (
        select from outreach.enrollments o
        where o.campaign_number = {number} and {holds} and o.email = t.email and o.employee_id <> t.employee_id
    ) and not exists (
        select from moving o where o.in_flight and o.push_email = t.email and o.employee_id <> t.employee_id
    )))
union all
select
    'withdraw', employee_id, coalesce(company_id, held_company), held_email, ordinal + 1, leaves, held_hash
from standing
where leaves is not null and not in_flight",
            valid = columns::is_address("email"),
            holds = self.holds_address("o.status"),
            number = self.number(binds),
        )
    }

    /// Counts, sums and samples; one row each, told apart by `part`.
    pub(super) fn report_tail(&self, binds: &mut Binds, samples: i64) -> String {
        let number = self.number(binds);
        let stops = stop_codes();
        let sample = self.actions_select(binds, Some(samples));
        format!(
            "select 'action' as part, action as code, count(*) as n,
    count(*) filter (where action = 'withdraw' and reason in ({stops})) as stops,
    bit_xor(hash_record_extended(row(action, employee_id, email, ordinal, reason, source_hash), 1)) as digest_1,
    bit_xor(hash_record_extended(row(action, employee_id, email, ordinal, reason, source_hash), 2)) as digest_2,
    null::jsonb as detail
from actions group by action
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
                        "(select * from actions where action = '{action}' order by email, employee_id limit {limit})"
                    )
                };
                format!("({} union all {} union all {})", kind("enroll"), kind("update"), kind("withdraw"))
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
order by a.action, a.email, a.employee_id",
            fields = columns::plain_fields(self.campaign, binds),
            inputs = columns::template_inputs(self.campaign),
        )
    }

    /// Records the actions as pushes.
    pub(super) fn record_tail(&self, binds: &mut Binds, what: Record, reconcile_id: Uuid) -> String {
        let which = match what {
            Record::Everything => "true".to_owned(),
            Record::Stops => format!("a.action = 'withdraw' and a.reason in ({})", stop_codes()),
        };
        let now = instant(binds, self.question.as_of);
        format!(
            "insert into outreach.pushes (
    employee_id, campaign_number, ordinal, action, provider, company_id, email, reason,
    fields, inputs, source_hash, reconcile_id, recorded_at
)
select
    a.employee_id, {number}, a.ordinal, a.action, {provider}, a.company_id, a.email, a.reason,
    case when a.action = 'withdraw' then '{{}}'::jsonb else {fields} end,
    case when a.action = 'withdraw' then null else {inputs} end,
    a.source_hash, {reconcile}, {now}
from actions a
left join public.employees e on e.id = a.employee_id
left join public.companies c on c.id = e.company_id
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

    /// Where some contacts stand after every step.
    pub(super) fn verdict_tail(&self, binds: &mut Binds, people: &[Uuid]) -> String {
        let people = binds.add(Bind::UuidArray(people.to_vec()));
        format!(
            "select p.employee_id,
    k.employee_id is not null as matched,
    m.status, coalesce(m.live, false) as live, coalesce(m.in_flight, false) as in_flight,
    d.skip, s.leaves, a.action
from unnest({people}) as p (employee_id)
left join candidates k using (employee_id)
left join enrolled m using (employee_id)
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

/// Start of the local day in the campaign's time zone.
pub fn local_day_start(campaign: &Campaign, now: DateTime<Utc>) -> DateTime<Utc> {
    use chrono::TimeZone as _;
    let midnight = now.with_timezone(&campaign.timezone).date_naive().and_time(chrono::NaiveTime::MIN);
    // On a day that skips midnight the day starts at the first instant that exists.
    (0..4)
        .find_map(|hours| {
            campaign.timezone.from_local_datetime(&(midnight + chrono::TimeDelta::hours(hours))).earliest()
        })
        .map_or(now, |start| start.with_timezone(&Utc))
}
