//! Two manifests on one snapshot: what changing one into the other does to people.

use std::collections::BTreeMap;

use serde::Deserialize;
use uuid::Uuid;

use super::{Context, Planner, ReconcileError, in_rank};
use crate::manifest::Manifest;
use crate::model::{
    Campaign, CampaignComparison, Cause, Comparison, Declared, FORMAT_VERSION, Movement, Mover, State, Way,
};
use crate::store::diff::{self, Moved, Side};

/// One campaign on both sides.
struct Pair<'a> {
    base: Option<&'a Campaign>,
    head: Option<&'a Campaign>,
}

/// Compares what `base` declares with what the context's manifest does, in one snapshot. Leaves no trace.
pub async fn compare<'a>(
    context: &Context<'a>,
    base: &'a Manifest,
    revision: &str,
    samples: i64,
) -> Result<Comparison, ReconcileError> {
    let head = context.manifest;
    let mut planner = Planner::open(context).await?;
    let as_of = planner.as_of();
    planner.compares().await?;
    let mut untold: BTreeMap<i32, String> = BTreeMap::new();
    for (side, manifest) in [(Side::Base, base), (Side::Head, head)] {
        planner.turn_to(manifest).await?;
        for campaign in in_rank(&manifest.campaigns) {
            if let Err(message) = planner.add_side(campaign, side).await? {
                untold.insert(campaign.number, message);
            }
        }
    }
    let mut campaigns = Vec::new();
    for (number, pair) in pairs(base, head) {
        let Some(named) = pair.head.or(pair.base) else { continue };
        let mut part = CampaignComparison {
            campaign: named.name.clone(),
            number,
            declared: declared(base, head, &pair),
            movements: Vec::new(),
            updates: 0,
            untold: untold.remove(&number),
        };
        if part.untold.is_none() {
            match planner.moved((base, pair.base), (head, pair.head), number, samples).await? {
                Ok((moved, updates)) => {
                    part.movements = moved.into_iter().map(|row| movement(row, base, head, &pair)).collect();
                    part.updates = updates;
                }
                Err(message) => part.untold = Some(message),
            }
        }
        campaigns.push(part);
    }
    Ok(Comparison { format_version: FORMAT_VERSION, base: revision.to_owned(), as_of, campaigns })
}

/// The campaigns of both sides by number, which is their identity.
fn pairs<'a>(base: &'a Manifest, head: &'a Manifest) -> BTreeMap<i32, Pair<'a>> {
    let mut pairs: BTreeMap<i32, Pair<'a>> = BTreeMap::new();
    for campaign in &base.campaigns {
        pairs.insert(campaign.number, Pair { base: Some(campaign), head: None });
    }
    for campaign in &head.campaigns {
        pairs.entry(campaign.number).or_insert(Pair { base: None, head: None }).head = Some(campaign);
    }
    pairs
}

/// A changed segment changes the campaigns that use it.
fn declared(base: &Manifest, head: &Manifest, pair: &Pair<'_>) -> Declared {
    match (pair.base, pair.head) {
        (Some(before), Some(after)) => {
            let same = before == after
                && base.segments.get(&before.segment) == head.segments.get(&after.segment)
                && segment(base, before.exit.as_ref()) == segment(head, after.exit.as_ref());
            if same { Declared::Same } else { Declared::Changed }
        }
        (None, _) => Declared::Added,
        (Some(_), None) => Declared::Removed,
    }
}

fn segment<'a>(manifest: &'a Manifest, name: Option<&String>) -> Option<&'a crate::model::Segment> {
    manifest.segments.get(name?)
}

fn movement(row: Moved, base: &Manifest, head: &Manifest, pair: &Pair<'_>) -> Movement {
    // Whoever enters was kept out by the base; whoever leaves is kept out by the head.
    let (manifest, campaign) = if row.enters { (base, pair.base) } else { (head, pair.head) };
    let cause = match (campaign, row.reason) {
        (_, Some(code)) => Cause::Reason { code },
        (None, None) => Cause::Undeclared,
        (Some(campaign), None) => {
            let clause = manifest.segments.get(&campaign.segment).and_then(|segment| {
                let index = usize::try_from(row.clause?).ok()?;
                Some(segment.rule.clauses().get(index)?.to_string())
            });
            match clause {
                Some(clause) => Cause::Clause { segment: campaign.segment.clone(), clause },
                None => Cause::State { state: state(campaign.state).to_owned() },
            }
        }
    };
    let people: Vec<Sampled> = serde_json::from_value(row.sample).unwrap_or_default();
    let sample = people
        .into_iter()
        .map(|one| Mover { employee_id: one.employee_id, email: one.email.unwrap_or_default(), who: one.who })
        .collect();
    Movement { way: Way::of(row.enters, row.enrolled), cause, people: row.people, sample }
}

const fn state(state: State) -> &'static str {
    match state {
        State::Active => "active",
        State::Paused => "paused",
        State::Archived => "archived",
    }
}

#[derive(Deserialize)]
struct Sampled {
    employee_id: Uuid,
    email: Option<String>,
    who: String,
}

impl<'a> Planner<'a> {
    async fn compares(&mut self) -> Result<(), ReconcileError> {
        diff::create_sides(&mut self.transaction).await?;
        Ok(diff::create_wanted(&mut self.transaction).await?)
    }

    /// Goes on with other files, in the same snapshot.
    async fn turn_to(&mut self, manifest: &'a Manifest) -> Result<(), ReconcileError> {
        self.manifest = manifest;
        self.wants.clear();
        Ok(diff::forget_wanted(&mut self.transaction).await?)
    }

    async fn add_side(
        &mut self,
        campaign: &'a Campaign,
        side: Side,
    ) -> Result<Result<(), String>, ReconcileError> {
        let question = match self.question(campaign).await? {
            Ok(question) => question,
            Err(message) => return Ok(Err(message)),
        };
        self.guarded(async |connection| diff::add_side(connection, &question, side).await, true).await
    }

    /// Who moves, and how many are updated by the change alone.
    async fn moved(
        &mut self,
        base: (&'a Manifest, Option<&'a Campaign>),
        head: (&'a Manifest, Option<&'a Campaign>),
        number: i32,
        samples: i64,
    ) -> Result<Result<(Vec<Moved>, i64), String>, ReconcileError> {
        let mut questions = Vec::new();
        for (side, (manifest, campaign)) in [(Side::Base, base), (Side::Head, head)] {
            self.manifest = manifest;
            if campaign.is_none() {
                diff::add_undeclared(&mut self.transaction, number, side).await?;
            }
            questions.push(campaign.map(|campaign| self.plain_question(campaign, None)));
        }
        let [base, head] = [questions.first(), questions.get(1)].map(|side| side.and_then(Option::as_ref));
        let rows = self
            .guarded(async |connection| diff::moved(connection, number, base, head, samples).await, false)
            .await?;
        match rows {
            Ok(rows) => Ok(Ok((rows, diff::updated(&mut self.transaction, number).await?))),
            Err(message) => Ok(Err(message)),
        }
    }
}
