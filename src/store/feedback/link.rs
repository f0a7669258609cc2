//! The unsubscribe link of a mail, followed: suppression, flag, enrollment and event in one statement.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::model::PushKey;
use crate::store::{Store, StoreError, sql};

/// What came of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Followed {
    /// One when the mail was ours; none of a mail that was made for a look.
    pub known: i64,
    /// None when it was followed before.
    pub changed: i64,
}

/// Stops the contact that the mail was for.
pub async fn follow(
    store: &Store,
    mail: PushKey,
    spares_colleagues: bool,
    now: DateTime<Utc>,
) -> Result<Followed, StoreError> {
    sql::query_as(include_str!("link.sql"))
        .bind(mail.employee_id)
        .bind(mail.campaign)
        .bind(mail.ordinal)
        .bind(now)
        .bind(spares_colleagues)
        .bind(Uuid::new_v4())
        .fetch_one(store)
        .await
        .map_err(StoreError::on("unsubscribe a contact"))
}
