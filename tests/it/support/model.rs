//! The rules of the diff as plain loops over structs: what the SQL is held to.
//!
//! Written from the design and the reasons in `model::plan`, never from the SQL. Slow and simple on
//! purpose: no indexes, no sets where a loop will do, one rule after the other. Knows only the few
//! columns, operators and templates that the generated worlds use.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use md5::{Digest as _, Md5};
use outreachd::manifest::Manifest;
use outreachd::model::{
    ActionKind, Campaign, FieldRef, FieldSource, Guard, Membership, OnLeave, Op, Rule, Scalar, Segment, Skip,
    State, WithdrawReason, domain_of, is_address, normalize_address,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A template that needs a value, and one that can do without.
pub(crate) const NEEDS_POSITION: &str = "Dear {{ employee.position }}!";
pub(crate) const MAY_LACK_REGION: &str = "{{ company.region | default('somewhere') }}";

#[derive(Debug, Clone, Default)]
pub(crate) struct Company {
    pub(crate) segment: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) revenue: Option<i64>,
    pub(crate) status: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Person {
    pub(crate) company: Option<Uuid>,
    pub(crate) email: Option<String>,
    pub(crate) first_name: Option<String>,
    pub(crate) position: Option<String>,
    pub(crate) client_status: Option<String>,
    pub(crate) persona: Value,
    pub(crate) unsubscribed: bool,
    pub(crate) bounced: bool,
    pub(crate) replied: bool,
    pub(crate) sent: Option<DateTime<Utc>>,
    pub(crate) outreach_type: Option<String>,
    pub(crate) campaign_number: Option<i32>,
    pub(crate) campaign_status: Option<String>,
    pub(crate) processing_status: Option<String>,
}

impl Person {
    pub(crate) fn address(&self) -> String {
        self.email.as_deref().map(normalize_address).unwrap_or_default()
    }
}

/// Everything that a provider's copy of a contact is made from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Source {
    declared: BTreeMap<String, FieldSource>,
    address: String,
    values: Vec<Value>,
}

#[derive(Debug, Clone)]
pub(crate) struct Enrollment {
    pub(crate) company: Option<Uuid>,
    pub(crate) email: String,
    pub(crate) status: &'static str,
    pub(crate) fields: Map<String, Value>,
    pub(crate) held: Source,
    pub(crate) refused: Option<Source>,
    pub(crate) enrolled_at: DateTime<Utc>,
}

impl Enrollment {
    pub(crate) fn live(&self) -> bool {
        self.status == "queued" || self.status == "active"
    }
}

/// A push that is not settled.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) campaign: i32,
    pub(crate) person: Uuid,
    pub(crate) action: ActionKind,
    pub(crate) email: String,
    pub(crate) company: Option<Uuid>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) companies: BTreeMap<Uuid, Company>,
    pub(crate) people: BTreeMap<Uuid, Person>,
    pub(crate) enrollments: BTreeMap<(i32, Uuid), Enrollment>,
    pub(crate) open: Vec<Open>,
    /// Targets, and whether a reply flag made them.
    pub(crate) suppressed: BTreeMap<String, bool>,
    /// Companies whose status was written over: what it was, and what it is meanwhile.
    pub(crate) written_over: BTreeMap<Uuid, (Option<String>, Option<String>)>,
}

/// What one campaign's declaration means now.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Planned {
    /// What is done to whom, at which address.
    pub(crate) actions: BTreeMap<Uuid, (ActionKind, String)>,
    pub(crate) skipped: BTreeMap<Uuid, Skip>,
    pub(crate) leaving: BTreeMap<Uuid, WithdrawReason>,
    pub(crate) live: i64,
    pub(crate) in_flight: i64,
    pub(crate) live_in_flight: i64,
    pub(crate) blocked: Option<Guard>,
}

impl Planned {
    pub(crate) fn count(&self, kind: ActionKind) -> i64 {
        self.actions.values().filter(|(action, _)| *action == kind).count() as i64
    }

    pub(crate) fn stops(&self) -> i64 {
        self.withdrawn().filter(|reason| reason.is_stop()).count() as i64
    }

    fn withdrawn(&self) -> impl Iterator<Item = WithdrawReason> {
        let withdraw = |id| self.actions.get(id).is_some_and(|(action, _)| *action == ActionKind::Withdraw);
        self.leaving.iter().filter(move |(id, _)| withdraw(*id)).map(|(_, reason)| *reason)
    }

    /// Whom the campaign takes, and whom it takes another day.
    fn wants(&self, id: &Uuid) -> bool {
        self.enrolls(id) || self.skipped.get(id).is_some_and(|skip| skip.is_deferral())
    }

    fn enrolls(&self, id: &Uuid) -> bool {
        self.actions.get(id).is_some_and(|(action, _)| *action == ActionKind::Enroll)
    }
}

impl World {
    pub(crate) fn is_suppressed(&self, address: &str) -> bool {
        self.suppressed.contains_key(address)
            || domain_of(address).is_some_and(|domain| self.suppressed.contains_key(&format!("@{domain}")))
    }

