//! A plan as JSON, every action of it, one at a time: memory does not grow with the audience.

use std::io::Write;

use anyhow::Context as _;
use serde_json::json;

use crate::model::{Action, Campaign, CampaignPlan, Plan};
use crate::reconcile::{Planner, ReconcileError};
use crate::store::StoreError;

/// Writes the plan; its actions are read anew from the planner's snapshot.
pub(super) async fn write<'a>(
    planner: &mut Planner<'a>,
    campaigns: &[&'a Campaign],
    plan: &Plan,
    mut out: impl Write,
) -> anyhow::Result<()> {
    write!(
        out,
        "{{\"format_version\":{},\"digest\":{},\"as_of\":{},\"campaigns\":[",
        plan.format_version,
        json!(plan.digest),
        json!(plan.as_of)
    )?;
    for (index, (campaign, part)) in campaigns.iter().zip(&plan.campaigns).enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(out, "{comma}{},\"actions\":[", head(part)?)?;
        let mut first = true;
        if part.changes() > 0 {
            let visit = |action: Action| -> Result<(), WriteError> {
                if !std::mem::take(&mut first) {
                    out.write_all(b",")?;
                }
                serde_json::to_writer(&mut out, &action)?;
                Ok(())
            };
            planner.each_action(campaign, visit).await.context("could not write the plan's actions")?;
        }
        out.write_all(b"]}")?;
    }
    writeln!(out, "],\"orphaned\":{},\"totals\":{}}}", json!(plan.orphaned), json!(plan.totals))?;
    out.flush()?;
    Ok(())
}

/// The campaign's object without its actions and its closing brace.
fn head(part: &CampaignPlan) -> serde_json::Result<String> {
    let mut value = serde_json::to_value(part)?;
    if let Some(object) = value.as_object_mut() {
        object.remove("actions");
    }
    let mut text = value.to_string();
    text.pop();
    Ok(text)
}

/// What can stop a plan on its way out.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
    #[error("could not write")]
    Io(#[from] std::io::Error),
    #[error("could not write JSON")]
    Json(#[from] serde_json::Error),
}
