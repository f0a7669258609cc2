//! The campaign's webhook at Smartlead: looked up by its name, made once, brought to what is declared.
//!
//! Webhooks of other names are somebody else's and are left alone. What they are signed with is the account's own
//! secret, which the API does not set.

use serde_json::{Value, json};

use super::SmartleadProvider;
use super::client::Call;
use super::wire;
use crate::provider::{CallError, RemoteValues};

/// Ours among the webhooks of a campaign.
const NAME: &str = "outreachd";
const EVENTS: [&str; 5] =
    ["EMAIL_BOUNCE", "EMAIL_REPLY", "EMAIL_SENT", "LEAD_CATEGORY_UPDATED", "LEAD_UNSUBSCRIBED"];
pub(super) const PREFIX: &str = "webhook.";
const URL: &str = "webhook.url";
const EVENT_TYPES: &str = "webhook.events";

pub(super) fn wanted(url: &str) -> [(String, Value); 2] {
    [(URL.to_owned(), json!(url)), (EVENT_TYPES.to_owned(), json!(EVENTS))]
}

impl SmartleadProvider<'_> {
    /// What is there; nothing is asked where no webhook is declared.
    pub(super) async fn read_hook(&self, campaign: &str) -> Result<RemoteValues, CallError> {
        if self.webhook_url.is_none() {
            return Ok(RemoteValues::new());
        }
        let Some(hook) = self.our_hook(campaign).await? else { return Ok(RemoteValues::new()) };
        let mut events: Vec<&str> = hook
            .get("event_types")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        events.sort_unstable();
        let url = wire::text(&hook, "webhook_url").unwrap_or_default();
        Ok([(URL.to_owned(), json!(url)), (EVENT_TYPES.to_owned(), json!(events))].into())
    }

    /// Makes it, or changes the one that is there. The answer to making it may have been lost before: it is looked
    /// up first, whatever is believed.
    pub(super) async fn write_hook(&self, campaign: &str, target: &RemoteValues) -> Result<(), CallError> {
        let id = self.our_hook(campaign).await?.and_then(|hook| hook.get("id").and_then(wire::number));
        // None would be refused: events of all of them are wanted.
        let categories: Vec<&str> = self.categories().await?.iter().map(|(_, name)| name.as_str()).collect();
        let value = |name: &str| target.get(name).cloned().unwrap_or_default();
        let body = json!({
            "id": id,
            "name": NAME,
            "webhook_url": value(URL),
            "event_types": value(EVENT_TYPES),
            "categories": categories,
        });
        self.say(Call::post(format!("campaigns/{campaign}/webhooks"), &body)).await
    }

    async fn our_hook(&self, campaign: &str) -> Result<Option<Value>, CallError> {
        let all = self.client.json(Call::get(format!("campaigns/{campaign}/webhooks"))).await?;
        Ok(wire::rows(&all).into_iter().find(|hook| wire::text(hook, "name") == Some(NAME)))
    }
}
