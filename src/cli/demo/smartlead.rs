//! `outreachd demo --provider smartlead`: a campaign at a provider that keeps it, from creation to the last stop, on
//! the stand-in that `outreachd simulate smartlead` runs.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use uuid::Uuid;

use super::folder::Folder;
use super::{Chapters, Demo, audited, changed, opening, say, world};
use crate::cli::exit::Coded;
use crate::cli::output::{BOLD, DIM, count, paint};
use crate::cli::{Exit, plan};
use crate::model::SystemClock;
use crate::reconcile::feedback;
use crate::simulate::smartlead::{BASE, HOOK_SECRET, Handle, Options, Rate, Simulator};
use crate::store::Store;
use crate::store::events::ByHand;
use crate::store::suppressions;

/// Category of a reply that asks for information.
const ASKS: i64 = 5;
const HOURS: i64 = 3600;

pub(super) async fn run(folder: &Folder) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let options = Options { rate: Rate { requests: 6000, seconds: 60 }, ..Options::default() };
    let simulator = Simulator::bind(options, Arc::new(SystemClock)).await?;
    folder.fill_smartlead(&format!("{}{BASE}", simulator.url()), HOOK_SECRET)?;
    say(&format!(
        "{}\nA campaign at a provider that keeps it, from creation to the last stop.\n\nfolder    {}\nprovider  {}{BASE}, a stand-in\n",
        paint(BOLD, "outreachd demo --provider smartlead"),
        folder.path.display(),
        simulator.url(),
    ))?;
    let handle = simulator.handle();
    // The stand-in lives exactly as long as the story.
    tokio::select! {
        told = story(&folder.path, &handle) => told?,
        served = simulator.serve() => {
            let why = served.err().map_or_else(|| "it ended".to_owned(), |error| error.to_string());
            return Err(Coded::error(Exit::Failed, format!("the stand-in stopped: {why}")));
        }
    }
    say(&format!(
        "\n{}   {}\nRehearse on your own files: `outreachd simulate smartlead`, and its address as `url` of the provider.\n",
        paint(BOLD, "Done"),
        paint(DIM, format!("in {:.1} s; nothing is left running", started.elapsed().as_secs_f64())),
    ))?;
    Ok(Exit::Done)
}

async fn story(root: &Path, handle: &Handle) -> anyhow::Result<()> {
    let mut chapter = Chapters::default();
    chapter.open("A database", "migrate", "A private PostgreSQL, on a unix socket in the demo's folder.")?;
    let (store, server) = Store::start_private(root).await?;
    let told = tell(root, handle, &store, &mut chapter).await;
    // In this order, or the server would wait for the pool.
    store.close().await;
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await?;
    stopped?;
    told
}

