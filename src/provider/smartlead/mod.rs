//! Provider `smartlead`: API v1 of smartlead.ai, which keeps campaigns and sends by itself.
//!
//! Whether a contact arrived is told by ids and by the roster, never by counters. An address is in a campaign
//! there once, so that handing a contact over a second time, after a look-up that did not find it, puts nobody in twice.

mod campaign;
mod client;
mod hold;
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

/// Requests under way at once: enough to use a minute's budget in spite of slow answers.
const AT_ONCE: usize = 8;
/// One export answers for all of them.
const LOOKED_UP: u32 = 10_000;

pub(super) struct SmartleadProvider<'c> {
    client: Client<'c>,
    /// Leads in one request.
    batch: usize,
    other_campaigns: OtherCampaigns,
    /// Which value of `ignore_duplicate_leads_in_other_campaign` takes people that other campaigns hold: sources
    /// disagree, so it is found out. False is what was observed.
    flag: AtomicBool,
    learned: Mutex<Vec<Learned>>,
    categories: tokio::sync::OnceCell<Vec<(i64, String)>>,
}

impl<'c> SmartleadProvider<'c> {
    pub(super) fn new(client: Client<'c>, batch: u32, other_campaigns: OtherCampaigns) -> Self {
        Self {
            client,
            batch: batch.clamp(1, 400) as usize,
            other_campaigns,
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
        AT_ONCE
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
        campaign::wanted(campaign)
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
