//! `outreachd forecast`: what will be handed over when. Changes nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::NaiveDate;
use clap::Args;
use serde_json::json;

use super::output::{RED, paint};
use super::session::Session;
use super::{Exit, Format, Globals, output};
use crate::model::{Campaign, Clock as _};
use crate::reconcile::Planner;
use crate::reconcile::forecast::{Portion, forecast};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only these campaigns, by name or number.
    campaigns: Vec<String>,
    /// How many days to look ahead.
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=366))]
    days: u32,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// One campaign's portions, or why nothing can be said.
type Outlook<'a> = (&'a Campaign, Result<(i64, Vec<Portion>), String>);

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let session = Session::open(globals).await?;
    let campaigns = session.campaigns(&arguments.campaigns)?;
    let context = session.context();
    let mut planner = Planner::open(&context).await?;
    let now = session.clock.now();
    let mut outlooks: Vec<Outlook<'_>> = Vec::new();
    for campaign in campaigns {
        let outlook = planner.waiting(campaign).await?.map(|waiting| {
            let people: i64 = waiting.domains.iter().map(|kind| kind.waiting * kind.domains).sum();
            (people, forecast(campaign, &waiting, now, arguments.days))
        });
        outlooks.push((campaign, outlook));
    }
    if arguments.format == Format::Json {
        let campaigns: Vec<_> = outlooks
            .iter()
            .map(|(campaign, outlook)| match outlook {
                Ok((waiting, portions)) => json!({
                    "campaign": campaign.name, "number": campaign.number, "provider": campaign.provider,
                    "waiting": waiting, "portions": portions, "error": null,
                }),
                Err(message) => json!({
                    "campaign": campaign.name, "number": campaign.number, "provider": campaign.provider,
                    "waiting": null, "portions": null, "error": message,
                }),
            })
            .collect();
        output::json(&json!({ "as_of": now, "days": arguments.days, "campaigns": campaigns }))?;
    } else {
        output::write(&table(&outlooks))?;
    }
    let told = outlooks.iter().all(|(_, outlook)| outlook.is_ok());
    Ok(if told { Exit::Done } else { Exit::HeldBack })
}

/// When a day's first portion leaves, who is new in all of them, and the follow-ups.
type Cell = (String, i64, i64);

/// A row a day, a column a campaign.
fn table(outlooks: &[Outlook<'_>]) -> String {
    let mut days: BTreeMap<NaiveDate, Vec<Option<Cell>>> = BTreeMap::new();
    let mut text = String::new();
    for (column, (campaign, outlook)) in outlooks.iter().enumerate() {
        let portions = match outlook {
            Ok((_, portions)) => portions,
            Err(message) => {
                let _ = writeln!(text, "{} {}: cannot tell: {message}", paint(RED, "unknown"), campaign.name);
                continue;
            }
        };
        for portion in portions {
            let local = portion.at.with_timezone(&campaign.timezone);
            let row = days.entry(local.date_naive()).or_insert_with(|| vec![None; outlooks.len()]);
            if let Some(cell) = row.get_mut(column) {
                let (_, enroll, send) = cell.get_or_insert_with(|| (local.format("%H:%M").to_string(), 0, 0));
                *enroll += portion.enroll;
                *send += portion.send;
            }
        }
    }
    let headings: Vec<&str> =
        std::iter::once("day").chain(outlooks.iter().map(|(campaign, _)| campaign.name.as_str())).collect();
    let mut rows: Vec<Vec<String>> = days
        .into_iter()
        .map(|(day, cells)| {
            let cells = cells.into_iter().map(|cell| match cell {
                Some((from, enroll, 0)) => format!("{enroll} from {from}"),
                Some((from, enroll, send)) => format!("{enroll} and {send} follow-ups from {from}"),
                None => String::new(),
            });
            std::iter::once(day.format("%a %Y-%m-%d").to_string()).chain(cells).collect()
        })
        .collect();
    let sum = |find: &dyn Fn(i64, i64) -> i64| {
        outlooks
            .iter()
            .map(|(_, outlook)| match outlook {
                Ok((waiting, portions)) => {
                    find(*waiting, portions.iter().map(|portion| portion.enroll).sum()).to_string()
                }
                Err(_) => "?".to_owned(),
            })
            .collect::<Vec<_>>()
    };
    for (name, cells) in [("in all", sum(&|_, sent| sent)), ("later", sum(&|waiting, sent| waiting - sent))] {
        rows.push(std::iter::once(name.to_owned()).chain(cells).collect());
    }
    text.push_str(&output::table(&headings, &rows));
    text.push_str("New contacts handed over, as the audience is today; times are each campaign's own.\n");
    text
}
