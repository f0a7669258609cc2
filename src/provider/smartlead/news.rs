//! What happened at Smartlead, asked for by time: a row a mail from the statistics, states from the roster.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use super::SmartleadProvider;
use super::client::Call;
use super::wire;
use crate::model::normalize_address;
use crate::provider::{CallError, Feed, News, NewsKind, Page};

/// The API refuses more of the roster in one request.
const ROSTER_PAGE: u64 = 100;
/// Clients use 100 to 500; the page allows 1000.
const MAILS_PAGE: u64 = 500;

impl SmartleadProvider<'_> {
    pub(super) async fn read_news(
        &self,
        id: &str,
        feed: Feed,
        since: Option<DateTime<Utc>>,
        from: u64,
    ) -> Result<Page, CallError> {
        let since = since.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
        if feed == Feed::Sent {
            let mut call = Call::get(format!("campaigns/{id}/statistics"))
                .with("offset", from)
                .with("limit", MAILS_PAGE);
            if let Some(since) = since {
                call = call.with("sent_time_start_date", since);
            }
            let rows = wire::rows(&self.client.json(call).await?);
            let next = (rows.len() as u64 == MAILS_PAGE).then_some(from + MAILS_PAGE);
            return Ok(Page { news: rows.iter().flat_map(of_mail).collect(), next });
        }
        let mut call =
            Call::get(format!("campaigns/{id}/leads")).with("offset", from).with("limit", ROSTER_PAGE);
        call = match feed {
            Feed::Unsubscribed => call.with("emailStatus", "is_unsubscribed"),
            Feed::Bounced => call.with("emailStatus", "is_bounced"),
            Feed::Replied => call.with("emailStatus", "is_replied"),
            Feed::Finished | Feed::Sent => call.with("status", "COMPLETED"),
        };
        if let Some(since) = since {
            call = call.with("event_time_gt", since);
        }
        let rows = wire::rows(&self.client.json(call).await?);
        let asks = if feed == Feed::Replied && !rows.is_empty() { self.categories().await? } else { &[] };
        let news = rows.iter().filter_map(|row| of_member(row, feed, asks)).collect();
        Ok(Page { news, next: (rows.len() as u64 == ROSTER_PAGE).then_some(from + ROSTER_PAGE) })
    }

    /// Categories by id; an account may have its own.
    pub(super) async fn categories(&self) -> Result<&[(i64, String)], CallError> {
        let list = self
            .categories
            .get_or_try_init(|| async {
                let list = self.client.json(Call::get("leads/fetch-categories")).await?;
                let named =
                    |row: &Value| Some((wire::number(row.get("id")?)?, wire::text(row, "name")?.to_owned()));
                Ok::<_, CallError>(wire::rows(&list).iter().filter_map(named).collect())
            })
            .await?;
        Ok(list)
    }
}

/// What a category of a reply means for us, by its name.
pub(super) fn of_category(name: &str) -> Option<NewsKind> {
    match name.trim().to_lowercase().as_str() {
        "information request" => Some(NewsKind::AskedForInformation),
        "do not contact" => Some(NewsKind::Unsubscribed),
        // A machine's answer is no reply.
        "out of office" => None,
        _ => Some(NewsKind::Replied),
    }
}

/// A row a mail: that it was sent, and what came of it.
fn of_mail(row: &Value) -> Vec<News> {
    let Some(email) = wire::text(row, "lead_email").map(normalize_address) else { return Vec::new() };
    let step = row.get("sequence_number").and_then(wire::number).and_then(|step| u32::try_from(step).ok());
    let at = |name: &str| row.get(name).and_then(wire::instant);
    let says = |name: &str| row.get(name).and_then(Value::as_bool) == Some(true);
    let mut news = Vec::new();
    let mut add = |kind, at| news.push(News { email: email.clone(), kind, at, step });
    if let Some(sent) = at("sent_time") {
        add(NewsKind::Sent, Some(sent));
    }
    if says("is_unsubscribed") {
        add(NewsKind::Unsubscribed, None);
    }
    if says("is_bounced") {
        add(NewsKind::Bounced, None);
    }
    if let Some(replied) = at("reply_time") {
        let kind = wire::text(row, "lead_category").map_or(Some(NewsKind::Replied), of_category);
        if let Some(kind) = kind {
            add(kind, Some(replied));
        }
    }
    news
}

fn of_member(row: &Value, feed: Feed, categories: &[(i64, String)]) -> Option<News> {
    let email = normalize_address(wire::text(row.get("lead")?, "email")?);
    let kind = match feed {
        Feed::Unsubscribed => NewsKind::Unsubscribed,
        Feed::Bounced => NewsKind::Bounced,
        Feed::Finished | Feed::Sent => NewsKind::Finished,
        Feed::Replied => {
            let category = row.get("lead_category_id").and_then(wire::number);
            let named = category.and_then(|id| categories.iter().find(|(known, _)| *known == id));
            match named {
                Some((_, name)) => of_category(name)?,
                None => NewsKind::Replied,
            }
        }
    };
    Some(News { email, kind, at: None, step: None })
}
