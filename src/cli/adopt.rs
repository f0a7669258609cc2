//! `outreachd adopt`: take over a campaign that was made at the provider by hand.

use clap::Args;
use serde_json::json;

use super::output::{BOLD, DIM, count, paint};
use super::session::{self, Session};
use super::{Exit, Format, Globals, output};
use crate::model::Clock as _;
use crate::reconcile;
use crate::store::events::ByHand;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The declared campaign, by name or number.
    campaign: String,
    /// The campaign's id at its provider.
    #[arg(long, value_name = "ID")]
    remote: String,
    /// Only show what would be taken over.
    #[arg(long)]
    dry_run: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Addresses shown of those that are left alone.
const SHOWN: usize = 20;

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let session = Session::open(globals).await?;
    let context = session.context();
    let campaign = session.campaign(&arguments.campaign)?;
    let actor = session::actor();
    let by = ByHand { actor: &actor, at: session.clock.now() };
    let fates =
        Box::pin(reconcile::adopt(&context, campaign, &arguments.remote, arguments.dry_run, by)).await?;
    if arguments.format == Format::Json {
        output::json(&json!({
            "campaign": campaign.name,
            "number": campaign.number,
            "remote": arguments.remote,
            "dry_run": arguments.dry_run,
            "taken": fates.taken.len(),
            "known": fates.known.len(),
            "elsewhere": fates.elsewhere,
            "strangers": fates.strangers,
        }))?;
        return Ok(Exit::Done);
    }
    let verb = if arguments.dry_run { "would take over" } else { "took over" };
    output::write(&format!(
        "{} {verb} campaign {} of {}: {}\n",
        paint(BOLD, &campaign.name),
        arguments.remote,
        campaign.provider,
        count(fates.taken.len() as i64, "contact"),
    ))?;
    if !fates.known.is_empty() {
        output::write(&format!("  {} known before\n", fates.known.len()))?;
    }
    for (who, why) in [
        (&fates.elsewhere, "in another campaign, which keeps them"),
        (&fates.strangers, "not in `employees`; left alone"),
    ] {
        if who.is_empty() {
            continue;
        }
        output::write(&format!("  {} {why}\n", who.len()))?;
        for address in who.iter().take(SHOWN) {
            output::write(&format!("    {address}\n"))?;
        }
        if who.len() > SHOWN {
            output::write(&format!("    {}\n", paint(DIM, format!("and {} more", who.len() - SHOWN))))?;
        }
    }
    output::write("  Nothing was sent. `outreachd plan` shows what apply would change there.\n")?;
    Ok(Exit::Done)
}
