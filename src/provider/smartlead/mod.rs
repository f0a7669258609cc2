//! Provider `smartlead`: API v1 of smartlead.ai, which keeps campaigns and sends by itself.
//!
//! Whether a contact arrived is told by ids and by the roster, never by counters. An address is in a campaign
//! there once, so that handing a contact over a second time, after a look-up that did not find it, puts nobody in twice.
//!
//! # What this relies on and nobody has confirmed on a live account
//!
//! | fact | where | if it is otherwise |
//! | --- | --- | --- |
//! | an address is in a campaign once, also when two requests add it | `leads` | somebody gets the sequence twice |
//! | `emailToLeadIdMap.existingLeads` are leads of this campaign | `wire`, `settle` | a lead of another one counts as arrived |
//! | `ignore_duplicate_leads_in_other_campaign: false` takes leads of other campaigns | `settle` | tried the other way round, so only `other_campaigns: refuse` depends on it |
//! | `leads-export` shows everybody, with `id`, `email`, `status`, `created_at`, `custom_fields` | `hold` | look-ups and `adopt` miss people; they stay in doubt |
//! | steps posted with their ids keep their place for people in the middle of a sequence | `campaign` | a changed text may begin the sequence anew |
//! | days of the week are 0 (Sunday) to 6 | `campaign` | mails leave a day early or late |
//! | a schedule is written flat, settings and status by POST | `campaign` | refused with 400 or 404, loudly |
//! | START works on a COMPLETED campaign, and its new leads then get mails | `campaign` | new people wait until somebody starts it |
//! | a name is found exactly as it was given on creation | `campaign` | after a lost answer a second, empty campaign |
//! | pausing or removing a lead that is paused or gone does no harm | `leads` | a withdrawal is refused and shown |
//! | the block list takes addresses and domains it has, at least 100 at once | `block` | refused, and nobody new is handed over |
//! | `event_time_gt` and `sent_time_start_date` take ISO instants | `news` | late news; all is read anew every day or week |
//! | statistics are a row a mail | `news` | no sent dates; states still come from the roster |
//! | a campaign's webhooks are listed with name, url and event types, and one posted with its id replaces that one | `hooks` | shown as drift, or a second one of the same name; what is told twice is taken in once |
//! | `categories` of a webhook are names of the account's categories | `hooks` | refused with 400, loudly; polling remains |
//! | webhooks are signed over the raw body with the secret that is declared | `webhook` | refused with 401; polling remains |
//! | a 500 whose words name a reason was not carried out | `wire::is_business` | a contact parked although it arrived |

mod campaign;
mod client;
mod hold;
mod hooks;
mod leads;
mod news;
mod settle;
pub(super) mod webhook;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::{
    Answer, CallError, Destination, Item, Learned, Member, Page, Presence, Provider, ProviderError, Remote,
    RemoteState, RemoteValues,
};
use crate::model::{Campaign, OtherCampaigns};
use client::Call;

pub(super) use client::Client;

/// Requests under way at once, at least and at most.
const AT_ONCE: usize = 8;
const MOST_AT_ONCE: usize = 32;
/// Seconds that an answer may take and the budget is used up all the same.
const SLOW: usize = 2;
/// One export answers for all of them.
const LOOKED_UP: u32 = 10_000;

pub(super) struct SmartleadProvider<'c> {
    client: Client<'c>,
    /// Leads in one request.
    batch: usize,
    /// Requests that are handed over side by side.
    at_once: usize,
    other_campaigns: OtherCampaigns,
    /// Where its webhooks are to go.
    webhook_url: Option<String>,
    /// Which value of `ignore_duplicate_leads_in_other_campaign` takes people that other campaigns hold: sources
    /// disagree, so it is found out. False is what was observed.
    flag: AtomicBool,
    learned: Mutex<Vec<Learned>>,
    categories: tokio::sync::OnceCell<Vec<(i64, String)>>,
}

