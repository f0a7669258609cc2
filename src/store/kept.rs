//! The fields of a contact that people keep by hand, and the log of who changed them.
//!
//! Never checks a value: callers do, before anything is written.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::events::{self, ByHand};
use super::{Store, StoreError, sql};

/// What people keep of a contact.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Kept {
    pub client_status: Option<String>,
    pub test_date: Option<DateTime<Utc>>,
    pub test_status: Option<String>,
    pub processing_status: Option<String>,
}

/// New values; `Some(None)` clears a field, `None` leaves it alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    pub client_status: Option<Option<String>>,
    pub test_date: Option<Option<DateTime<Utc>>>,
    pub test_status: Option<Option<String>>,
    pub processing_status: Option<Option<String>>,
}

impl Changes {
    /// The fields as they will be.
    fn over(&self, before: &Kept) -> Kept {
        Kept {
            client_status: self.client_status.clone().unwrap_or_else(|| before.client_status.clone()),
            test_date: self.test_date.unwrap_or(before.test_date),
            test_status: self.test_status.clone().unwrap_or_else(|| before.test_status.clone()),
            processing_status: self
                .processing_status
                .clone()
                .unwrap_or_else(|| before.processing_status.clone()),
        }
    }
}

const FIELDS: &str =
    "client_status::text, test_date::timestamptz, test_status::text, processing_status::text";

/// What people keep of a contact; `None` when there is no such row.
pub async fn load(store: &Store, employee_id: Uuid) -> Result<Option<Kept>, StoreError> {
    sql::query_as(sqlx::AssertSqlSafe(format!("select {FIELDS} from public.employees where id = $1")))
        .bind(employee_id)
        .fetch_optional(store)
        .await
        .map_err(StoreError::on("read what people keep of the contact"))
}

/// Writes the changes, with an event that tells what was there before. Returns what changed, by field;
/// `None` when there is no such row.
pub async fn set(
    store: &Store,
    employee_id: Uuid,
    changes: &Changes,
    by: ByHand<'_>,
) -> Result<Option<Map<String, Value>>, StoreError> {
    let doing = "change what people keep of the contact";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    let before: Option<Kept> = sql::query_as(sqlx::AssertSqlSafe(format!(
        "select {FIELDS} from public.employees where id = $1 for update"
    )))
    .bind(employee_id)
    .fetch_optional(&mut *transaction)
    .await
    .map_err(StoreError::on(doing))?;
    let Some(before) = before else { return Ok(None) };
    let after = changes.over(&before);
    let changed = differences(&before, &after);
    if !changed.is_empty() {
        sql::query(
            "update public.employees
             set client_status = $2, test_date = $3, test_status = $4, processing_status = $5
             where id = $1",
        )
        .bind(employee_id)
        .bind(&after.client_status)
        .bind(after.test_date)
        .bind(&after.test_status)
        .bind(&after.processing_status)
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::on(doing))?;
        // From here on it is a person's word, which enrichment leaves alone.
        if changed.contains_key("processing_status") {
            sql::query("update outreach.verifications set wrote = null where employee_id = $1")
                .bind(employee_id)
                .execute(&mut *transaction)
                .await
                .map_err(StoreError::on(doing))?;
        }
        let detail = Value::Object(changed.clone());
        events::add(&mut transaction, "contact_set", &employee_id.to_string(), by, detail).await?;
        transaction.commit().await.map_err(StoreError::on(doing))?;
    }
    Ok(Some(changed))
}

/// `{field: {old, new}}`.
fn differences(before: &Kept, after: &Kept) -> Map<String, Value> {
    let (before, after) = (json!(before), json!(after));
    let fields = after.as_object().into_iter().flatten();
    fields
        .filter(|(name, new)| before[name.as_str()] != **new)
        .map(|(name, new)| (name.clone(), json!({ "old": before[name.as_str()], "new": new })))
        .collect()
}

/// One line of the event log.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow)]
pub struct Event {
    pub at: DateTime<Utc>,
    pub actor: String,
    pub kind: String,
    pub detail: Value,
}

/// The latest things that people did to a contact, newest first.
pub async fn events(store: &Store, employee_id: Uuid) -> Result<Vec<Event>, StoreError> {
    sql::query_as(
        "select at, actor, kind, detail from outreach.events
         where subject = $1 order by at desc, id limit 20",
    )
    .bind(employee_id.to_string())
    .fetch_all(store)
    .await
    .map_err(StoreError::on("read the event log"))
}
