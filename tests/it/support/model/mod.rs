//! The rules of the diff as plain loops over structs: what the SQL is held to.
//!
//! Written from the design and the reasons in `model::plan`, never from the SQL. Slow and simple on
//! purpose: no indexes, no sets where a loop will do, one rule after the other. Knows only the few
//! columns, operators and templates that the generated worlds use.

mod view;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use outreachd::manifest::Manifest;
use outreachd::model::{
    ActionKind, Campaign, FieldRef, FieldSource, Guard, Op, Rule, Scalar, Segment, Skip, State,
    WithdrawReason, domain_of, normalize_address,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use view::{View, guard};

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
    /// The address that was looked up, whether it was alive, and when.
    pub(crate) verified: Option<(String, bool, DateTime<Utc>)>,
    /// Texts that were drafted, by campaign.
    pub(crate) drafts: BTreeMap<i32, Drafted>,
}

/// A draft of a campaign's one drafted field.
#[derive(Debug, Clone)]
pub(crate) struct Drafted {
    pub(crate) text: String,
    pub(crate) state: &'static str,
    /// Made from what the campaign declares.
    pub(crate) fresh: bool,
}

impl Person {
    pub(crate) fn address(&self) -> String {
        self.email.as_deref().map(normalize_address).unwrap_or_default()
    }
}

/// Everything that a provider's copy of a contact is made from, as it stands in the rows: a blank more is
/// another source, though nothing else may come of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Source {
    declared: BTreeMap<String, FieldSource>,
    address: Option<String>,
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
    /// Everything that speaks against those who do not enter, but for the bounds that count contacts.
    pub(crate) against: BTreeMap<Uuid, Vec<Skip>>,
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
                FieldSource::Column { from, .. } => values.push(self.raw(person, from)),
                FieldSource::Template { reads, .. } => {
                    values.extend(reads.iter().map(|from| self.raw(person, from)));
                }
                FieldSource::Value(_) => {}
                FieldSource::Draft(_) => values.push(json!(Self::drafted(campaign, person))),
            }
        }
        Source { declared: campaign.fields.clone(), address: person.email.clone(), values }
    }

    /// What the provider gets; `None` when a template cannot be filled.
    pub(crate) fn render(&self, campaign: &Campaign, person: &Person) -> Option<Map<String, Value>> {
        let mut fields = Map::new();
        for (name, source) in &campaign.fields {
            let value = match source {
                FieldSource::Value(text) => json!(text),
                FieldSource::Column { from, default } => match (self.value(person, from), default) {
                    (Value::Null, Some(text)) => json!(text),
                    (value, _) => value,
                },
                FieldSource::Template { text, .. } => json!(self.fill(text, person)?),
                FieldSource::Draft(_) => json!(Self::drafted(campaign, person)),
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

    /// The text of the drafted field, if it may be used.
    fn drafted<'p>(campaign: &Campaign, person: &'p Person) -> Option<&'p str> {
        let draft = person.drafts.get(&campaign.number);
        draft.filter(|draft| draft.state == "approved").map(|draft| draft.text.as_str())
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
                ActionKind::Send => unreachable!("the model's provider sends by itself"),
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
