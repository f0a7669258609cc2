//! Handing contacts over: added in batches, changed and withdrawn one by one.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Map, Value, json};

use super::client::Call;
use super::wire::{self, Added, Found};
use super::{AT_ONCE, SmartleadProvider};
use crate::model::{ActionKind, OtherCampaigns, Verdict, WithdrawReason, Withdrawal};
use crate::provider::{CallError, Destination, Item};

/// Fields that every lead has; all others are custom fields.
pub(super) const LEAD_FIELDS: [&str; 8] = [
    "first_name",
    "last_name",
    "company_name",
    "phone_number",
    "website",
    "location",
    "linkedin_profile",
    "company_url",
];

/// Requests that wait for each other no more than the budget makes them.
pub(super) async fn several<T>(calls: Vec<impl Future<Output = T>>) -> Vec<T> {
    stream::iter(calls).buffer_unordered(AT_ONCE).collect().await
}

/// What a fault of a call means for the items that it was about.
pub(super) fn verdict(error: CallError) -> Verdict {
    match error {
        CallError::Later { after, reason } => Verdict::Retry { after, reason },
        CallError::Misconfigured(reason) => Verdict::Misconfigured(reason),
        CallError::Refused { reason, .. } => Verdict::Refused(reason),
        CallError::Gone(reason) => {
            Verdict::Misconfigured(format!("the campaign is gone at Smartlead: {reason}"))
        }
        CallError::InDoubt(reason) => Verdict::InDoubt(reason),
    }
}

