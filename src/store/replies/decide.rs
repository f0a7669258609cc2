//! Second thoughts about mails: a person says what one is, or the rules have become other ones.
//!
//! What the old reading had brought about is taken back where no other mail stands for it; then the new one is brought to
//! bear. What people set by hand stays.

use serde_json::json;
use uuid::Uuid;

use super::list::Stored;
use super::{Judged, Terms, mean, raise};
use crate::model::printable;
use crate::store::events::{self, ByHand};
use crate::store::feedback::TakenIn;
use crate::store::{Store, StoreError, sql};

/// What came of second thoughts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reread {
    /// Taken back.
    pub lowered: TakenIn,
    pub raised: TakenIn,
}

/// A person says what a mail is; `None` takes that word back. `None` when there is no such mail. `stops` are the addresses
/// that are stopped if it is a stop; without them they stay as they are.
pub async fn correct(
    store: &Store,
    id: Uuid,
    kind: Option<&str>,
    stops: Option<Vec<String>>,
    by: ByHand<'_>,
    terms: &Terms,
) -> Result<Option<Reread>, StoreError> {
    let doing = "correct a mail";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    let meant = meanings(&mut transaction, &[id]).await?;
    if meant.is_empty() {
        return Ok(None);
    }
    sql::query(
        "update outreach.replies
         set corrected_kind = $2, corrected_by = case when $2::text is not null then $3 end,
             corrected_at = case when $2::text is not null then $4 end, stops = coalesce($5, stops)
         where id = $1",
    )
    .bind(id)
    .bind(kind)
    .bind(by.actor)
    .bind(by.at)
    .bind(stops)
    .execute(&mut *transaction)
    .await
    .map_err(StoreError::on(doing))?;
    let reread = bring(&mut transaction, meant, terms).await?;
    events::add(&mut transaction, "correct", &format!("reply {id}"), by, json!({ "kind": kind })).await?;
    transaction.commit().await.map_err(StoreError::on(doing))?;
    Ok(Some(reread))
}

/// Colleagues of the one who answered are written to again; false when they were not left alone.
pub async fn release(store: &Store, id: Uuid, by: ByHand<'_>) -> Result<bool, StoreError> {
    let doing = "let go of a company";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    let company: Option<Uuid> = sql::query_scalar(
        "delete from outreach.paused_companies p
         using outreach.replies r
         join outreach.enrollments n using (employee_id, campaign_number)
         where r.id = $1 and p.company_id = n.company_id and p.campaign_number = n.campaign_number
         returning p.company_id",
    )
    .bind(id)
    .fetch_optional(&mut *transaction)
    .await
    .map_err(StoreError::on(doing))?;
    if let Some(company) = company {
        events::add(&mut transaction, "release", &format!("company {company}"), by, json!({ "reply": id }))
            .await?;
    }
    transaction.commit().await.map_err(StoreError::on(doing))?;
    Ok(company.is_some())
}

/// Mails as the present rules read them; those that a person has corrected are left as they are.
pub async fn reread(
    store: &Store,
    news: &[(&Stored, &Judged)],
    by: ByHand<'_>,
    terms: &Terms,
) -> Result<Reread, StoreError> {
    let doing = "read mails again";
    let mut transaction = store.begin().await.map_err(StoreError::on(doing))?;
    let ids: Vec<Uuid> = news.iter().map(|(stored, _)| stored.id).collect();
    let meant = meanings(&mut transaction, &ids).await?;
    let stops =
        |(stored, judged): &(&Stored, &Judged)| json!(judged.stops(judged.kind, stored.email.as_deref()));
    sql::query(
        "update outreach.replies r
         set kind = n.kind, rule = n.rule, evidence = n.evidence, confidence = n.confidence, status = n.status,
             hard = n.hard, left_company = n.left_company, away_until = n.away_until,
             stops = array(select jsonb_array_elements_text(n.stops))
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[],
                     $8::boolean[], $9::timestamptz[], $10::jsonb[])
             as n (id, kind, rule, evidence, confidence, status, hard, left_company, away_until, stops)
         where r.id = n.id and r.corrected_kind is null",
    )
    .bind(&ids)
    .bind(news.iter().map(|(_, judged)| judged.kind).collect::<Vec<_>>())
    .bind(news.iter().map(|(_, judged)| judged.rule.as_str()).collect::<Vec<_>>())
    .bind(news.iter().map(|(_, judged)| printable(&judged.evidence)).collect::<Vec<_>>())
    .bind(news.iter().map(|(_, judged)| if judged.is_sure { "sure" } else { "unsure" }).collect::<Vec<_>>())
    .bind(news.iter().map(|(_, judged)| judged.status.as_deref()).collect::<Vec<_>>())
    .bind(news.iter().map(|(_, judged)| judged.hard).collect::<Vec<_>>())
    .bind(news.iter().map(|(_, judged)| judged.left_company).collect::<Vec<_>>())
    .bind(news.iter().map(|(_, judged)| judged.away_until).collect::<Vec<_>>())
    .bind(news.iter().map(stops).collect::<Vec<_>>())
    .execute(&mut *transaction)
    .await
    .map_err(StoreError::on(doing))?;
    let reread = bring(&mut transaction, meant, terms).await?;
    events::add(&mut transaction, "reclassified", "replies", by, json!({ "mails": ids.len() })).await?;
    transaction.commit().await.map_err(StoreError::on(doing))?;
    Ok(reread)
}

/// What mails mean, and whom they stop as far as they are stops.
type Meanings = Vec<(Uuid, Option<String>, Vec<String>)>;

async fn meanings(connection: &mut sqlx::PgConnection, ids: &[Uuid]) -> Result<Meanings, StoreError> {
    sql::query_as(
        "select id, meaning, stops from outreach.replies where id = any ($1) order by id for update",
    )
    .bind(ids)
    .fetch_all(connection)
    .await
    .map_err(StoreError::on("look mails up"))
}

async fn bring(
    connection: &mut sqlx::PgConnection,
    meant: Meanings,
    terms: &Terms,
) -> Result<Reread, StoreError> {
    let (mut ids, mut before, mut stopped) = (Vec::new(), Vec::new(), Vec::new());
    for (id, meaning, stops) in meant {
        ids.push(id);
        before.push(meaning);
        stopped.push(json!(stops));
    }
    mean(connection, &ids, terms).await?;
    let lowered = sql::query_as(include_str!("lower.sql"))
        .bind(&ids)
        .bind(before)
        .bind(terms.now)
        .bind(stopped)
        .fetch_one(&mut *connection)
        .await
        .map_err(StoreError::on("take back what mails had brought about"))?;
    let raised = raise(connection, &ids, terms).await?;
    Ok(Reread { lowered, raised })
}