async fn tell(root: &Path, handle: &Handle, store: &Store, chapter: &mut Chapters) -> anyhow::Result<()> {
    let manifest = opening::tell(root, store, chapter).await?;
    let demo = Demo { root, manifest: &manifest, store, holder: Uuid::new_v4() };
    chapter.open(
        "Plan",
        "plan",
        "The campaign does not exist there yet: it is made with its first contacts.",
    )?;
    say(&plan::plan_text(&demo.plan(2, true).await?))?;

    chapter.open(
        "Apply",
        "apply --yes",
        "Made, filled, checked by the ids that came back, written back, started.",
    )?;
    demo.apply().await?;
    handle.ask("POST", "advance", json!({ "seconds": 60 }));
    say(&there(handle))?;

    chapter.open(
        "Somebody edits it there",
        "plan",
        "The second mail is rewritten in the user interface. That is drift, and no change of ours.",
    )?;
    edit(handle);
    show(&demo).await?;

    chapter.open(
        "People answer",
        "feedback",
        "One asks for information, one unsubscribes. The daemon asks every few minutes, and webhooks tell at once.",
    )?;
    let people = world::enrolled(store, 12).await?;
    let before = world::rows(store).await?;
    let address = |id: &Uuid| before.iter().find(|row| row.id == *id).and_then(|row| row.work_email.clone());
    let emails: Vec<String> = people.iter().filter_map(address).collect();
    if let [asks, leaves, ..] = emails.as_slice() {
        handle.ask("POST", "reply", json!({ "campaign": campaign(handle), "email": asks, "category": ASKS }));
        handle.ask("POST", "unsubscribe", json!({ "campaign": campaign(handle), "email": leaves }));
    }
    handle.ask("POST", "advance", json!({ "seconds": HOURS }));
    for campaign in &manifest.campaigns {
        let taken = feedback(&demo.context(), campaign).await?;
        say(&format!(
            "{}: {}, {}\n\n",
            campaign.name,
            count(taken.written, "changed row"),
            count(taken.stopped, "new suppression")
        ))?;
    }
    let after = world::rows(store).await?;
    say(&changed(&before, &after, people.get(..3).unwrap_or_default()))?;

    chapter.open(
        "A stop of ours",
        "suppress add ADDRESS",
        "Somebody calls and wants no more mails: the next apply tells the provider before anything else.",
    )?;
    if let (Some(email), Some(id)) = (emails.get(2), people.get(2)) {
        let by = ByHand { actor: "demo", at: crate::model::Clock::now(&SystemClock) };
        suppressions::add(store, email, "unsubscribed", Some("by phone"), "cli", by).await?;
        let before = world::rows(store).await?;
        demo.apply().await?;
        let after = world::rows(store).await?;
        say(&format!("\n{}", changed(&before, &after, &[*id])))?;
        let held =
            &handle.ask("GET", &format!("campaigns/{}", campaign(handle)), json!({}))["members"][email];
        let blocks = handle.ask("GET", "", json!({}))["blocks"].as_array().map_or(0, Vec::len);
        say(&format!(
            "\nThere: {}, and {blocks} on the block list.\n",
            held["status"].as_str().unwrap_or("gone")
        ))?;
    }
    audited(store, chapter).await
}

async fn show(demo: &Demo<'_>) -> anyhow::Result<()> {
    for part in demo.plan(2, false).await?.campaigns {
        say(&plan::campaign_text(&part))?;
    }
    Ok(())
}

/// The only campaign of the stand-in.
fn campaign(handle: &Handle) -> i64 {
    handle.ask("GET", "", json!({}))["campaigns"][0]["id"].as_i64().unwrap_or_default()
}

/// What the stand-in holds, by its own account.
fn there(handle: &Handle) -> String {
    let all = handle.ask("GET", "", json!({}));
    let mut text = String::from("\nWhat it holds, by its own account:\n");
    for campaign in all["campaigns"].as_array().into_iter().flatten() {
        let _ = writeln!(
            text,
            "  campaign {} `{}`: {}, {} leads, {} mails sent",
            campaign["id"],
            campaign["name"].as_str().unwrap_or_default(),
            campaign["status"].as_str().unwrap_or_default(),
            campaign["members"],
            campaign["sent"]
        );
    }
    let mails = handle.ask("GET", "mails", json!({}));
    if let Some(mail) = mails.get(0) {
        let word = |name: &str| mail[name].as_str().unwrap_or_default().to_owned();
        let _ = writeln!(text, "  the first of them: {}\n    {}", word("subject"), paint(DIM, word("body")));
    }
    let calls = handle.ask("GET", "calls", json!({})).as_array().map_or(0, Vec::len);
    let _ = writeln!(text, "  {calls} requests so far");
    text
}

fn edit(handle: &Handle) {
    let id = campaign(handle);
    handle.ask("POST", "edit", json!({ "campaign": id, "step": 2, "body": "Edited by hand." }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declared_files_of_this_demo_are_sound() {
        let segment = |name: &str| {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            (
                format!("segments/{name}.yaml"),
                std::fs::read_to_string(root.join(format!("segments/{name}.yaml"))).unwrap(),
            )
        };
        let project = include_str!("smartlead/outreach.yaml")
            .replace("${OUTREACHD_DEMO_SMARTLEAD_URL}", "http://127.0.0.1:1/api/v1");
        let files = [
            ("outreach.yaml".to_owned(), project),
            ("campaigns/fintech-cto.yaml".to_owned(), include_str!("smartlead/campaign.yaml").to_owned()),
            segment("existing-clients"),
            segment("fintech-tech-leads"),
        ];
        let loaded = crate::manifest::load_sources(files);
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    }
}
