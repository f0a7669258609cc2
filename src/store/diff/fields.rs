//! What a campaign's fields are made from, of one contact, whether or not the campaign lets it in.

use serde_json::Value;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::columns;
use crate::audience::{Bind, Binds};
use crate::model::Campaign;
use crate::store::{Store, StoreError, arguments, sql};

/// A contact, as a campaign sees it.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Person {
    /// Normalised; absent where the contact has none.
    pub email: Option<String>,
    pub full_name: String,
    pub company_name: String,
    /// The fields that need no template.
    pub fields: Value,
    /// What templates read.
    pub inputs: Option<Value>,
}

/// `None` when there is no such contact.
pub async fn person(
    store: &Store,
    campaign: &Campaign,
    employee_id: Uuid,
) -> Result<Option<Person>, StoreError> {
    let mut binds = Binds::default();
    let fields = columns::plain_fields(campaign, &mut binds);
    let inputs = columns::template_inputs(campaign);
    let id = binds.add(Bind::Uuid(employee_id));
    let text = format!(
        "select
             outreach.address(e.work_email) as email,
             coalesce(e.full_name, '')::text as full_name,
             coalesce(c.company_name, e.company_name, '')::text as company_name,
             {fields} as fields,
             {inputs} as inputs
         from public.employees e
         left join public.companies c on c.id = e.company_id
         where e.id = {id}"
    );
    sql::query_as_with(AssertSqlSafe(text), arguments(&binds).map_err(StoreError::on("bind a value"))?)
        .fetch_optional(store)
        .await
        .map_err(StoreError::on("read what a contact's fields are made from"))
}
