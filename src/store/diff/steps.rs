//! The named steps of the diff, and the tails that read them.
//!
//! Invariant: `with_clause` is the same for every tail, so a preview cannot disagree with the deed.

use std::fmt::Write as _;

use super::columns::{self, Values};
use super::{Question, instant};
use crate::audience::{self, Bind, Binds, CONTACTS, Scope};
use crate::model::{Campaign, Membership, OnLeave, Segment, Skip, State, WithdrawReason};

/// A push that was recorded and never claimed is forgotten by the next pass; it counts for nothing.
pub(super) const OPEN: &str = "(state <> 'recorded' or attempts > 0)";

/// Who is in a campaign or on the way into one; an own campaign is always tolerated.
const ELSEWHERE: &str = "(
        select employee_id, email, campaign_number from outreach.enrollments where live
        union all
        select employee_id, email, campaign_number from outreach.pushes
        where action = 'enroll' and settled_at is null and {OPEN}
    ) u";

/// What a layer that counts within companies is partitioned by.
pub(super) const COMPANY: &str = ", p.company_id";

/// Writes the steps of one question.
pub(super) struct Steps<'a> {
    pub(super) question: &'a Question<'a>,
    pub(super) campaign: &'a Campaign,
    pub(super) segment: Option<&'a Segment>,
    values: Values<'a>,
    /// Every reason is told, not only the first one.
    explains: bool,
}

impl<'a> Steps<'a> {
    pub(super) fn new(question: &'a Question<'a>) -> Self {
        let campaign = question.campaign;
        let segment = question.segments.get(&campaign.segment);
        Self { question, campaign, segment, values: Values::new(campaign), explains: false }
    }

    /// The same steps, with every reason for and against each contact.
    pub(super) fn explaining(question: &'a Question<'a>) -> Self {
        Self { explains: true, ..Self::new(question) }
    }

    /// A column with the first reason that holds; when they are to be explained, another one with all of them.
    fn reasons(&self, name: &str, reasons: &[(impl AsRef<str>, &str)]) -> String {
        let (mut first, mut every) = (String::new(), Vec::new());
        for (condition, code) in reasons {
            let condition = condition.as_ref();
            let _ = write!(first, "\n        when {condition} then '{code}'");
            every.push(format!("case when {condition} then '{code}' end"));
        }
        let mut columns = format!("case{first}\n    end as {name}");
        if self.explains {
            let _ = write!(columns, ",\n    array_remove(array[{}], null) as reasons", every.join(", "));
        }
        columns
    }

    /// `with candidates as (...), ..., actions as (...)`.
    pub(super) fn with_clause(&self, binds: &mut Binds) -> String {
        let ranked = self.ranked(binds);
        let follow_ups = self.follow_ups(binds);
        let steps = [
            ("candidates", self.candidates(binds)),
            ("enrolled", self.enrolled(binds)),
            ("moving", self.moving(binds)),
            ("outside", self.outside(binds)),
            ("standing", self.standing()),
            ("judged", self.judged(binds)),
        ];
        let mut text = String::from("with ");
        let last = [("actions", self.actions(binds))];
        for (name, step) in steps.iter().chain(&follow_ups).chain(&ranked).chain(&last) {
            let comma = if *name == "candidates" { "" } else { ",\n" };
            let _ = write!(text, "{comma}{name} as (\n{step}\n)");
        }
        text.push('\n');
        text
    }

    pub(super) fn number(&self, binds: &mut Binds) -> String {
        format!("{}::integer", binds.add(Bind::Int(i64::from(self.campaign.number))))
    }

