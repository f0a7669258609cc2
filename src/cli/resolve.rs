//! `outreachd resolve`: a person says whether a push in doubt arrived.

use clap::Args;

use super::exit::Coded;
use super::session::Session;
use super::{Exit, Globals, output};
use crate::model::PushKey;
use crate::reconcile::settle_by_hand;
use crate::store::campaigns::remembered;

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
    if !settle_by_hand(&session.context(), &campaign, key, arrived).await? {
        return Err(Coded::error(Exit::Usage, format!("push {key} is not in doubt: see `outreachd status`")));
    }
    let next = if arrived { "settled as accepted" } else { "the next apply hands it over again" };
    output::write(&format!("{key}: {next}\n"))?;
    Ok(Exit::Done)
}
