//! One contact: who it is, what happened, and why it is, or is not, in each campaign.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::Now;
use crate::audience::{Scope, Tree};
use crate::reconcile::{Explanation, ReconcileError, explain, in_rank};
use crate::store::contacts::{self, Contact};
use crate::store::segment::explain_contact;
use crate::store::timeline::{self, Moment};
use crate::web::Shared;
use crate::web::fault::Fault;
use crate::web::outlook::{About, Told};

/// Moments of a page.
const MOMENTS: i64 = 200;
/// Rules spelled out on the page itself.
const RULES: usize = 20;

/// One segment's rule, clause by clause, as it holds for the contact.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct RuleView {
    pub segment: String,
    /// Names and numbers of the campaigns that use it.
    pub campaigns: Vec<(String, i32)>,
    pub tree: Option<Tree>,
}

/// One contact.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct ContactView {
    pub as_of: DateTime<Utc>,
    pub contact: Contact,
    pub rules: Vec<RuleView>,
    pub timeline: Vec<Moment>,
}

impl ContactView {
    /// What a reply flag alone suppresses ends with the flag, so that a person may still say it for good.
    pub(in crate::web) fn can_be_suppressed(&self) -> bool {
        let is_for_good = |stop: &String| !stop.ends_with(", from flag)");
        self.contact.email.is_some() && !self.contact.suppressions.iter().any(is_for_good)
    }
}

async fn by_id(shared: &Shared, id: Uuid) -> Result<Contact, Fault> {
    let found = contacts::find(&shared.store, &id.to_string()).await?;
    found.into_iter().next().ok_or(Fault::Unknown("contact"))
}

pub(in crate::web) async fn contact(shared: &Shared, id: Uuid) -> Result<ContactView, Fault> {
    let now = Now::of(shared).await?;
    let contact = by_id(shared, id).await?;
    let scope = Scope { segments: &now.manifest.segments, as_of: now.at };
    let mut rules: Vec<RuleView> = Vec::new();
    for campaign in in_rank(&now.manifest.campaigns) {
        let user = (campaign.name.clone(), campaign.number);
        if let Some(known) = rules.iter_mut().find(|known| known.segment == campaign.segment) {
            known.campaigns.push(user);
            continue;
        }
        let Some(segment) = now.manifest.segments.get(&campaign.segment) else { continue };
        if rules.len() == RULES {
            break;
        }
        // A rule that the database refuses says so in the verdicts.
        let tree = explain_contact(&shared.store, &segment.rule, &scope, id).await.unwrap_or_default();
        rules.push(RuleView { segment: campaign.segment.clone(), campaigns: vec![user], tree });
    }
    let timeline = timeline::of_contact(&shared.store, id, MOMENTS).await?;
    Ok(ContactView { as_of: now.at, contact, rules, timeline })
}

/// Where the contact stands in every campaign, with every reason.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct VerdictsView {
    pub as_of: DateTime<Utc>,
    pub campaigns: Vec<Explanation>,
}

/// Where it stands as it was worked out last, at once.
pub(in crate::web) async fn last_verdicts(shared: &Shared, id: Uuid) -> Result<Told<VerdictsView>, Fault> {
    let now = Now::of(shared).await?;
    by_id(shared, id).await?;
    let world = now.world(shared).await?;
    Ok(shared.outlooks.at_once(&shared.outlooks.verdicts, About::Contact(id), &world).await)
}

pub(in crate::web) async fn verdicts(shared: &Shared, id: Uuid) -> Result<Arc<VerdictsView>, Fault> {
    let now = Now::of(shared).await?;
    let world = now.world(shared).await?;
    let contact = by_id(shared, id).await?;
    let context = shared.context(&now.manifest);
    let make = async {
        let mut campaigns = Vec::new();
        for campaign in in_rank(&now.manifest.campaigns) {
            campaigns.push(explain(&context, campaign, &contact).await?);
        }
        Ok::<_, ReconcileError>(VerdictsView { as_of: now.at, campaigns })
    };
    Ok(shared.outlooks.verdicts.get(About::Contact(id), &world, make).await?)
}

/// A contact that was looked for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct Found {
    pub employee_id: Uuid,
    pub full_name: Option<String>,
    pub company_name: Option<String>,
}

/// Contacts with that address or id.
pub(in crate::web) async fn find(shared: &Shared, who: &str) -> Result<Vec<Found>, Fault> {
    // PostgreSQL knows no text with a zero in it.
    if who.trim().is_empty() || who.contains('\0') {
        return Err(Fault::Unfit("whom? an address, or the contact's id".to_owned()));
    }
    let found = contacts::find(&shared.store, who.trim()).await?;
    let named = |contact: Contact| Found {
        employee_id: contact.employee_id,
        full_name: contact.full_name,
        company_name: contact.company_name,
    };
    Ok(found.into_iter().map(named).collect())
}
