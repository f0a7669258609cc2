//! Why a contact is, or is not, in a campaign: the rule as a tree, and every reason beside it.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, Planner, ReconcileError};
use crate::audience::{Scope, Tree};
use crate::model::{Campaign, FieldRef, FieldSource, Skip, WithdrawReason, printable};
use crate::store::contacts::{self, Contact};
use crate::store::diff::Verdict;
use crate::store::segment::explain_contact;

/// One campaign's answer.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Explanation {
    pub campaign: String,
    pub number: i32,
    /// The answer in one sentence.
    pub verdict: String,
    /// `None` when the contact has no company.
    pub rule: Option<Tree>,
    pub skip: Option<String>,
    pub leaves: Option<String>,
    /// What else would keep it out, or make it leave.
    pub further: Vec<String>,
    pub status: Option<String>,
    pub action: Option<String>,
    pub unset_fields: Vec<String>,
}

/// Explains one contact in one campaign.
pub async fn explain<'a>(
    context: &Context<'a>,
    campaign: &'a Campaign,
    contact: &Contact,
) -> Result<Explanation, ReconcileError> {
    let people = [contact.employee_id];
    let segments = &context.manifest.segments;
    let mut planner = Planner::open(context).await?;
    let scope = Scope { segments, as_of: planner.as_of() };
    let found = planner.verdicts(campaign, &people).await?;
    let rule = match segments.get(&campaign.segment) {
        Some(segment) if found.is_ok() => {
            explain_contact(context.store, &segment.rule, &scope, contact.employee_id).await?
        }
        _ => None,
    };
    let required: Vec<FieldRef> = campaign
        .fields
        .values()
        .filter_map(|source| match source {
            FieldSource::Column { from, default: None } => Some(from.clone()),
            _ => None,
        })
        .collect();
    let (verdict, sentence) = match found {
        Ok(found) => {
            let verdict = found.into_iter().next().unwrap_or_else(|| Verdict::nothing(people[0]));
            let sentence = sentence(&verdict, rule.as_ref());
            (verdict, sentence)
        }
        Err(message) => (Verdict::nothing(people[0]), format!("cannot tell: {}", printable(&message))),
    };
    let further = verdict.further();
    let Verdict { skip, leaves, status, action, against, .. } = verdict;
    let unset_fields = if against.iter().any(|reason| reason == Skip::MissingField.code()) {
        contacts::unset(context.store, &required, contact.employee_id).await?
    } else {
        Vec::new()
    };
    Ok(Explanation {
        campaign: campaign.name.clone(),
        number: campaign.number,
        verdict: sentence,
        rule,
        skip,
        leaves,
        further,
        status,
        action,
        unset_fields,
    })
}

/// A reason's code in words.
pub fn words(code: &str) -> &str {
    let known = Skip::parse(code).map(Skip::text);
    known.or_else(|| WithdrawReason::parse(code).map(WithdrawReason::text)).unwrap_or(code)
}

fn sentence(verdict: &Verdict, rule: Option<&Tree>) -> String {
    match (&verdict.action, &verdict.skip, &verdict.leaves) {
        _ if verdict.in_flight => "on its way: a push is not settled yet".to_owned(),
        (Some(action), _, Some(reason)) if action == "withdraw" => {
            format!("will be withdrawn: {}", words(reason))
        }
        (Some(action), ..) if action == "enroll" => "will be enrolled".to_owned(),
        (Some(action), ..) if action == "send" => "is enrolled; its next mail is due".to_owned(),
        (Some(_), ..) => "is enrolled; its fields will be updated".to_owned(),
        (None, _, _) if verdict.live => "is enrolled".to_owned(),
        (None, Some(skip), _) => format!("is not enrolled: {}", words(skip)),
        (None, None, _) => match (&verdict.status, rule) {
            (Some(status), _) => format!("was enrolled and is {status}"),
            (None, None) => "is not in the audience: it has no company".to_owned(),
            (None, Some(rule)) if !rule.verdict => {
                "is not in the audience: the rule does not let it in".to_owned()
            }
            (None, Some(_)) => "is not enrolled: the campaign takes nobody in".to_owned(),
        },
    }
}
