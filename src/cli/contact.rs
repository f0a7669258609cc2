//! `outreachd contact`: one contact, and the fields that people keep of it by hand.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::exit::Coded;
use super::output::{BOLD, DIM, paint};
use super::session::{self, Database};
use super::{Exit, Format, Globals, output};
use crate::model::{Clock as _, TEST_STATUSES, printable};
use crate::store::contacts::{self, Contact};
use crate::store::enrichment::{self, Verification};
use crate::store::events::ByHand;
use crate::store::kept::{self, Changes, Event, Kept};
use crate::store::{DatabaseClock, Store};

/// Longest text of a status: it is a label.
const LONGEST: usize = 200;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a contact: who it is, what people keep of it, and what was done by hand.
    Show {
        /// The contact's address or id.
        contact: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Change what people keep of a contact.
    Set(Set),
}

#[derive(Debug, Args)]
struct Set {
    /// The contact's address or id.
    contact: String,
    /// What the contact is to you, in your words.
    #[arg(long, value_name = "TEXT")]
    client_status: Option<String>,
    /// Day (`2026-12-01`, in the project's time zone) or instant (`2026-12-01T09:00:00Z`) of the test.
    #[arg(long, value_name = "WHEN")]
    test_date: Option<String>,
    /// One of the five: `Начато`, `Идет`, `Завершено:Успех`, `Завершено:Неудача`, `Завершено:Требуется доработка`.
    #[arg(long, value_name = "STATUS")]
    test_status: Option<String>,
    /// `pending` has it looked at again; what you write here enrichment leaves alone.
    #[arg(long, value_name = "TEXT")]
    processing_status: Option<String>,
    /// Empty these fields.
    #[arg(long, value_enum, value_name = "FIELD")]
    clear: Vec<Field>,
    /// Every contact that has this address.
    #[arg(long)]
    all: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Field {
    ClientStatus,
    TestDate,
    TestStatus,
    ProcessingStatus,
}

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let project = crate::manifest::load(&globals.root).project;
    let zone = project.as_ref().map_or(Tz::UTC, |project| project.defaults.timezone);
    match &arguments.command {
        Command::Show { contact, format } => {
            let database = Database::migrated(globals, project.as_ref()).await?;
            show(&database.store, contact, *format, zone).await
        }
        Command::Set(set) => {
            // Before anything is opened: a wrong value changes nothing.
            let changes = changes(set, zone)?;
            let database = Database::migrated(globals, project.as_ref()).await?;
            write(&database.store, set, &changes, zone).await
        }
    }
}

async fn found(store: &Store, who: &str) -> anyhow::Result<Vec<Contact>> {
    let contacts = contacts::find(store, who).await?;
    if contacts.is_empty() {
        return Err(Coded::error(Exit::Failed, "no contact has this address or id"));
    }
    Ok(contacts)
}

async fn show(store: &Store, who: &str, format: Format, zone: Tz) -> anyhow::Result<Exit> {
    let mut answers = Vec::new();
    for contact in found(store, who).await? {
        let kept = kept::load(store, contact.employee_id).await?.unwrap_or_default();
        let events = kept::events(store, contact.employee_id).await?;
        let verified = enrichment::known(store, contact.employee_id).await?;
        if format == Format::Text {
            output::write(&text(&contact, &kept, verified.as_ref(), &events, zone))?;
        }
        answers.push(json!({ "contact": contact, "kept": kept, "verified": verified, "events": events }));
    }
    if format == Format::Json {
        output::json(&answers)?;
    }
    Ok(Exit::Done)
}

fn text(
    contact: &Contact,
    kept: &Kept,
    verified: Option<&Verification>,
    events: &[Event],
    zone: Tz,
) -> String {
    let shown = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), printable);
    let mut text = format!(
        "{} <{}>\n  {}, {}\n  {}\n",
        paint(BOLD, shown(&contact.full_name)),
        shown(&contact.email),
        shown(&contact.position),
        shown(&contact.company_name),
        paint(DIM, contact.employee_id),
    );
    let test_date = kept.test_date.map(|at| at.with_timezone(&zone).format("%Y-%m-%d %H:%M %Z").to_string());
    for (name, value) in [
        ("client_status", &kept.client_status),
        ("test_date", &test_date),
        ("test_status", &kept.test_status),
        ("processing_status", &kept.processing_status),
    ] {
        let _ = writeln!(text, "  {name:<18} {}", shown(value));
    }
    if let Some(Verification { status, source, checked_at, .. }) = verified {
        let at = checked_at.with_timezone(&zone).format("%Y-%m-%d");
        let _ = writeln!(text, "  {:<18} {status}, says {source}, {at}", "address");
    }
    for suppression in &contact.suppressions {
        let _ = writeln!(text, "  suppressed: {}", printable(suppression));
    }
    for event in events {
        let at = event.at.with_timezone(&zone).format("%Y-%m-%d %H:%M");
        let _ = writeln!(
            text,
            "  {} {} by {}: {}",
            paint(DIM, at),
            event.kind,
            printable(&event.actor),
            printable(&event.detail.to_string())
        );
    }
    text.push('\n');
    text
}