/// What is declared of the account.
pub(super) struct Settings {
    pub(super) batch: u32,
    pub(super) per_minute: u32,
    pub(super) other_campaigns: OtherCampaigns,
    pub(super) webhook_url: Option<String>,
}

impl<'c> SmartleadProvider<'c> {
    pub(super) fn new(client: Client<'c>, settings: Settings) -> Self {
        let Settings { batch, per_minute, other_campaigns, webhook_url } = settings;
        Self {
            client,
            batch: batch.clamp(1, 400) as usize,
            at_once: (per_minute as usize * SLOW / 60).clamp(AT_ONCE, MOST_AT_ONCE),
            other_campaigns,
            webhook_url,
            flag: AtomicBool::new(other_campaigns == OtherCampaigns::Refuse),
            learned: Mutex::default(),
            categories: tokio::sync::OnceCell::new(),
        }
    }

    fn learn(&self, item: &Item, held: &str) {
        if !held.is_empty() {
            let learned = Learned { employee_id: item.employee_id(), held: held.to_owned() };
            self.learned.lock().unwrap_or_else(PoisonError::into_inner).push(learned);
        }
    }

    fn flag(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// Addresses and domains go on the account's block list, which knows each of them once.
    async fn block(&self, targets: &[String]) -> Result<(), CallError> {
        for part in targets.chunks(self.batch) {
            let list: Vec<&str> = part.iter().map(|target| target.trim_start_matches('@')).collect();
            let body = json!({ "domain_block_list": list, "client_id": Value::Null });
            self.client.json(Call::post("leads/add-domain-block-list", &body)).await?;
        }
        Ok(())
    }
}

impl Provider for SmartleadProvider<'_> {
    fn perform<'a>(&'a self, to: &'a Destination, items: &'a [Item]) -> BoxFuture<'a, Answer> {
        Box::pin(async move { Answer::Items(self.perform_all(to, items).await) })
    }

    fn look_up<'a>(
        &'a self,
        to: &'a Destination,
        items: &'a [Item],
    ) -> BoxFuture<'a, Result<Vec<Presence>, ProviderError>> {
        Box::pin(async move { Ok(self.presences(to, items).await?) })
    }

    fn at_once(&self) -> usize {
        self.at_once
    }

    fn looks_up_at_once(&self, _batch: u32) -> u32 {
        LOOKED_UP
    }

    fn learned(&self) -> Vec<Learned> {
        std::mem::take(&mut self.learned.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn remote(&self) -> Option<&dyn Remote> {
        Some(self)
    }

    fn timeout(&self) -> Duration {
        self.client.timeout()
    }
}

impl Remote for SmartleadProvider<'_> {
    fn wanted(&self, campaign: &Campaign) -> RemoteValues {
        let mut wanted = campaign::wanted(campaign);
        if let Some(url) = &self.webhook_url {
            wanted.extend(hooks::wanted(url));
        }
        wanted
    }

    fn find<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, CallError>> {
        Box::pin(self.find_campaign(name))
    }

    fn create<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<String, CallError>> {
        Box::pin(self.create_campaign(name))
    }

    fn read<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<RemoteState, CallError>> {
        Box::pin(self.read_campaign(id))
    }

    fn write<'a>(
        &'a self,
        id: &'a str,
        state: &'a RemoteState,
        target: &'a RemoteValues,
        names: &'a [String],
    ) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(self.write_campaign(id, state, target, names))
    }

    fn news<'a>(
        &'a self,
        id: &'a str,
        feed: super::Feed,
        since: Option<chrono::DateTime<chrono::Utc>>,
        from: u64,
    ) -> BoxFuture<'a, Result<Page, CallError>> {
        Box::pin(self.read_news(id, feed, since, from))
    }

    fn members<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Vec<Member>, CallError>> {
        Box::pin(self.read_members(id))
    }

    fn stop<'a>(&'a self, targets: &'a [String]) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(self.block(targets))
    }
}
