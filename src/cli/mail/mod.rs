//! Mails for a look: `outreachd preview` and `outreachd test`.
//!
//! Neither records anything, and neither writes to a contact.

pub(super) mod preview;
pub(super) mod test;

use uuid::Uuid;

use super::Exit;
use super::exit::Coded;
use super::session::Session;
use crate::model::{ActionKind, Campaign, SmtpSettings};
use crate::reconcile::{self, Planner, Preview};
use crate::store::contacts;

/// The settings of a campaign whose mails we send.
fn settings<'s>(session: &'s Session, campaign: &Campaign) -> anyhow::Result<&'s SmtpSettings> {
    let provider = session.manifest.project.providers.get(&campaign.provider);
    provider.and_then(|provider| provider.kind.smtp()).ok_or_else(|| {
        Coded::error(
            Exit::Usage,
            format!(
                "campaign {} sends no mails itself: its provider {} is not of kind `smtp`",
                campaign.name, campaign.provider
            ),
        )
    })
}

/// The campaign's mails for a contact: the named one, or the first that would be written to.
async fn made(
    session: &Session,
    campaign: &Campaign,
    who: Option<&str>,
    signed: bool,
) -> anyhow::Result<Preview> {
    let context = session.context();
    let settings = settings(session, campaign)?;
    let employee_id = match who {
        Some(who) => contacts::find(context.store, who).await?.first().map(|contact| contact.employee_id),
        None => somebody(session, campaign).await?,
    };
    let preview = match employee_id {
        Some(id) => reconcile::preview(&context, campaign, settings, id, Uuid::new_v4(), signed).await?,
        None => None,
    };
    preview.ok_or_else(|| {
        let message = match who {
            Some(_) => "no contact has this address or id".to_owned(),
            None => format!(
                "nobody would be written to by {} now: name a contact with --employee ADDRESS",
                campaign.name
            ),
        };
        Coded::error(Exit::Failed, message)
    })
}

async fn somebody(session: &Session, campaign: &Campaign) -> anyhow::Result<Option<Uuid>> {
    let campaign = session.campaign(&campaign.name)?;
    let plan = Planner::open(&session.context()).await?.campaign(campaign, 1).await?;
    let mut actions = plan.actions.iter().filter(|action| action.action != ActionKind::Withdraw);
    Ok(actions.next().map(|action| action.employee_id))
}
