//! `outreachd demo`: the main job, end to end, on made-up people and a database of its own.
//!
//! Calls what the other commands call, so what it shows is what they do. Never uses a database or a
//! provider other than its own, and leaves nothing running.

mod folder;
mod opening;
mod receiver;
mod smartlead;
mod world;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use uuid::Uuid;

use super::exit::Coded;
use super::output::{BOLD, DIM, GREEN, count, paint};
use super::{Exit, Globals, apply, audit, output, plan};
use crate::manifest::Manifest;
use crate::model::{Plan, Stop, SystemClock};
use crate::reconcile::{Context, Order, Planner, in_rank, reconcile};
use crate::store::Store;
use crate::store::audit::{INVARIANTS, violations};
use folder::Folder;
use receiver::{Received, Receiver, Window};
use world::{Reply, Row};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where the demo's project and database go; must be empty or an earlier demo's.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Tell the story of this provider instead, on a stand-in for it.
    #[arg(long, value_enum)]
    provider: Option<Stage>,
}

/// Providers that have a story of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stage {
    Smartlead,
}

/// Contacts shown of each campaign.
const SHOWN: i64 = 2;

pub(super) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let started = Instant::now();
    if arguments.provider == Some(Stage::Smartlead) {
        let dir = arguments.dir.clone().unwrap_or_else(|| globals.root.join(".outreachd/demo-smartlead"));
        return smartlead::run(&Folder::claim(&dir)?).await;
    }
    let dir = arguments.dir.clone().unwrap_or_else(|| globals.root.join(".outreachd/demo"));
    let folder = Folder::claim(&dir)?;
    // 32 random bytes in hex are base64 as well.
    let secret = format!("whsec_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let receiver = Receiver::bind(&secret).await?;
    let set_aside = folder.fill(&receiver.url, &secret)?;
    say(&format!(
        "{}\nThe main job from import to stop, on made-up people.\n\nfolder    {}\nreceiver  {}\n",
        paint(BOLD, "outreachd demo"),
        folder.path.display(),
        receiver.url
    ))?;
    if set_aside > 0 {
        let files = count(set_aside as i64, "file");
        say(&format!("{files} that you had edited: set aside in .outreachd/set-aside\n"))?;
    }
    let window = receiver.window();
    // The receiver lives exactly as long as the story.
    let stopped = tokio::select! {
        told = story(&folder.path, &window) => told?,
        served = receiver.serve() => {
            let why = served.err().map_or_else(|| "it ended".to_owned(), |error| error.to_string());
            return Err(Coded::error(Exit::Failed, format!("the demo's webhook receiver stopped: {why}")));
        }
    };
    next_steps(globals, &folder.path, &stopped, started.elapsed())?;
    Ok(Exit::Done)
}

/// The whole story on a private server that is stopped at its end. Gives the address of who unsubscribed.
async fn story(root: &Path, window: &Window) -> anyhow::Result<String> {
    let mut chapter = Chapters::default();
    chapter.open("A database", "migrate", "A private PostgreSQL, on a unix socket in the demo's folder.")?;
    let (store, server) = Store::start_private(root).await?;
    let told = tell(root, window, &store, &mut chapter).await;
    // In this order, or the server would wait for the pool.
    store.close().await;
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await?;
    stopped?;
    told
}