    /// The value as it stands in its row.
    fn raw(&self, person: &Person, field: &FieldRef) -> Value {
        let company = person.company.and_then(|id| self.companies.get(&id));
        match field.to_string().as_str() {
            "employee.first_name" => json!(person.first_name),
            "employee.position" => json!(person.position),
            "employee.client_status" => json!(person.client_status),
            "employee.ai_research_data.persona" => match &person.persona {
                Value::Number(number) => json!(number.to_string()),
                other => other.clone(),
            },
            "company.segment" => json!(company.and_then(|company| company.segment.clone())),
            "company.region" => json!(company.and_then(|company| company.region.clone())),
            "company.revenue" => json!(company.and_then(|company| company.revenue)),
            other => panic!("the model does not know {other}"),
        }
    }

    /// The value as it is handed over: blank text counts as unset.
    fn value(&self, person: &Person, field: &FieldRef) -> Value {
        match self.raw(person, field) {
            Value::String(text) if text.trim().is_empty() => Value::Null,
            Value::String(text) => json!(text.trim()),
            other => other,
        }
    }

    pub(crate) fn source(&self, campaign: &Campaign, person: &Person) -> Source {
        let mut values = Vec::new();
        for field in campaign.fields.values() {
            match field {
                FieldSource::Column { from, .. } => values.push(self.value(person, from)),
                FieldSource::Template { reads, .. } => {
                    values.extend(reads.iter().map(|from| self.raw(person, from)));
                }
                FieldSource::Value(_) => {}
            }
        }
        Source { declared: campaign.fields.clone(), address: person.address(), values }
    }

    /// What the provider gets; `None` when a template cannot be filled.
    fn render(&self, campaign: &Campaign, person: &Person) -> Option<Map<String, Value>> {
        let mut fields = Map::new();
        for (name, source) in &campaign.fields {
            let value = match source {
                FieldSource::Value(text) => json!(text),
                FieldSource::Column { from, default } => match (self.value(person, from), default) {
                    (Value::Null, Some(text)) => json!(text),
                    (value, _) => value,
                },
                FieldSource::Template { text, .. } => json!(self.fill(text, person)?),
            };
            fields.insert(name.clone(), value);
        }
        Some(fields)
    }

    fn fill(&self, text: &str, person: &Person) -> Option<String> {
        let company = person.company.and_then(|id| self.companies.get(&id));
        let filled = match text {
            NEEDS_POSITION => format!("Dear {}!", person.position.as_ref()?),
            MAY_LACK_REGION => {
                company.and_then(|company| company.region.clone()).unwrap_or("somewhere".into())
            }
            other => panic!("the model does not know the template {other}"),
        };
        (!filled.trim().is_empty()).then_some(filled)
    }

    fn complete(&self, campaign: &Campaign, person: &Person) -> bool {
        campaign.fields.values().all(|source| match source {
            FieldSource::Column { from, default: None } => !self.value(person, from).is_null(),
            _ => true,
        })
    }

    fn holds(&self, rule: &Rule, person: &Person) -> bool {
        match rule {
            Rule::All(parts) => parts.iter().all(|part| self.holds(part, person)),
            Rule::Any(parts) => parts.iter().any(|part| self.holds(part, person)),
            Rule::Not(inner) => !self.holds(inner, person),
            Rule::Test(test) => match (&test.op, self.raw(person, &test.field)) {
                (Op::Eq(Scalar::Text(wanted)), Value::String(text)) => *wanted == text,
                (Op::Eq(_), Value::Null) => false,
                other => panic!("the model does not know {other:?}"),
            },
            other => panic!("the model does not know {other}"),
        }
    }

    fn matches(&self, segments: &BTreeMap<String, Segment>, name: &str, person: &Person) -> bool {
        self.holds(&segments[name].rule, person)
    }

    pub(crate) fn plan(&self, manifest: &Manifest, campaign: &Campaign, now: DateTime<Utc>) -> Planned {
        // Whoever goes first is worked out first.
        let above: Vec<(&Campaign, Planned)> = manifest
            .campaigns
            .iter()
            .filter(|other| other.state == State::Active && other.outranks(campaign))
            .map(|other| (other, self.plan(manifest, other, now)))
            .collect();
        let view = View { world: self, manifest, campaign, above: &above, now };
        let mut planned = Planned::default();
        view.standing(&mut planned);
        view.entering(&mut planned);
        planned.blocked = guard(campaign, &planned);
        planned
    }