    fn scope(&self) -> Scope<'a> {
        Scope { segments: self.question.segments, as_of: self.question.as_of }
    }

    pub(super) fn only(&self, column: &str, binds: &mut Binds) -> String {
        self.question.only.map_or_else(String::new, |people| {
            format!(" and {column} = any({})", binds.add(Bind::UuidArray(people.to_vec())))
        })
    }

    /// A contact's row as it is, with what only its tables can tell.
    fn contact(&self, binds: &mut Binds) -> String {
        let exit = self.campaign.exit.as_ref().and_then(|name| self.question.segments.get(name)).map_or_else(
            || "false".to_owned(),
            |segment| audience::strict(&segment.rule, &self.scope(), binds),
        );
        format!(
            "e.company_id, e.work_email, e.reply_unsubscribe, e.reply_bounce, e.reply_info_request,
    e.outreach_sent_date as last_sent,
    {exit} as exits{values}",
            values = self.values.select(),
        )
    }

    /// What follows from a contact's row, in the names that every later step uses.
    fn derived(&self, alias: &str, binds: &mut Binds) -> String {
        format!(
            "coalesce({alias}.reply_unsubscribe, false) as unsubscribed,
    coalesce({alias}.reply_bounce, false) as bounced,
    coalesce({alias}.reply_info_request, false) as replied,
    {alias}.exits,
    {complete} as complete,
    {drafted} as drafted,
    {hash} as source_hash",
            drafted = self.values.drafted(alias),
            complete = self.values.complete(alias),
            hash = self.values.hash(alias, binds),
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
    e.id as candidate_id,
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
    employee_id as enrolled_id,
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
    ///
    /// For those, which are most, nothing is computed but the hash: as long as it is the same, the
    /// address is the one that the provider holds.
    fn moving(&self, binds: &mut Binds) -> String {
        let mut sort = String::new();
        for (index, _) in self.sort_keys().enumerate() {
            let _ = write!(sort, ", p.sort_{index}");
        }
        format!(
            "select
    p.employee_id, p.matched, p.known, p.held_company, p.held_email, p.status,
    coalesce(p.live, false) as live, p.ordinal, p.held_hash, p.refused_hash,
    coalesce(p.in_flight, false) as in_flight, p.push_email, p.company_id,
    case when p.live then {address} else p.address end as email,
    s.target is not null or d.target is not null as suppressed,
    p.last_sent,
    {derived}{sort}
from (
    select
        k.*, n.*,
        coalesce(k.candidate_id, n.enrolled_id) as employee_id,
        k.candidate_id is not null as matched,
        n.enrolled_id is not null as known,
        case when n.live then n.held_email else {candidate} end as address
    from candidates k
    full join enrolled n on n.enrolled_id = k.candidate_id
    offset 0
) p
left join outreach.suppressions s on s.target = p.address
left join outreach.suppressions d on d.target = '@' || split_part(p.address, '@', 2)
where case
    when p.live and p.matched and not p.in_flight then
        {hash} is distinct from p.held_hash
        or p.reply_unsubscribe or p.reply_bounce or p.reply_info_request or p.exits
        or s.target is not null or d.target is not null
    else p.matched or p.live or p.in_flight
end",
            address = columns::normalized("p.work_email"),
            candidate = columns::normalized("k.work_email"),
            derived = self.derived("p", binds),
            hash = self.values.hash("p", binds),
        )
    }

    /// Live enrollments whose contact the rule no longer lets in (or that is gone), as it is now.
    fn outside(&self, binds: &mut Binds) -> String {
        format!(
            "select
    p.employee_id, p.deleted, p.held_company, p.held_email, p.ordinal, p.held_hash, p.refused_hash,
    p.in_flight, p.suppressed, p.company_id,
    {address} as email,
    {derived}
from (
    select
        n.employee_id, e.id is null as deleted, n.held_company, n.held_email, n.ordinal, n.held_hash,
        n.refused_hash, n.in_flight, n.suppressed,
        {contact}
    from moving n
    left join public.employees e on e.id = n.employee_id
    left join public.companies c on c.id = e.company_id
    where n.live and not n.matched
) p",
            address = columns::normalized("p.work_email"),
            derived = self.derived("p", binds),
            contact = self.contact(binds),
        )
    }

    /// Every live enrollment that may change, with the reason to leave if there is one.
    fn standing(&self) -> String {
        let state = self.campaign.state;
        let leaves = self.campaign.on_leave == OnLeave::Withdraw && state != State::Paused;
        let mirror = self.campaign.membership == Membership::Mirror && state == State::Active;
        let when = |holds: bool, condition: &'static str| if holds { condition } else { "false" };
        let reasons = [
            ("deleted", WithdrawReason::Deleted),
            ("unsubscribed", WithdrawReason::Unsubscribed),
            ("bounced", WithdrawReason::Bounced),
            ("replied", WithdrawReason::Replied),
            ("suppressed", WithdrawReason::Suppressed),
            (when(state != State::Paused, "coalesce(email, '') = ''"), WithdrawReason::NoAddress),
            (when(leaves && state == State::Archived, "true"), WithdrawReason::Archived),
            (when(leaves, "exits"), WithdrawReason::Exit),
            (when(leaves && mirror, "not matched"), WithdrawReason::LeftAudience),
        ];
        let reasons = self.reasons("leaves", &reasons.map(|(condition, reason)| (condition, reason.code())));
        let held = "employee_id, held_company, held_email, ordinal, held_hash, refused_hash, in_flight";
        let now = "company_id, email, unsubscribed, bounced, replied, exits, complete, drafted, source_hash";
        // Both addresses count: the one that the provider holds and the one that the row has now.
        format!(
            "select t.*, {reasons}
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
        let unverified = self.unverified(binds);
        let reasons = [
            (
                format!("f.known and f.status is not null and f.status <> 'failed' and not ({reenters})"),
                Skip::AlreadyContacted,
            ),
            (
                format!(
                    "f.status = 'failed' and f.refused_hash = f.source_hash # {}::bigint",
                    binds.add(Bind::Int(columns::sequence_hash(self.campaign)))
                ),
                Skip::Refused,
            ),
            ("coalesce(f.email, '') = ''".to_owned(), Skip::NoAddress),
            (format!("f.email <> '' and not {}", columns::is_address("f.email")), Skip::InvalidAddress),
            ("f.unsubscribed".to_owned(), Skip::Unsubscribed),
            ("f.bounced".to_owned(), Skip::Bounced),
            ("f.replied".to_owned(), Skip::Replied),
            ("f.suppressed".to_owned(), Skip::Suppressed),
            ("not f.complete".to_owned(), Skip::MissingField),
            (held_out, Skip::HeldOut),
            ("f.exits".to_owned(), Skip::MatchesExit),
            (format!("o.employee_id is not null or oa.email is not null{wanted}"), Skip::InAnotherCampaign),
            (cooling, Skip::CoolingDown),
            (
                "f.email <> '' and (h.holders > 1 or h.holder <> f.employee_id::text)".to_owned(),
                Skip::DuplicateAddress,
            ),
            (self.address_had_mail("f", binds), Skip::DuplicateAddress),
            (self.company_waits("f.company_id", binds), Skip::ColleagueReplied),
            (unverified, Skip::NotVerified),
            (self.awaits_draft(binds, false), Skip::NoDraft),
            (self.awaits_draft(binds, true), Skip::DraftNotApproved),
        ];
        let reasons = self.reasons("skip", &reasons.map(|(condition, skip)| (condition, skip.code())));
        format!(
            "select {columns}, {reasons}
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
            columns = self.ranked_columns("f"),
            elsewhere = ELSEWHERE.replace("{OPEN}", OPEN),
            holds = self.holds_address("status"),
        )
    }

    /// One address is enrolled once a campaign, so whoever had it keeps it; what a mirror has let go may
    /// come back in another row.
    pub(super) fn holds_address(&self, status: &str) -> String {
        match self.campaign.membership {
            Membership::Enroll => format!("{status} <> 'failed'"),
            Membership::Mirror => format!("{status} not in ('failed', 'withdrawn')"),
        }
    }

    /// The rows of `wanted` that this question looks at.
    pub(super) fn above(&self, binds: &mut Binds) -> Option<String> {
        let above: Vec<i64> = self.question.above.iter().map(|number| i64::from(*number)).collect();
        (!above.is_empty()).then(|| format!("campaign_number = any ({})", binds.add(Bind::IntArray(above))))
    }

    fn actions(&self, binds: &mut Binds) -> String {
        let entered = binds.add(Bind::Text(self.campaign.segment.clone()));
        let (changes, sends) = match self.question.mails {
            Some(_) => ("select * from changes".to_owned(), Self::sends()),
            None => (self.changes(binds), String::new()),
        };
        format!(
            "select
    'enroll' as action, employee_id, company_id, email, coalesce(ordinal, 0) + 1 as ordinal,
    {entered} as reason, source_hash
from admitted
where skip is null
union all
{changes}{sends}"
        )
    }

    /// What happens to those who are in: updates and withdrawals.
    pub(super) fn changes(&self, binds: &mut Binds) -> String {
        let updates = if self.campaign.state == State::Active { "true" } else { "false" };
        format!(
            "select
    'update' as action, employee_id, company_id, email, ordinal + 1 as ordinal,
    'fields_changed' as reason, source_hash
from standing t
where leaves is null and not in_flight and {updates} and complete and drafted
    and source_hash <> held_hash
    and source_hash is distinct from refused_hash
    and {differs}
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
            // The hash is of the columns as they are; a blank more in one changes nothing that is sent.
            differs = if columns::has_template(self.campaign) {
                "true".to_owned()
            } else {
                format!(
                    "(email <> held_email or not exists (
        select from outreach.enrollments n
        join public.employees e on e.id = n.employee_id
        left join public.companies c on c.id = e.company_id
        where n.employee_id = t.employee_id and n.campaign_number = {number} and n.fields = {fields}
    ))",
                    number = self.number(binds),
                    fields = columns::plain_fields(self.campaign, binds),
                )
            },
            valid = columns::is_address("email"),
            holds = self.holds_address("o.status"),
            number = self.number(binds),
        )
    }
}