async fn tell(root: &Path, window: &Window, store: &Store, chapter: &mut Chapters) -> anyhow::Result<String> {
    let manifest = opening::tell(root, store, chapter).await?;
    let demo = Demo { root, manifest: &manifest, store, holder: Uuid::new_v4() };
    let before = world::rows(store).await?;
    chapter.open("Plan", "plan", "What apply would do, and why. Nothing has happened yet.")?;
    say(&plan::plan_text(&demo.plan(SHOWN, true).await?))?;

    chapter.open(
        "Apply",
        "apply --yes",
        "The same path, not stopped half-way: recorded, handed over, then written back.",
    )?;
    demo.apply().await?;
    say(&handed_over(root, &window.received())?)?;

    chapter.open(
        "Write-back",
        "explain ADDRESS",
        "Rows of `employees` before and after. Only what the provider accepted is written.",
    )?;
    let mut shown = Vec::new();
    for campaign in [12, 14, 20, 30] {
        shown.extend(world::enrolled(store, campaign).await?.into_iter().take(1));
    }
    let after = world::rows(store).await?;
    say(&changed(&before, &after, &shown))?;
    for (contact, reason) in world::refused(store).await? {
        say(&format!("\nRefused ({}), so nothing is written:\n", reason.unwrap_or_default()))?;
        say(&changed(&before, &after, &[contact]))?;
    }

    chapter.open("Plan again", "plan --detailed-exitcode", "What is done is done: there is nothing left.")?;
    let second = demo.plan(0, false).await?;
    say(&plan::plan_text(&second))?;
    if second.campaigns.iter().any(|part| part.changes() > 0) {
        return Err(Coded::error(
            Exit::Failed,
            "the second plan was not empty: that is a fault of outreachd",
        ));
    }

    chapter.open(
        "Replies come in",
        "plan",
        "One asks to be left alone, one asks a question, one address bounces. The next plan:",
    )?;
    let mut replied = Vec::new();
    for (campaign, skip, reply) in
        [(12, 0, Reply::Unsubscribe), (12, 1, Reply::InfoRequest), (30, 0, Reply::Bounce)]
    {
        if let Some(contact) = world::enrolled(store, campaign).await?.into_iter().nth(skip) {
            world::reply(store, contact, reply).await?;
            replied.push(contact);
        }
    }
    let before = world::rows(store).await?;
    for part in demo.plan(SHOWN, false).await?.campaigns.iter().filter(|part| part.changes() > 0) {
        say(&plan::campaign_text(part))?;
    }

    chapter.open(
        "Apply the stops",
        "apply --yes",
        "An unsubscribe or a bounce always goes out, whatever the guard's limits are.",
    )?;
    demo.apply().await?;
    let after = world::rows(store).await?;
    say(&format!("\n{}", changed(&before, &after, &replied)))?;

    audited(store, chapter).await?;
    let stopped = after.into_iter().find(|row| replied.first() == Some(&row.id));
    Ok(stopped.and_then(|row| row.work_email).unwrap_or_default())
}

async fn audited(store: &Store, chapter: &mut Chapters) -> anyhow::Result<()> {
    chapter.open("Audit", "audit", "Each promise is a query that lists what would break it.")?;
    for invariant in INVARIANTS {
        let found = violations(store, invariant, audit::SHOWN).await?;
        say(&audit::text(invariant, &found))?;
        if !found.is_empty() {
            return Err(Coded::error(Exit::Failed, "a promise is broken: that is a fault of outreachd"));
        }
    }
    Ok(())
}

/// What planning and applying need.
struct Demo<'a> {
    root: &'a Path,
    manifest: &'a Manifest,
    store: &'a Store,
    holder: Uuid,
}

impl Demo<'_> {
    fn context(&self) -> Context<'_> {
        Context {
            store: self.store,
            manifest: self.manifest,
            clock: &SystemClock,
            root: self.root,
            holder: self.holder,
            revision: None,
            stop: Stop::never(),
        }
    }

    async fn plan(&self, samples: i64, funnel: bool) -> anyhow::Result<Plan> {
        let context = self.context();
        let campaigns = in_rank(&self.manifest.campaigns);
        let mut planner = Planner::open_for(&context, &campaigns).await?;
        plan::make(&context, &mut planner, &campaigns, samples, funnel).await
    }

    async fn apply(&self) -> anyhow::Result<()> {
        let context = self.context();
        for campaign in in_rank(&self.manifest.campaigns) {
            let order = Order::by_hand("demo", Duration::from_secs(5));
            let applied = Box::pin(reconcile(&context, campaign, &order)).await?;
            if applied.plan.changes() > 0 {
                say(&apply::applied_text(&applied))?;
            }
        }
        Ok(())
    }
}

