//! `outreachd resolve`: a person says whether a push in doubt arrived.

use clap::Args;

use super::exit::Coded;
use super::session::{self, Session};
use super::{Exit, Globals, output};
use crate::model::{Clock as _, PushKey};
use crate::reconcile::settle_by_hand;
use crate::store::campaigns::remembered;
use crate::store::events::ByHand;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The push's key, as `status` shows it.
    key: PushKey,
    /// The provider has it: enroll and write back.
    #[arg(long, conflicts_with = "not_arrived")]
    arrived: bool,
    /// The provider does not have it: the next apply hands it over.
    #[arg(long)]
    not_arrived: bool,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    if !arguments.arrived && !arguments.not_arrived {
        let message = "say how it is: --arrived when the provider has it, --not-arrived when it has not";
        return Err(Coded::error(Exit::Usage, message));
    }
    let session = Session::open(globals).await?;
    let key = arguments.key;
    let campaign = match session.campaign(&key.campaign.to_string()) {
        Ok(campaign) => campaign.clone(),
        // Its file is gone; what is in doubt stays in doubt until somebody says how it is.
        Err(unknown) => remembered(&session.database.store, key.campaign).await?.ok_or(unknown)?,
    };
    let arrived = arguments.arrived && !arguments.not_arrived;
    let actor = session::actor();
    let by = ByHand { actor: &actor, at: session.clock.now() };
    if !settle_by_hand(&session.context(), &campaign, key, arrived, by).await? {
        return Err(Coded::error(Exit::Usage, format!("push {key} is not in doubt: see `outreachd status`")));
    }
    let next = if arrived { "settled as accepted" } else { "the next apply hands it over again" };
    output::write(&format!("{key}: {next}\n"))?;
    Ok(Exit::Done)
}
