//! Unsubscribe links: whose they are, and what following one does.
//!
//! A link is good for ever, under any key that was ever declared. Nothing tells a used one from a new one.

use secrecy::ExposeSecret as _;

use super::{Context, ReconcileError};
use crate::model::token::{self, Purpose};
use crate::model::{Colleagues, PushKey};
use crate::provider::resolve_secret;
use crate::store::feedback;

/// The mail that a link stood in; `None` when nobody of ours signed it.
pub fn mail_of(context: &Context<'_>, token: &str) -> Result<Option<PushKey>, ReconcileError> {
    for (name, provider) in &context.manifest.project.providers {
        let Some(settings) = provider.kind.smtp() else { continue };
        let secrets = std::iter::once(&settings.key)
            .chain(&settings.previous_keys)
            .map(|key| resolve_secret::reference(key, context.root))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| ReconcileError::Provider { provider: name.clone(), source })?;
        let keys = secrets.iter().map(|secret| secret.expose_secret().as_bytes());
        let found = token::verify(token, Purpose::Unsubscribe, keys);
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Stops the contact whose link it is. False when nobody of ours signed it.
pub async fn unsubscribe(context: &Context<'_>, token: &str) -> Result<bool, ReconcileError> {
    let Some(mail) = mail_of(context, token)? else { return Ok(false) };
    let campaign = context.manifest.campaigns.iter().find(|campaign| campaign.number == mail.campaign);
    let spares = campaign.is_some_and(|campaign| campaign.colleagues == Colleagues::Pause);
    let followed = feedback::follow(context.store, mail, spares, context.clock.now()).await?;
    tracing::info!(
        campaign = mail.campaign,
        employee = %mail.employee_id,
        changed = followed.changed > 0,
        "an unsubscribe link was followed"
    );
    Ok(true)
}