/// What the two providers hold.
fn handed_over(root: &Path, received: &Received) -> anyhow::Result<String> {
    let outbox = root.join(".outreachd/outbox/campaign-12.jsonl");
    let lines =
        std::fs::read_to_string(&outbox).with_context(|| format!("could not read {}", outbox.display()))?;
    let first = lines.lines().next().unwrap_or_default();
    Ok(format!(
        "\nThe receiver took {} in {}: {} with a bad signature, {} a second time, {} refused.\nThe first line of .outreachd/outbox/campaign-12.jsonl:\n{}\n",
        count(received.taken as i64, "contact"),
        count(received.calls as i64, "call"),
        received.forged,
        received.repeated,
        received.refused,
        paint(DIM, first),
    ))
}

/// Numbered headings, each with the command that does the same.
#[derive(Default)]
struct Chapters {
    number: u32,
}

impl Chapters {
    fn open(&mut self, title: &str, command: &str, meaning: &str) -> anyhow::Result<()> {
        self.number += 1;
        let heading = paint(BOLD, format!("{}. {title}", self.number));
        let command = paint(DIM, format!("outreachd {command}"));
        say(&format!("\n{heading}   {command}\n{}\n\n", paint(DIM, meaning)))
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    output::write(text)
}

/// Between an old value and a new one.
const ARROW: &str = "->";

/// The written columns of some contacts, `before -> after` where they changed.
fn changed(before: &[Row], after: &[Row], people: &[Uuid]) -> String {
    let find = |rows: &[Row], id: Uuid| rows.iter().find(|row| row.id == id).cloned();
    let mut rows = Vec::new();
    for id in people {
        let (Some(old), Some(new)) = (find(before, *id), find(after, *id)) else { continue };
        let number = |row: &Row| row.campaign_number.map(|number| number.to_string());
        rows.push(vec![
            new.full_name.clone(),
            step(number(&old), number(&new)),
            step(old.outreach_type, new.outreach_type),
            step(old.outreach_sent_date, new.outreach_sent_date),
            step(old.campaign_status, new.campaign_status),
            step(old.processing_status, new.processing_status),
        ]);
    }
    let headings = [
        "full_name",
        "campaign_number",
        "outreach_type",
        "outreach_sent_date",
        "campaign_status",
        "processing_status",
    ];
    // Coloured afterwards: columns are as wide as what is seen.
    output::table(&headings, &rows).replace(ARROW, &paint(GREEN, ARROW))
}

fn step(old: Option<String>, new: Option<String>) -> String {
    let word = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let (old, new) = (word(old), word(new));
    if old == new { new } else { format!("{old} {ARROW} {new}") }
}

fn next_steps(globals: &Globals, dir: &Path, stopped: &str, took: Duration) -> anyhow::Result<()> {
    let here = std::env::current_dir().unwrap_or_default();
    let short = |path: &Path| quoted(path.strip_prefix(&here).unwrap_or(path));
    let program = std::env::current_exe().map_or_else(|_| "outreachd".to_owned(), |path| short(&path));
    // With a database URL in the environment the commands below would work on that database.
    let guard = if globals.database_url.is_some() { "env -u DATABASE_URL " } else { "" };
    let mut text = format!(
        "\n{}   {}\nEverything is in {}:\n",
        paint(BOLD, "Done"),
        paint(DIM, format!("in {:.1} s; nothing is left running", took.as_secs_f64())),
        dir.display()
    );
    for (name, what) in [
        ("outreach.yaml", "the project; segments/ and campaigns/ beside it: who, and what"),
        ("data/", "the sample files, and what the import rejected"),
        (".outreachd/outbox/", "what the provider `outbox` was given, a line an action"),
        (".outreachd/pg/", "the database"),
    ] {
        let _ = writeln!(text, "  {name:<20} {what}");
    }
    text.push_str("\nTry next:\n");
    for (command, why) in [
        ("status", "campaigns and counts"),
        ("plan --show 20", "edit a segment first"),
        ("segment show fintech-tech-leads", "what each clause lets in"),
        (format!("explain {stopped}").as_str(), "why one contact is in or out"),
        ("history", "the passes of this demo"),
    ] {
        let line = format!("{guard}{program} -C {} {command}", short(dir));
        let _ = writeln!(text, "  {line}   {}", paint(DIM, format!("# {why}")));
    }
    say(&text)
}

/// As a shell takes it for one word.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if text.is_empty() {
        ".".to_owned()
    } else if text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