impl SmartleadProvider<'_> {
    /// Verdicts in the order of the items. Withdrawals go first: they are stops.
    pub(super) async fn perform_all(&self, to: &Destination, items: &[Item]) -> Vec<Verdict> {
        let Some(campaign) = to.remote.as_deref() else {
            let reason = "the campaign has not been made at Smartlead yet".to_owned();
            return vec![Verdict::Retry { after: None, reason }; items.len()];
        };
        let of = |action| items.iter().enumerate().filter(move |(_, item)| item.action == action);
        let mut verdicts: BTreeMap<usize, Verdict> = BTreeMap::new();
        let withdrawn = of(ActionKind::Withdraw)
            .map(|(at, item)| async move { (at, self.withdraw(campaign, to.withdraw, item).await) });
        verdicts.extend(several(withdrawn.collect()).await);
        let updated =
            of(ActionKind::Update).map(|(at, item)| async move { (at, self.update(campaign, item).await) });
        verdicts.extend(several(updated.collect()).await);
        let new: Vec<(usize, &Item)> = of(ActionKind::Enroll).collect();
        let added = new.chunks(self.batch).map(|part| async move {
            let items: Vec<&Item> = part.iter().map(|(_, item)| *item).collect();
            let verdicts = self.add(campaign, items).await;
            part.iter().map(|(at, _)| *at).zip(verdicts).collect::<Vec<_>>()
        });
        verdicts.extend(several(added.collect()).await.into_iter().flatten());
        verdicts.into_values().collect()
    }

    /// Adds a batch. One that is refused as a whole is cut in halves until the row at fault stands alone.
    fn add<'a>(&'a self, campaign: &'a str, items: Vec<&'a Item>) -> BoxFuture<'a, Vec<Verdict>> {
        Box::pin(async move {
            match self.post(campaign, &items, self.flag()).await {
                Ok(added) => self.settle(campaign, &items, added).await,
                Err(CallError::Refused { status: 409, .. }) => self.add_missing(campaign, items).await,
                Err(CallError::Refused { .. }) if items.len() > 1 => {
                    let (left, right) = items.split_at(items.len() / 2);
                    let mut verdicts = self.add(campaign, left.to_vec()).await;
                    verdicts.extend(self.add(campaign, right.to_vec()).await);
                    verdicts
                }
                Err(error) => vec![verdict(error); items.len()],
            }
        })
    }

    /// Some of them are there and the others are refused with them: those that are there are looked for first.
    async fn add_missing(&self, campaign: &str, items: Vec<&Item>) -> Vec<Verdict> {
        let here = match self.export(campaign).await {
            Ok(here) => here,
            Err(error) => return vec![verdict(error); items.len()],
        };
        let missing: Vec<&Item> =
            items.iter().copied().filter(|item| !here.contains_key(&item.email)).collect();
        let stuck = missing.len() == items.len();
        let reason =
            || "Smartlead says that a lead is there already, and the roster does not show it".to_owned();
        let added = match missing.as_slice() {
            [] => Vec::new(),
            _ if stuck => vec![Verdict::InDoubt(reason()); missing.len()],
            _ => self.add(campaign, missing).await,
        };
        let mut added = added.into_iter();
        items
            .iter()
            .map(|item| match here.get(&item.email) {
                Some(id) => {
                    self.learn(item, id);
                    Verdict::Accepted
                }
                None => added.next().unwrap_or_else(|| Verdict::InDoubt(reason())),
            })
            .collect()
    }

    async fn post(&self, campaign: &str, items: &[&Item], flag: bool) -> Result<Added, CallError> {
        let leads: Vec<Value> = items.iter().map(|item| lead(item)).collect();
        let body = json!({
            "lead_list": leads,
            "settings": {
                "ignore_global_block_list": false,
                "ignore_unsubscribe_list": false,
                "ignore_community_bounce_list": false,
                "ignore_duplicate_leads_in_other_campaign": flag,
                "return_lead_ids": true,
            },
        });
        let reply =
            self.client.json(Call::post(format!("campaigns/{campaign}/leads"), &body).at_once()).await?;
        let added = Added::read(&reply);
        let refused = reply.get("ok").and_then(Value::as_bool) == Some(false);
        if refused && added.exhausted.is_none() {
            let reason =
                wire::message(&reply).unwrap_or_else(|| "Smartlead refused without a reason".to_owned());
            return Err(CallError::Refused { status: 200, reason });
        }
        Ok(added)
    }

    /// People whom other campaigns hold, with the flag the other way round.
    pub(super) async fn post_the_other_way(
        &self,
        campaign: &str,
        items: &[&Item],
    ) -> Result<Added, CallError> {
        if self.other_campaigns == OtherCampaigns::Refuse {
            return Ok(Added::default());
        }
        let other = !self.flag();
        let added = self.post(campaign, items, other).await?;
        if items.iter().any(|item| added.here.contains_key(&item.email)) {
            self.flag.store(other, Ordering::Relaxed);
        }
        Ok(added)
    }

    async fn update(&self, campaign: &str, item: &Item) -> Verdict {
        let id = match &item.held {
            Some(id) => id.clone(),
            None => match self.find_lead(&item.email).await {
                Ok(found) if found.campaigns.contains(campaign) => found.id.unwrap_or_default(),
                // Smartlead knows a lead by its address and has no way to change that; a new lead would get the
                // whole sequence again.
                Ok(_) => {
                    let reason = "Smartlead has no such address in the campaign, and cannot change one";
                    return Verdict::Refused(reason.to_owned());
                }
                Err(error) => return verdict(error),
            },
        };
        let body = lead(item);
        match self.client.json(Call::post(format!("campaigns/{campaign}/leads/{id}"), &body)).await {
            Ok(_) => Verdict::Accepted,
            Err(CallError::Gone(reason)) => Verdict::Refused(reason),
            Err(error) => verdict(error),
        }
    }

    /// Somebody who is not there has left already.
    async fn withdraw(&self, campaign: &str, how: Withdrawal, item: &Item) -> Verdict {
        let id = match &item.held {
            Some(id) => id.clone(),
            None => match self.lead_id(item).await {
                Ok(Some(id)) => id,
                Ok(None) => return Verdict::Accepted,
                Err(error) => return verdict(error),
            },
        };
        let nothing = json!({});
        let path = format!("campaigns/{campaign}/leads/{id}");
        let call = match (item.reason, how) {
            // For all campaigns of the account, those of the future too.
            (Some(WithdrawReason::Unsubscribed), _) => {
                Call::post(format!("leads/{id}/unsubscribe"), &nothing)
            }
            (_, Withdrawal::Remove) => Call::delete(path, None),
            (_, Withdrawal::Pause) => Call::post(format!("{path}/pause"), &nothing),
            (_, Withdrawal::Unsubscribe) => Call::post(format!("{path}/unsubscribe"), &nothing),
        };
        match self.client.json(call).await {
            Err(CallError::Gone(reason)) if reason.to_lowercase().contains("campaign") => {
                verdict(CallError::Gone(reason))
            }
            Ok(_) | Err(CallError::Gone(_)) => Verdict::Accepted,
            Err(error) => verdict(error),
        }
    }

    /// The account's id of an address.
    async fn lead_id(&self, item: &Item) -> Result<Option<String>, CallError> {
        let found = self.find_lead(&item.email).await?;
        if let Some(id) = &found.id {
            self.learn(item, id);
        }
        Ok(found.id)
    }

    pub(super) async fn find_lead(&self, email: &str) -> Result<Found, CallError> {
        let reply = self.client.json(Call::get("leads/").with("email", email)).await?;
        Ok(Found::read(&reply))
    }
}

/// A contact as Smartlead takes it: unknown keys would be refused, so what is not its own is a custom field.
fn lead(item: &Item) -> Value {
    let mut lead = Map::new();
    let mut custom = Map::new();
    lead.insert("email".to_owned(), json!(item.email));
    for (name, value) in item.fields.as_object().into_iter().flatten() {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let own = LEAD_FIELDS.contains(&name.as_str());
        (if own { &mut lead } else { &mut custom }).insert(name.clone(), Value::String(text));
    }
    if !custom.is_empty() {
        lead.insert("custom_fields".to_owned(), Value::Object(custom));
    }
    Value::Object(lead)
}
