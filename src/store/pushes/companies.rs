//! The company side of the write-back: what `write_back` names is set when a contact is accepted, and a
//! changed `status` is put back when the company's last contact has left.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Outcome;
use crate::model::{ActionKind, Campaign, PushState};
use crate::store::sql;

/// Follows outcomes that the same transaction has just settled.
pub(super) async fn write(
    connection: &mut PgConnection,
    campaign: &Campaign,
    now: DateTime<Utc>,
    outcomes: &[Outcome],
) -> Result<(), sqlx::Error> {
    let accepted = |action: ActionKind| -> Vec<Uuid> {
        outcomes
            .iter()
            .filter(|outcome| outcome.action == action && outcome.state == PushState::Accepted)
            .map(|outcome| outcome.key.employee_id)
            .collect()
    };
    let value = |column: &str| {
        let named = campaign.write_back.iter().find(|write| write.field.to_string() == column);
        named.map(|write| write.value.as_str())
    };
    let (status, processing) = (value("company.status"), value("company.processing_status"));
    let entered = accepted(ActionKind::Enroll);
    if !entered.is_empty() && (status.is_some() || processing.is_some()) {
        sql::query(include_str!("companies_enter.sql"))
            .bind(campaign.number)
            .bind(&entered)
            .bind(status)
            .bind(processing)
            .bind(now)
            .execute(&mut *connection)
            .await?;
    }
    let left = accepted(ActionKind::Withdraw);
    if !left.is_empty() {
        sql::query(include_str!("companies_leave.sql"))
            .bind(campaign.number)
            .bind(&left)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
