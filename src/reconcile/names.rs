//! A contact's name at a provider that has its own: learnt from answers, used where one contact is meant.

use super::{Context, ReconcileError};
use crate::model::{ActionKind, Campaign};
use crate::provider::{Item, Provider};
use crate::store::remote;

/// Adds the provider's own names for contacts that it has.
pub(super) async fn add_names(
    context: &Context<'_>,
    campaign: &Campaign,
    provider: &dyn Provider,
    items: &mut [Item],
) -> Result<(), ReconcileError> {
    let people: Vec<_> = items
        .iter()
        .filter(|item| item.action != ActionKind::Enroll)
        .map(|item| (item.employee_id(), item.email.as_str()))
        .collect();
    if people.is_empty() || provider.remote().is_none() {
        return Ok(());
    }
    let mut held = remote::held(context.store, campaign.number, &people).await?;
    for item in items {
        item.held = held.remove(&item.employee_id());
    }
    Ok(())
}

/// Remembers the names for contacts that the provider has given.
pub(super) async fn learn(
    context: &Context<'_>,
    campaign: &Campaign,
    provider: &dyn Provider,
) -> Result<(), ReconcileError> {
    let names: Vec<_> =
        provider.learned().into_iter().map(|learned| (learned.employee_id, learned.held)).collect();
    remote::learn(context.store, campaign.number, &names).await?;
    Ok(())
}
