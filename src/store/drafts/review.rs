//! Drafts as people see them, and what they decide.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::store::events::{self, ByHand};
use crate::store::{Store, StoreError, sql};

/// Which draft: `12:EMPLOYEE:opener`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftKey {
    pub campaign: i32,
    pub employee_id: Uuid,
    pub field: String,
}

impl std::str::FromStr for DraftKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, ':');
        (|| {
            Some(Self {
                campaign: parts.next()?.parse().ok()?,
                employee_id: parts.next()?.parse().ok()?,
                field: parts.next().filter(|field| !field.is_empty())?.to_owned(),
            })
        })()
        .ok_or_else(|| format!("`{text}` is not a draft's key (campaign:employee:field)"))
    }
}

/// A draft, for people.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow)]
pub struct Shown {
    pub key: String,
    pub state: String,
    pub text: String,
    pub problem: Option<String>,
    pub full_name: Option<String>,
    pub company_name: Option<String>,
    pub model: Option<String>,
    pub drafted_at: DateTime<Utc>,
    pub decided_at: Option<DateTime<Utc>>,
    pub decided_by: Option<String>,
    /// What the model was sent, and what it said.
    pub prompt: Option<String>,
    pub response: Option<String>,
}

/// Drafts of these campaigns (all, if none) in these states (all, if none), or one of them.
pub async fn list(
    store: &Store,
    campaigns: &[i32],
    states: &[&str],
    one: Option<&DraftKey>,
    most: i64,
) -> Result<Vec<Shown>, StoreError> {
    sql::query_as(
        "select format('%s:%s:%s', d.campaign_number, d.employee_id, d.field) as key, d.state, d.text, d.problem,
             e.full_name::text, coalesce(c.company_name, e.company_name)::text as company_name,
             i.model_used::text as model, d.drafted_at, d.decided_at, d.decided_by, i.prompt::text,
             i.response::text
         from outreach.drafts d
         left join public.employees e on e.id = d.employee_id
         left join public.companies c on c.id = e.company_id
         left join public.ai_interactions i on i.id = d.interaction_id
         where (cardinality($1::integer[]) = 0 or d.campaign_number = any ($1))
           and (cardinality($2::text[]) = 0 or d.state = any ($2))
           and ($3::integer is null or (d.campaign_number, d.employee_id, d.field) = ($3, $4, $5))
         order by d.campaign_number, d.drafted_at, d.employee_id, d.field
         limit $6",
    )
    .bind(campaigns)
    .bind(states)
    .bind(one.map(|key| key.campaign))
    .bind(one.map(|key| key.employee_id))
    .bind(one.map(|key| key.field.as_str()))
    .bind(most)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("list drafts"))
}

/// What a person says of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision<'a> {
    /// Used, with another text if one is given.
    Approve {
        text: Option<&'a str>,
    },
    Reject,
    /// Made anew.
    Redo,
}

impl Decision<'_> {
    const fn word(self) -> &'static str {
        match self {
            Self::Approve { .. } => "draft_approved",
            Self::Reject => "draft_rejected",
            Self::Redo => "draft_redone",
        }
    }
}

/// Writes a decision down, with an event; false when there is no such draft. An approval without a text of its own
/// takes only what passed the checks.
pub async fn decide(
    store: &Store,
    key: &DraftKey,
    decision: Decision<'_>,
    by: ByHand<'_>,
) -> Result<bool, StoreError> {
    let doing = "decide on a draft";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    let statement = match decision {
        Decision::Approve { .. } => {
            "update outreach.drafts
             set state = 'approved', text = coalesce($4, text), decided_at = $5, decided_by = $6,
                 problem = case when $4 is null then problem end
             where campaign_number = $1 and employee_id = $2 and field = $3 and (state <> 'failed' or $4 is not null)"
        }
        Decision::Reject => {
            "update outreach.drafts
             set state = 'rejected', text = coalesce($4, text), decided_at = $5, decided_by = $6
             where campaign_number = $1 and employee_id = $2 and field = $3"
        }
        Decision::Redo => {
            "delete from outreach.drafts
             where campaign_number = $1 and employee_id = $2 and field = $3
               and ($4::text is null and $5::timestamptz is not null and $6::text is not null)"
        }
    };
    let text = match decision {
        Decision::Approve { text } => text,
        Decision::Reject | Decision::Redo => None,
    };
    let done = sql::query(statement)
        .bind(key.campaign)
        .bind(key.employee_id)
        .bind(&key.field)
        .bind(text)
        .bind(by.at)
        .bind(by.actor)
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::on(doing))?
        .rows_affected()
        == 1;
    if done {
        let detail = json!({ "campaign": key.campaign, "field": key.field, "rewritten": text.is_some() });
        events::add(&mut transaction, decision.word(), &key.employee_id.to_string(), by, detail).await?;
        transaction.commit().await.map_err(StoreError::on(doing))?;
    }
    Ok(done)
}
