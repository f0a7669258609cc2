//! The rules, one campaign at a time: who stands, who enters, and what the guard says.
//!
//! Changes nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use md5::{Digest as _, Md5};
use outreachd::manifest::Manifest;
use outreachd::model::{
    ActionKind, Campaign, FieldSource, Guard, Membership, OnLeave, Skip, State, WithdrawReason, domain_of,
    is_address,
};
use uuid::Uuid;

use super::{Enrollment, Open, Person, Planned, World};

/// One campaign's look at the world.
pub(super) struct View<'a> {
    pub(super) world: &'a World,
    pub(super) manifest: &'a Manifest,
    pub(super) campaign: &'a Campaign,
    pub(super) above: &'a [(&'a Campaign, Planned)],
    pub(super) now: DateTime<Utc>,
}

impl View<'_> {
    fn enrollments(&self) -> impl Iterator<Item = (&Uuid, &Enrollment)> {
        let number = self.campaign.number;
        self.world.enrollments.iter().filter(move |((of, _), _)| *of == number).map(|((_, id), n)| (id, n))
    }

    fn open(&self) -> impl Iterator<Item = &Open> {
        self.world.open.iter().filter(|push| push.campaign == self.campaign.number)
    }

    fn in_flight(&self, id: &Uuid) -> bool {
        self.open().any(|push| push.person == *id)
    }

    fn exits(&self, person: &Person) -> bool {
        let segments = &self.manifest.segments;
        self.campaign.exit.as_ref().is_some_and(|exit| self.world.matches(segments, exit, person))
    }

    fn matched(&self, person: &Person) -> bool {
        self.campaign.state == State::Active
            && self.world.matches(&self.manifest.segments, &self.campaign.segment, person)
    }

    /// Those whom the provider holds: leave, update or keep.
    pub(super) fn standing(&self, planned: &mut Planned) {
        planned.in_flight = self.open().count() as i64;
        for (id, enrollment) in self.enrollments().filter(|(_, enrollment)| enrollment.live()) {
            planned.live += 1;
            planned.live_in_flight += i64::from(self.in_flight(id));
            let person = self.world.people.get(id);
            if let Some(reason) = self.leaves(enrollment, person) {
                planned.leaving.insert(*id, reason);
                if !self.in_flight(id) {
                    planned.actions.insert(*id, (ActionKind::Withdraw, enrollment.email.clone()));
                }
            } else if let Some(person) = person
                && self.updates(id, enrollment, person)
            {
                planned.actions.insert(*id, (ActionKind::Update, person.address()));
            }
        }
    }

    fn leaves(&self, enrollment: &Enrollment, person: Option<&Person>) -> Option<WithdrawReason> {
        let Campaign { state, on_leave, membership, .. } = self.campaign;
        let Some(person) = person else { return Some(WithdrawReason::Deleted) };
        let address = person.address();
        let leaves = *on_leave == OnLeave::Withdraw && *state != State::Paused;
        let mirror = *membership == Membership::Mirror && *state == State::Active;
        let suppressed = self.world.is_suppressed(&address) || self.world.is_suppressed(&enrollment.email);
        [
            (person.unsubscribed, WithdrawReason::Unsubscribed),
            (person.bounced, WithdrawReason::Bounced),
            (person.replied, WithdrawReason::Replied),
            (suppressed, WithdrawReason::Suppressed),
            (address.is_empty() && *state != State::Paused, WithdrawReason::NoAddress),
            (leaves && *state == State::Archived, WithdrawReason::Archived),
            (leaves && self.exits(person), WithdrawReason::Exit),
            (leaves && mirror && !self.matched(person), WithdrawReason::LeftAudience),
        ]
        .into_iter()
        .find_map(|(holds, reason)| holds.then_some(reason))
    }

    fn updates(&self, id: &Uuid, enrollment: &Enrollment, person: &Person) -> bool {
        let source = self.world.source(self.campaign, person);
        let address = person.address();
        self.campaign.state == State::Active
            && !self.in_flight(id)
            && self.world.complete(self.campaign, person)
            && (self.campaign.drafts().next().is_none() || World::drafted(self.campaign, person).is_some())
            && source != enrollment.held
            && self.would_change(enrollment, person)
            && Some(&source) != enrollment.refused.as_ref()
            && (address == enrollment.email || (is_address(&address) && !self.is_held(id, &address)))
    }

    /// Whether the provider's copy would be another one. What templates make is not known before they are filled.
    fn would_change(&self, enrollment: &Enrollment, person: &Person) -> bool {
        let has_template =
            self.campaign.fields.values().any(|source| matches!(source, FieldSource::Template { .. }));
        has_template
            || person.address() != enrollment.email
            || self.world.render(self.campaign, person).as_ref() != Some(&enrollment.fields)
    }

    /// One address is enrolled once a campaign: whether another row has it, had it or is about to. Two rows
    /// without an address share none.
    fn is_held(&self, id: &Uuid, address: &str) -> bool {
        if address.is_empty() {
            return false;
        }
        let others = self.enrollments().any(|(other, enrollment)| {
            // What a mirror has let go may come back in another row.
            let gone = enrollment.status == "failed"
                || (enrollment.status == "withdrawn" && self.campaign.membership == Membership::Mirror);
            let moves_there = enrollment.live()
                && self.world.people.get(other).is_some_and(|person| person.address() == address);
            other != id && ((!gone && enrollment.email == address) || moves_there)
        });
        others || self.open().any(|push| push.person != *id && push.email == address)
    }

    /// Those whom the rule lets in and the provider does not hold.
    pub(super) fn entering(&self, planned: &mut Planned) {
        let mut passed = Vec::new();
        for (id, person) in &self.world.people {
            let live = self.world.enrollments.get(&(self.campaign.number, *id)).is_some_and(Enrollment::live);
            if !self.matched(person) || live || self.in_flight(id) {
                continue;
            }
            let against = self.objections(id, person);
            match against.first() {
                Some(skip) => {
                    planned.skipped.insert(*id, *skip);
                    planned.against.insert(*id, against);
                }
                None => passed.push((*id, person)),
            }
        }
        passed.sort_by_key(|(id, person)| (self.place(person), *id));
        for (skip, group, room) in self.layers() {
            let mut taken: BTreeMap<String, i64> = BTreeMap::new();
            let mut next = Vec::new();
            for (id, person) in passed {
                let Some(group) = group(person) else {
                    next.push((id, person));
                    continue;
                };
                let count = taken.entry(group.clone()).or_insert(0);
                *count += 1;
                if *count > room(&group) {
                    planned.skipped.insert(id, skip);
                } else {
                    next.push((id, person));
                }
            }
            passed = next;
        }
        for (id, person) in passed {
            planned.actions.insert(id, (ActionKind::Enroll, person.address()));
        }
    }

    /// The reasons against a contact that have nothing to do with how many there are; the first one counts.
    fn objections(&self, id: &Uuid, person: &Person) -> Vec<Skip> {
        let world = self.world;
        let address = person.address();
        let earlier = world.enrollments.get(&(self.campaign.number, *id));
        let source = world.source(self.campaign, person);
        let drafts = self.campaign.drafts().next().is_some();
        let draft = person.drafts.get(&self.campaign.number);
        let made = draft.is_some_and(|draft| draft.fresh);
        let returns = |enrollment: &Enrollment| {
            self.campaign.membership == Membership::Mirror && enrollment.status == "withdrawn"
        };
        [
            (earlier.is_some_and(|n| n.status != "failed" && !returns(n)), Skip::AlreadyContacted),
            (
                earlier.is_some_and(|n| n.status == "failed" && n.refused.as_ref() == Some(&source)),
                Skip::Refused,
            ),
            (address.is_empty(), Skip::NoAddress),
            (!address.is_empty() && !is_address(&address), Skip::InvalidAddress),
            (person.unsubscribed, Skip::Unsubscribed),
            (person.bounced, Skip::Bounced),
            (person.replied, Skip::Replied),
            (world.is_suppressed(&address), Skip::Suppressed),
            (!world.complete(self.campaign, person), Skip::MissingField),
            (self.held_out(id), Skip::HeldOut),
            (self.exits(person), Skip::MatchesExit),
            (self.in_another(id, &address), Skip::InAnotherCampaign),
            (self.cooling(id, person), Skip::CoolingDown),
            (self.is_held(id, &address), Skip::DuplicateAddress),
            (!self.is_verified(person), Skip::NotVerified),
            (drafts && !made, Skip::NoDraft),
            (drafts && made && draft.is_some_and(|draft| draft.state != "approved"), Skip::DraftNotApproved),
        ]
        .into_iter()
        .filter_map(|(holds, skip)| holds.then_some(skip))
        .collect()
    }

    fn held_out(&self, id: &Uuid) -> bool {
        let digest = Md5::digest(format!("{id}:{}", self.campaign.number));
        u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) % 10_000 < self.campaign.holdout
    }

    /// The person or the address is in, on its way into, or wanted first by a campaign that does not share.
    fn in_another(&self, id: &Uuid, address: &str) -> bool {
        let shares = |number: i32| {
            number == self.campaign.number
                || self
                    .manifest
                    .campaigns
                    .iter()
                    .any(|other| other.number == number && other.tolerates(self.campaign))
        };
        let enrolled = self
            .world
            .enrollments
            .iter()
            .any(|((number, of), n)| !shares(*number) && n.live() && (of == id || n.email == address));
        let entering = self.world.open.iter().any(|push| {
            !shares(push.campaign)
                && push.action == ActionKind::Enroll
                && (push.person == *id || push.email == address)
        });
        let wanted = self.above.iter().filter(|(other, _)| !shares(other.number)).any(|(_, planned)| {
            self.world
                .people
                .iter()
                .any(|(of, other)| planned.wants(of) && (of == id || other.address() == address))
        });
        enrolled || entering || wanted
    }

    /// As far as the campaign asks for it: of the address that the contact has now, alive, and lately.
    fn is_verified(&self, person: &Person) -> bool {
        self.campaign.verified.is_none_or(|span| {
            person.verified.as_ref().is_some_and(|(address, alive, at)| {
                *alive && *address == person.address() && *at >= span.before(self.now)
            })
        })
    }

    /// The last outreach of any campaign, those of this very pass included.
    fn cooling(&self, id: &Uuid, person: &Person) -> bool {
        let Some(cooldown) = self.campaign.cooldown else { return false };
        let since = cooldown.before(self.now);
        let in_this_pass = self.above.iter().any(|(_, planned)| planned.enrolls(id));
        person.sent.is_some_and(|sent| sent > since) || (in_this_pass && self.now > since)
    }

    /// Unset values last, whichever the direction.
    fn place(&self, person: &Person) -> Vec<(bool, i64)> {
        let segment = &self.manifest.segments[&self.campaign.segment];
        let key = |order: &outreachd::model::Order| match self.world.raw(person, &order.field).as_i64() {
            None => (true, 0),
            Some(value) if order.descending => (false, -value),
            Some(value) => (false, value),
        };
        segment.order_by.iter().map(key).collect()
    }

    /// Each layer: its reason, the group in which it counts, and how many of a group it still admits.
    #[expect(clippy::type_complexity, reason = "a table of three columns, read once")]
    fn layers(
        &self,
    ) -> Vec<(Skip, Box<dyn Fn(&Person) -> Option<String> + '_>, Box<dyn Fn(&str) -> i64 + '_>)> {
        let company = |person: &Person| person.company.map(|id| id.to_string());
        let all = |_: &Person| Some(String::new());
        let domain = |person: &Person| domain_of(&person.address()).map(ToOwned::to_owned);
        let segment = &self.manifest.segments[&self.campaign.segment];
        let mut layers: Vec<(Skip, Box<dyn Fn(&Person) -> Option<String>>, Box<dyn Fn(&str) -> i64>)> =
            vec![(Skip::DuplicateAddress, Box::new(|person| Some(person.address())), Box::new(|_| 1))];
        if let Some(most) = segment.per_company {
            let taken = |group: &str| self.entered().filter(|company| in_company(*company, group)).count();
            layers.push((
                Skip::OverPerCompany,
                Box::new(company),
                Box::new(move |group| i64::from(most) - taken(group) as i64),
            ));
        }
        if let Some(most) = self.campaign.company_cap {
            layers.push((
                Skip::OverCompanyCap,
                Box::new(company),
                Box::new(move |group| i64::from(most) - self.taken_everywhere(group)),
            ));
        }
        if let Some(most) = segment.limit {
            let taken = self.entered().count() as i64;
            layers.push((Skip::OverSegmentLimit, Box::new(all), Box::new(move |_| i64::from(most) - taken)));
        }
        if let Some(most) = self.campaign.limits.per_domain_per_day {
            let taken = |group: &str| {
                self.handed_today().into_iter().filter(|email| domain_of(email) == Some(group)).count()
            };
            layers.push((
                Skip::OverDomainLimit,
                Box::new(domain),
                Box::new(move |group| i64::from(most) - taken(group) as i64),
            ));
        }
        if let Some(most) = self.campaign.limits.on_day(self.day()) {
            let taken = self.handed_today().len() as i64;
            layers.push((Skip::OverDailyLimit, Box::new(all), Box::new(move |_| i64::from(most) - taken)));
        }
        layers
    }

    /// The company of everyone who takes up room in the segment's limits, or is about to.
    fn entered(&self) -> impl Iterator<Item = Option<Uuid>> {
        let stayed = self.enrollments().filter(|(_, n)| n.status != "failed" && n.status != "withdrawn");
        let entering = self.open().filter(|push| push.action == ActionKind::Enroll);
        stayed.map(|(_, n)| n.company).chain(entering.map(|push| push.company))
    }

    fn taken_everywhere(&self, company: &str) -> i64 {
        let live =
            self.world.enrollments.values().filter(|n| n.live() && in_company(n.company, company)).count();
        let entering = self
            .world
            .open
            .iter()
            .filter(|push| push.action == ActionKind::Enroll && in_company(push.company, company))
            .count();
        let wanted: usize = self
            .above
            .iter()
            .map(|(_, planned)| {
                let people = self.world.people.iter();
                people
                    .filter(|(id, person)| planned.enrolls(id) && in_company(person.company, company))
                    .count()
            })
            .sum();
        (live + entering + wanted) as i64
    }

    fn date(&self, instant: DateTime<Utc>) -> NaiveDate {
        instant.with_timezone(&self.campaign.timezone).date_naive()
    }

    /// Days since the first enrollment.
    fn day(&self) -> u32 {
        let first =
            self.enrollments().filter(|(_, n)| n.status != "failed").map(|(_, n)| n.enrolled_at).min();
        first.map_or(0, |first| (self.date(self.now) - self.date(first)).num_days().max(0)) as u32
    }

    /// Addresses handed over since the local day began, and those that may have been.
    fn handed_today(&self) -> Vec<&str> {
        let settled = self
            .enrollments()
            .filter(|(_, n)| n.status != "failed" && self.date(n.enrolled_at) >= self.date(self.now))
            .map(|(_, n)| n.email.as_str());
        let open =
            self.open().filter(|push| push.action == ActionKind::Enroll).map(|push| push.email.as_str());
        settled.chain(open).collect()
    }
}

fn in_company(company: Option<Uuid>, wanted: &str) -> bool {
    company.is_some_and(|id| id.to_string() == wanted)
}

/// The first limit that the plan breaks; stops never count.
pub(super) fn guard(campaign: &Campaign, planned: &Planned) -> Option<Guard> {
    let by_rule = planned.withdrawn().filter(|reason| !reason.is_stop()).count() as i64;
    let safety = campaign.safety;
    // Of those enrolled nobody is in the audience any more, but for those who leave for another reason
    // anyway or of whom nothing is known before their push is settled.
    let left = planned.withdrawn().filter(|reason| *reason == WithdrawReason::LeftAudience).count() as i64;
    let rest = planned.live - planned.stops() - planned.live_in_flight;
    if campaign.membership == Membership::Mirror && left > 0 && left >= rest {
        return Some(Guard::EmptyAudience);
    }
    if planned.live >= i64::from(safety.from)
        && by_rule * 100 > planned.live * i64::from(safety.max_withdraw_percent)
    {
        return Some(Guard::MaxWithdrawPercent);
    }
    let enroll = planned.count(ActionKind::Enroll);
    safety.max_enroll.is_some_and(|most| enroll > i64::from(most)).then_some(Guard::MaxEnroll)
}