async fn write(store: &Store, set: &Set, changes: &Changes, zone: Tz) -> anyhow::Result<Exit> {
    let contacts = found(store, &set.contact).await?;
    if contacts.len() > 1 && !set.all {
        let ids: Vec<String> = contacts.iter().map(|contact| contact.employee_id.to_string()).collect();
        let message = format!(
            "{} contacts have this address; name one of them by its id, or say --all: {}",
            contacts.len(),
            ids.join(", ")
        );
        return Err(Coded::error(Exit::Usage, message));
    }
    let actor = session::actor();
    let by = ByHand { actor: &actor, at: DatabaseClock::read(store).await?.now() };
    let mut answers = Vec::new();
    for contact in contacts {
        let id = contact.employee_id;
        let Some(changed) = kept::set(store, id, changes, by).await? else { continue };
        if set.format == Format::Text {
            let mut text = format!("{id}\n");
            if changed.is_empty() {
                text.push_str("  is so already\n");
            }
            for (field, change) in &changed {
                let side = |name: &str| value(&change[name], zone);
                let _ = writeln!(text, "  {field}: {} -> {}", side("old"), side("new"));
            }
            output::write(&text)?;
        }
        answers.push(json!({ "employee_id": id, "changed": changed }));
    }
    if set.format == Format::Json {
        output::json(&answers)?;
    }
    Ok(Exit::Done)
}

fn value(value: &serde_json::Value, zone: Tz) -> String {
    let Some(text) = value.as_str() else { return "-".to_owned() };
    match DateTime::parse_from_rfc3339(text) {
        Ok(at) => at.with_timezone(&zone).format("%Y-%m-%d %H:%M %Z").to_string(),
        Err(_) => printable(text),
    }
}

fn changes(set: &Set, zone: Tz) -> anyhow::Result<Changes> {
    let misuse = |message: String| Coded::error(Exit::Usage, message);
    let label = |name: &str, text: &Option<String>| match text.as_deref().map(str::trim) {
        None => Ok(None),
        Some("") => Err(misuse(format!("{name} would be blank; to empty it say --clear {name}"))),
        Some(text) if text.chars().count() > LONGEST || text.chars().any(char::is_control) => {
            Err(misuse(format!("{name} is a label: one line of at most {LONGEST} characters")))
        }
        Some(text) => Ok(Some(Some(text.to_owned()))),
    };
    let mut changes = Changes {
        client_status: label("client_status", &set.client_status)?,
        processing_status: label("processing_status", &set.processing_status)?,
        test_date: set.test_date.as_deref().map(|text| instant(text, zone).map(Some)).transpose()?,
        test_status: set.test_status.as_deref().map(|text| test_status(text).map(Some)).transpose()?,
    };
    for field in &set.clear {
        let twice = match field {
            Field::ClientStatus => changes.client_status.replace(None).is_some(),
            Field::TestDate => changes.test_date.replace(None).is_some(),
            Field::TestStatus => changes.test_status.replace(None).is_some(),
            Field::ProcessingStatus => changes.processing_status.replace(None).is_some(),
        };
        if twice {
            return Err(misuse("one field is both set and cleared".to_owned()));
        }
    }
    if changes == Changes::default() {
        let message = "nothing to change is named: --client-status, --test-date, --test-status, --processing-status or --clear is required";
        return Err(misuse(message.to_owned()));
    }
    Ok(changes)
}

/// One of the five, whatever its letter case.
fn test_status(text: &str) -> anyhow::Result<String> {
    let plain = |text: &str| text.trim().to_lowercase().replace('ё', "е");
    let known = TEST_STATUSES.iter().find(|status| plain(status) == plain(text));
    known.map(|status| (*status).to_owned()).ok_or_else(|| {
        let quoted: Vec<String> = TEST_STATUSES.iter().map(|status| format!("`{status}`")).collect();
        let message = format!("test_status cannot be {text:?}; it is one of: {}", quoted.join(", "));
        Coded::error(Exit::Usage, message)
    })
}

fn instant(text: &str, zone: Tz) -> anyhow::Result<DateTime<Utc>> {
    let day = |day: NaiveDate| zone.from_local_datetime(&day.and_time(NaiveTime::MIN)).earliest();
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.with_timezone(&Utc))
        .ok()
        .or_else(|| text.parse().ok().and_then(day).map(|at| at.with_timezone(&Utc)))
        .ok_or_else(|| {
            let message =
                format!("{text:?} is neither a day (2026-12-01) nor an instant (2026-12-01T09:00:00Z)");
            Coded::error(Exit::Usage, message)
        })
}
