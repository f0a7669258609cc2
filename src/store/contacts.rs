//! One contact: found by id or address, with what was ever handed over for it.

use schemars::JsonSchema;
use serde::Serialize;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Store, StoreError, arguments, sql};
use crate::audience::{Bind, Binds};
use crate::model::FieldRef;

/// Who a contact is, and its own state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, JsonSchema)]
pub struct Contact {
    pub employee_id: Uuid,
    pub full_name: Option<String>,
    pub position: Option<String>,
    pub company_name: Option<String>,
    pub email: Option<String>,
    pub campaign_number: Option<i32>,
    pub campaign_status: Option<String>,
    pub outreach_sent_date: Option<String>,
    pub reply_unsubscribe: bool,
    pub reply_bounce: bool,
    pub reply_info_request: bool,
    /// Suppressions that hold for the address, `target (reason)`.
    pub suppressions: Vec<String>,
}

/// The contacts with that id or that address.
pub async fn find(store: &Store, who: &str) -> Result<Vec<Contact>, StoreError> {
    let id: Option<Uuid> = who.parse().ok();
    let address = crate::model::normalize_address(who);
    sql::query_as(
        "select
             e.id as employee_id, e.full_name::text, e.position::text,
             coalesce(c.company_name, e.company_name)::text as company_name,
             e.work_email::text as email, e.campaign_number::integer, e.campaign_status::text,
             e.outreach_sent_date::text,
             coalesce(e.reply_unsubscribe, false) as reply_unsubscribe,
             coalesce(e.reply_bounce, false) as reply_bounce,
             coalesce(e.reply_info_request, false) as reply_info_request,
             array(
                 select s.target || ' (' || s.reason || ', from ' || s.source || ')' from outreach.suppressions s
                 where s.target in (outreach.address(e.work_email), '@' || split_part(outreach.address(e.work_email), '@', 2))
                 order by s.target
             ) as suppressions
         from public.employees e
         left join public.companies c on c.id = e.company_id
         where case when $1::uuid is not null then e.id = $1 else outreach.address(e.work_email) = $2 end
         order by e.id
         limit 50",
    )
    .bind(id)
    .bind(address)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("look for the contact"))
}

/// Which of these fields a contact has no value for.
pub async fn unset(store: &Store, fields: &[FieldRef], employee_id: Uuid) -> Result<Vec<String>, StoreError> {
    let doing = "look for unset fields";
    let tests: Vec<String> = fields.iter().map(super::diff::is_unset).collect();
    if tests.is_empty() {
        return Ok(Vec::new());
    }
    let mut binds = Binds::default();
    let id = binds.add(Bind::Uuid(employee_id));
    let text = format!(
        "select array[{}]::boolean[] from public.employees e
         left join public.companies c on c.id = e.company_id where e.id = {id}",
        tests.join(", ")
    );
    let unset: Option<Vec<bool>> = sql::query_scalar_with(
        AssertSqlSafe(text),
        arguments(&binds).map_err(StoreError::on("bind a value"))?,
    )
    .fetch_optional(store)
    .await
    .map_err(StoreError::on(doing))?;
    let names = fields.iter().map(ToString::to_string);
    Ok(names.zip(unset.unwrap_or_default()).filter(|(_, unset)| *unset).map(|(name, _)| name).collect())
}

/// One push of a contact, for its timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, JsonSchema)]
pub struct PushLine {
    pub campaign_number: i32,
    pub ordinal: i32,
    pub action: String,
    pub state: String,
    pub reason: String,
    pub answer: Option<String>,
    pub handed_at: Option<chrono::DateTime<chrono::Utc>>,
}

/// Everything that was ever handed over for a contact, oldest first.
pub async fn pushes(store: &Store, employee_id: Uuid) -> Result<Vec<PushLine>, StoreError> {
    sql::query_as(
        "select campaign_number, ordinal, action, state, reason, answer, handed_at
         from outreach.pushes where employee_id = $1
         order by handed_at, campaign_number, ordinal",
    )
    .bind(employee_id)
    .fetch_all(store)
    .await
    .map_err(StoreError::on("read the contact's pushes"))
}
