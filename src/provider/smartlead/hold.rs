//! What Smartlead holds: look-ups of what is in doubt, and the whole roster in one request.

use std::collections::BTreeMap;

use serde_json::Value;

use super::SmartleadProvider;
use super::client::Call;
use super::leads::LEAD_FIELDS;
use super::wire;
use crate::model::{ActionKind, normalize_address};
use crate::provider::{CallError, Destination, Item, Member, MemberState, Presence};

/// Up to so many are asked for one by one; for more, the export is the cheaper answer.
const ONE_BY_ONE: usize = 2;

impl SmartleadProvider<'_> {
    /// A withdrawal and an update may be said again: they do the same a second time.
    pub(super) async fn presences(
        &self,
        to: &Destination,
        items: &[Item],
    ) -> Result<Vec<Presence>, CallError> {
        let Some(campaign) = to.remote.as_deref() else { return Ok(vec![Presence::NotHere; items.len()]) };
        let new: Vec<&Item> = items.iter().filter(|item| item.action == ActionKind::Enroll).collect();
        let mut here: BTreeMap<String, String> = BTreeMap::new();
        if new.len() > ONE_BY_ONE {
            here = self.export(campaign).await?;
        } else {
            for item in new {
                let found = self.find_lead(&item.email).await?;
                if found.campaigns.contains(campaign) {
                    here.insert(item.email.clone(), found.id.unwrap_or_default());
                }
            }
        }
        let presence = |item: &Item| match (item.action, here.get(&item.email)) {
            (ActionKind::Enroll, Some(id)) => {
                self.learn(item, id);
                Presence::Here
            }
            (ActionKind::Enroll, None) => Presence::NotHere,
            _ => Presence::SendAgain,
        };
        Ok(items.iter().map(presence).collect())
    }

    /// Lead ids by address, of everybody in the campaign.
    pub(super) async fn export(&self, campaign: &str) -> Result<BTreeMap<String, String>, CallError> {
        let members = self.read_members(campaign).await?;
        Ok(members.into_iter().map(|member| (member.email, member.held)).collect())
    }

    pub(super) async fn read_members(&self, campaign: &str) -> Result<Vec<Member>, CallError> {
        let text = self.client.text(Call::get(format!("campaigns/{campaign}/leads-export"))).await?;
        let rows = wire::csv(&text);
        Ok(rows.iter().filter_map(member).collect())
    }
}

fn member(row: &BTreeMap<String, String>) -> Option<Member> {
    let cell = |name: &str| row.get(name).map(String::as_str).unwrap_or_default();
    let email = normalize_address(cell("email"));
    if email.is_empty() || cell("id").is_empty() {
        return None;
    }
    let sent = wire::number(&Value::String(cell("last_email_sequence_sent").to_owned())).unwrap_or(0);
    let state = match cell("status") {
        _ if cell("is_unsubscribed") == "true" => MemberState::Unsubscribed,
        "BLOCKED" => MemberState::Bounced,
        "COMPLETED" => MemberState::Finished,
        "STOPPED" | "PAUSED" => MemberState::Stopped,
        "INPROGRESS" => MemberState::Active,
        _ if sent > 0 => MemberState::Active,
        _ => MemberState::Queued,
    };
    let mut fields: BTreeMap<String, String> = LEAD_FIELDS
        .iter()
        .filter_map(|name| {
            Some(((*name).to_owned(), row.get(*name).filter(|cell| !cell.is_empty())?.clone()))
        })
        .collect();
    if let Ok(Value::Object(custom)) = serde_json::from_str(cell("custom_fields")) {
        fields.extend(custom.into_iter().map(|(name, value)| match value {
            Value::String(text) => (name, text),
            other => (name, other.to_string()),
        }));
    }
    let since = wire::instant(&Value::String(cell("created_at").to_owned()));
    Some(Member { held: cell("id").to_owned(), email, state, since, fields })
}