    /// The provider accepts everything that can be rendered.
    pub(crate) fn apply(
        &mut self,
        campaign: &Campaign,
        planned: &Planned,
        now: DateTime<Utc>,
        approved: bool,
    ) {
        let before = self.clone();
        for (id, (action, email)) in &planned.actions {
            let reason = planned.leaving.get(id).copied();
            if planned.blocked.is_some() && !approved && !reason.is_some_and(WithdrawReason::is_stop) {
                continue;
            }
            match action {
                ActionKind::Withdraw => self.withdraw(campaign, *id, reason.unwrap()),
                ActionKind::Enroll => self.enroll(&before, campaign, *id, email, now),
                ActionKind::Update => {
                    let person = &before.people[id];
                    let enrollment = self.enrollments.get_mut(&(campaign.number, *id)).unwrap();
                    let source = before.source(campaign, person);
                    match before.render(campaign, person) {
                        Some(fields) => {
                            enrollment.fields = fields;
                            enrollment.email.clone_from(email);
                            enrollment.held = source;
                            enrollment.refused = None;
                        }
                        None => enrollment.refused = Some(source),
                    }
                }
            }
        }
    }

    fn withdraw(&mut self, campaign: &Campaign, id: Uuid, reason: WithdrawReason) {
        let enrollment = self.enrollments.get_mut(&(campaign.number, id)).unwrap();
        enrollment.status = reason.status();
        enrollment.refused = None;
        let company = enrollment.company;
        if let Some(person) = self.people.get_mut(&id)
            && person.campaign_number == Some(campaign.number)
        {
            person.campaign_status = Some(reason.status().to_owned());
        }
        // With its last contact a company gets its status back, unless somebody changed it meanwhile.
        let others = self.enrollments.values().any(|n| n.live() && n.company == company);
        if let Some(company) = company.filter(|_| !others)
            && let Some((before, written)) = self.written_over.remove(&company)
        {
            let status = &mut self.companies.get_mut(&company).unwrap().status;
            if *status == written {
                *status = before;
            }
        }
    }

    fn enroll(&mut self, before: &World, campaign: &Campaign, id: Uuid, email: &str, now: DateTime<Utc>) {
        let seen = &before.people[&id];
        let source = before.source(campaign, seen);
        let rendered = before.render(campaign, seen);
        let accepted = rendered.is_some();
        self.enrollments.insert(
            (campaign.number, id),
            Enrollment {
                company: seen.company,
                email: email.to_owned(),
                status: if accepted { "queued" } else { "failed" },
                fields: rendered.unwrap_or_default(),
                held: source.clone(),
                refused: (!accepted).then_some(source),
                enrolled_at: now,
            },
        );
        if !accepted {
            return;
        }
        let person = self.people.get_mut(&id).unwrap();
        person.campaign_number = Some(campaign.number);
        person.sent = Some(now);
        person.outreach_type = Some(campaign.outreach_type.as_str().to_owned());
        person.campaign_status = Some("queued".to_owned());
        for write in &campaign.write_back {
            let value = Some(write.value.clone());
            match write.field.to_string().as_str() {
                "employee.processing_status" => person.processing_status = value,
                "employee.client_status" => person.client_status = value,
                "company.status" => {
                    if let Some(company) = seen.company {
                        let status = &mut self.companies.get_mut(&company).unwrap().status;
                        if *status != value {
                            let before = std::mem::replace(status, value.clone());
                            self.written_over.entry(company).or_insert((before, value));
                        }
                    }
                }
                other => panic!("the model does not write {other}"),
            }
        }
    }
}

/// One campaign's look at the world.
struct View<'a> {
    world: &'a World,
    manifest: &'a Manifest,
    campaign: &'a Campaign,
    above: &'a [(&'a Campaign, Planned)],
    now: DateTime<Utc>,
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
    fn standing(&self, planned: &mut Planned) {
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
            && source != enrollment.held
            && Some(&source) != enrollment.refused.as_ref()
            && (address == enrollment.email || (is_address(&address) && !self.is_held(id, &address)))
    }

    /// One address is enrolled once a campaign: whether another row has it, had it or is about to.
    fn is_held(&self, id: &Uuid, address: &str) -> bool {
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
    fn entering(&self, planned: &mut Planned) {
        let mut passed = Vec::new();
        for (id, person) in &self.world.people {
            let live = self.world.enrollments.get(&(self.campaign.number, *id)).is_some_and(Enrollment::live);
            if !self.matched(person) || live || self.in_flight(id) {
                continue;
            }
            match self.objection(id, person) {
                Some(skip) => {
                    planned.skipped.insert(*id, skip);
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

    /// The first reason against a contact that has nothing to do with how many there are.
    fn objection(&self, id: &Uuid, person: &Person) -> Option<Skip> {
        let world = self.world;
        let address = person.address();
        let earlier = world.enrollments.get(&(self.campaign.number, *id));
        let source = world.source(self.campaign, person);
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
            (!is_address(&address), Skip::InvalidAddress),
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
        ]
        .into_iter()
        .find_map(|(holds, skip)| holds.then_some(skip))
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
            let taken = |group: &str| self.entered().filter(|n| in_company(n.company, group)).count();
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

    /// Who takes up room in the segment's limits.
    fn entered(&self) -> impl Iterator<Item = &Enrollment> {
        self.enrollments().map(|(_, n)| n).filter(|n| n.status != "failed" && n.status != "withdrawn")
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
fn guard(campaign: &Campaign, planned: &Planned) -> Option<Guard> {
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
