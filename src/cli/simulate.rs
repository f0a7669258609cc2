//! `outreachd simulate`: a local stand-in for a provider, to rehearse on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::TimeDelta;
use clap::{Args, Subcommand};
use rust_decimal::Decimal;

use super::output::{BOLD, DIM, paint};
use super::{Exit, Globals, output};
use crate::model::SystemClock;
use crate::simulate::leadmagic;
use crate::simulate::smartlead::{BASE, Faults, HOOK_SECRET, Latency, Options, Rate, Readings, Simulator};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    provider: Provider,
}

#[derive(Debug, Subcommand)]
enum Provider {
    /// Smartlead's API, with state, a clock of its own, and faults by seed.
    Smartlead(Smartlead),
    /// LeadMagic's API, with credits counted exactly, bulk jobs, and faults by seed.
    Leadmagic(LeadMagic),
}

#[derive(Debug, Args)]
struct Smartlead {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8025")]
    listen: SocketAddr,
    /// Remember everything in this file, and go on from it.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Faults: `5%` of everything, or such as `timeout=1%,503=0.5%`.
    #[arg(long, value_name = "SPEC", default_value = "")]
    faults: Faults,
    /// Decides which requests fail and what people do.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Request limit: so many in so many seconds.
    #[arg(long, value_name = "N/SECONDS", default_value = "200/60")]
    rate: Rate,
    /// How long answers take, in milliseconds: `300-800`.
    #[arg(long, value_name = "MS", default_value = "0")]
    latency: Latency,
    /// How much faster than ours its clock goes.
    #[arg(long, value_name = "TIMES", default_value_t = 60)]
    speed: u32,
    /// Seconds, by its clock, until the roster shows a new lead.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    roster_delay: u32,
    /// Where sources disagree: another reading than the observed one, such as `duplicates=allow`.
    #[arg(long, value_name = "NAME=READING")]
    reading: Vec<String>,
    /// The only key that is let in; any, unless given.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

#[derive(Debug, Args)]
struct LeadMagic {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8026")]
    listen: SocketAddr,
    /// Remember everything in this file, and go on from it.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Faults: `5%` of everything, or such as `timeout=1%,503=0.5%`.
    #[arg(long, value_name = "SPEC", default_value = "")]
    faults: Faults,
    /// Decides which requests fail and which addresses are alive.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Request limit: so many in so many seconds.
    #[arg(long, value_name = "N/SECONDS", default_value = "3000/60")]
    rate: Rate,
    /// Credits that the account begins with.
    #[arg(long, value_name = "N", default_value = "1000")]
    credits: Decimal,
    /// Rows of a job that are worked on in a second.
    #[arg(long, value_name = "N", default_value_t = 100)]
    rows_per_second: u32,
    /// Where sources disagree: another reading than the newest, such as `statuses=older`.
    #[arg(long, value_name = "NAME=READING")]
    reading: Vec<String>,
    /// The only key that is let in; any, unless given.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

pub(super) async fn run(_: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    match &arguments.provider {
        Provider::Smartlead(arguments) => smartlead(arguments).await,
        Provider::Leadmagic(arguments) => leadmagic(arguments).await,
    }
}

async fn leadmagic(arguments: &LeadMagic) -> anyhow::Result<Exit> {
    let mut readings = leadmagic::Readings::default();
    for reading in &arguments.reading {
        readings.set(reading).map_err(|error| super::exit::Coded::error(Exit::Usage, error))?;
    }
    let options = leadmagic::Options {
        listen: arguments.listen,
        state: arguments.state.clone(),
        faults: arguments.faults.clone(),
        seed: arguments.seed,
        rate: arguments.rate,
        credits: arguments.credits,
        rows_per_second: arguments.rows_per_second,
        readings,
        key: arguments.key.clone(),
    };
    let simulator = leadmagic::Simulator::bind(options, Arc::new(SystemClock)).await?;
    output::write(&format!(
        "{} {}\n{}\n{}\n",
        paint(BOLD, "leadmagic, simulated:"),
        simulator.url(),
        paint(DIM, format!("what it was asked: {}/_sim", simulator.url())),
        paint(DIM, "Ctrl-C ends it"),
    ))?;
    simulator.serve().await?;
    Ok(Exit::Done)
}

async fn smartlead(arguments: &Smartlead) -> anyhow::Result<Exit> {
    let mut readings = Readings::default();
    for reading in &arguments.reading {
        readings.set(reading).map_err(|error| super::exit::Coded::error(Exit::Usage, error))?;
    }
    let options = Options {
        listen: arguments.listen,
        state: arguments.state.clone(),
        faults: arguments.faults.clone(),
        seed: arguments.seed,
        rate: arguments.rate,
        latency: arguments.latency,
        speed: arguments.speed,
        roster_delay: TimeDelta::seconds(i64::from(arguments.roster_delay)),
        readings,
        key: arguments.key.clone(),
    };
    let simulator = Simulator::bind(options, Arc::new(SystemClock)).await?;
    output::write(&format!(
        "{} {}{BASE}\n{}\nmailboxes 501, 502; webhooks are signed with `{HOOK_SECRET}`\n{}\n",
        paint(BOLD, "smartlead, simulated:"),
        simulator.url(),
        paint(DIM, format!("what it holds: {}/_sim", simulator.url())),
        paint(DIM, "Ctrl-C ends it"),
    ))?;
    simulator.serve().await?;
    Ok(Exit::Done)
}
