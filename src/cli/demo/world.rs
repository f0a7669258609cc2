//! What others do to the database: the demo stands in for them. The only SQL outside of `store`.

use anyhow::Context as _;
use sqlx::FromRow;
use uuid::Uuid;

use crate::store::{Store, sql};

/// One contact's row, as the write-back leaves it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct Row {
    pub id: Uuid,
    pub full_name: String,
    pub work_email: Option<String>,
    pub campaign_number: Option<i32>,
    pub outreach_type: Option<String>,
    pub outreach_sent_date: Option<String>,
    pub campaign_status: Option<String>,
    pub processing_status: Option<String>,
}

/// A reply, as the feedback loop notes it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reply {
    Unsubscribe,
    InfoRequest,
    Bounce,
}

/// Empties the demo's own database.
pub(super) async fn reset(store: &Store) -> anyhow::Result<()> {
    sqlx::raw_sql(
        "begin;
         set local lock_timeout = '5s';
         set local client_min_messages = warning;
         drop schema if exists outreach cascade;
         drop table if exists public.ai_interactions, public.employees, public.companies cascade;
         commit",
    )
    .execute(store)
    .await
    .context("could not empty the demo's database; is another program using it?")
    .map(drop)
}

/// Every contact, by id.
pub(super) async fn rows(store: &Store) -> anyhow::Result<Vec<Row>> {
    sql::query_as(
        "select id, full_name, work_email, campaign_number, outreach_type,
                to_char(outreach_sent_date, 'YYYY-MM-DD HH24:MI') as outreach_sent_date,
                campaign_status, processing_status
         from public.employees order by id",
    )
    .fetch_all(store)
    .await
    .context("could not read the contacts")
}

/// Contacts that are in the campaign, by name.
pub(super) async fn enrolled(store: &Store, campaign: i32) -> anyhow::Result<Vec<Uuid>> {
    sql::query_scalar(
        "select n.employee_id from outreach.enrollments n
         join public.employees e on e.id = n.employee_id
         where n.campaign_number = $1 and n.live order by e.full_name, e.id",
    )
    .bind(campaign)
    .fetch_all(store)
    .await
    .context("could not read the enrollments")
}

/// Contacts that a provider refused, and why.
pub(super) async fn refused(store: &Store) -> anyhow::Result<Vec<(Uuid, Option<String>)>> {
    sql::query_as("select employee_id, refused_reason from outreach.enrollments where status = 'failed'")
        .fetch_all(store)
        .await
        .context("could not read the enrollments")
}

/// Notes a reply.
pub(super) async fn reply(store: &Store, contact: Uuid, reply: Reply) -> anyhow::Result<()> {
    let statement = match reply {
        Reply::Unsubscribe => "update public.employees set reply_unsubscribe = true where id = $1",
        Reply::InfoRequest => "update public.employees set reply_info_request = true where id = $1",
        Reply::Bounce => "update public.employees set reply_bounce = true where id = $1",
    };
    sql::query(statement).bind(contact).execute(store).await.context("could not note the reply").map(drop)
}
