//! Who is worth a question: contacts and companies of which something is wanted that nobody has asked yet.
//!
//! Never asks for whom a stop holds: nothing is ever sent to them.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::audience::{Bind, Binds, CONTACTS, Scope, predicate};
use crate::model::{EnrichStep, Rule};
use crate::store::{Store, StoreError, arguments, diff, sql};

/// Whom a run looks at.
#[derive(Debug, Clone, Copy)]
pub enum Whom<'a> {
    /// Whoever has `processing_status: pending`, or none.
    Pending,
    /// Whom a segment's rule lets in, whatever their status.
    Rule(&'a Rule, Scope<'a>),
}

/// What is worth asking.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub step: EnrichStep,
    pub whom: Whom<'a>,
    /// Answers that are younger hold.
    pub fresh: DateTime<Utc>,
    /// What the service failed at may be asked again when it is older.
    pub failed: DateTime<Utc>,
    /// Filled values may be replaced.
    pub overwrite: bool,
}

/// One contact with what a question about it is made from.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Open {
    pub employee_id: Uuid,
    pub company_id: Option<Uuid>,
    /// In the form in which questions are compared.
    pub question: String,
    /// Whether an address can be one at all; true of other questions.
    pub well_formed: bool,
    /// Names, company and website, as they stand in the rows.
    pub about: Value,
}

/// The next questions after a contact, in order of contacts.
pub async fn next(store: &Store, look: &Look<'_>, after: Uuid, most: i64) -> Result<Vec<Open>, StoreError> {
    let mut binds = Binds::default();
    let from = open(look, &mut binds);
    let (after, most) = (binds.add(Bind::Uuid(after)), binds.add(Bind::Int(most)));
    let text = format!(
        "select employee_id, company_id, question, well_formed, about from ({from}) o
         where employee_id > {after} order by employee_id limit {most}"
    );
    let doing = "look for whom to ask about";
    sql::query_as_with(AssertSqlSafe(text), arguments(&binds).map_err(StoreError::on("bind a value"))?)
        .fetch_all(store)
        .await
        .map_err(StoreError::on(doing))
}

/// How many questions there are, and how many of them cannot be addresses.
pub async fn count(store: &Store, look: &Look<'_>) -> Result<(i64, i64), StoreError> {
    let mut binds = Binds::default();
    let from = open(look, &mut binds);
    let text = format!("select count(*), count(*) filter (where not well_formed) from ({from}) o");
    sql::query_as_with(AssertSqlSafe(text), arguments(&binds).map_err(StoreError::on("bind a value"))?)
        .fetch_one(store)
        .await
        .map_err(StoreError::on("count whom to ask about"))
}

const ABOUT: &str = "jsonb_strip_nulls(jsonb_build_object(
        'first_name', nullif(btrim(e.first_name), ''), 'last_name', nullif(btrim(e.last_name), ''),
        'full_name', nullif(btrim(e.full_name), ''),
        'company_name', coalesce(nullif(btrim(c.company_name), ''), nullif(btrim(e.company_name), '')),
        'website', nullif(btrim(c.website), '')))";

fn open(look: &Look<'_>, binds: &mut Binds) -> String {
    let whom = match &look.whom {
        Whom::Pending => "(e.processing_status is null or e.processing_status = 'pending')".to_owned(),
        Whom::Rule(rule, scope) => predicate(rule, scope, binds),
    };
    let address = diff::normalized("e.work_email");
    let fresh = binds.add(Bind::Timestamp(look.fresh));
    let failed = binds.add(Bind::Timestamp(look.failed));
    let step = look.step.as_str();
    let stopped = "coalesce(e.reply_unsubscribe or e.reply_bounce, false)";
    let (question, wanted, well_formed, first) = match look.step {
        EnrichStep::Validate => (
            address.clone(),
            format!(
                "{address} <> '' and not exists (
        select from outreach.verifications v
        where v.employee_id = e.id and v.email = {address} and v.checked_at > {fresh}
    ) and not exists (
        select from outreach.suppressions s
        where s.target in ({address}, '@' || split_part({address}, '@', 2))
    )"
            ),
            diff::is_address("question"),
            "question",
        ),
        EnrichStep::Find => (
            "lower(concat_ws('|',
        coalesce(nullif(btrim(concat_ws(' ', e.first_name, e.last_name)), ''), btrim(e.full_name)),
        coalesce(nullif(btrim(c.website), ''), nullif(btrim(c.company_name), ''), btrim(e.company_name))))"
                .to_owned(),
            format!(
                "(coalesce({address}, '') = '' or {dead})
    and (btrim(concat_ws('', e.first_name)) <> '' and btrim(concat_ws('', e.last_name)) <> ''
        or position(' ' in btrim(concat_ws('', e.full_name))) > 0)
    and btrim(concat_ws('', c.website, c.company_name, e.company_name)) <> ''",
                dead = if look.overwrite {
                    format!(
                        "exists (select from outreach.verifications v
        where v.employee_id = e.id and v.email = {address} and v.status = 'invalid')"
                    )
                } else {
                    "false".to_owned()
                }
            ),
            "true".to_owned(),
            "question",
        ),
        EnrichStep::Company => (
            "lower(coalesce(nullif(btrim(c.website), ''), btrim(c.company_name)))".to_owned(),
            format!(
                "c.id is not null and btrim(concat_ws('', c.website, c.company_name)) <> '' and ({replaces}
        or c.employee_count is null
        or btrim(concat_ws('', c.website)) = ''
        or btrim(concat_ws('', c.company_description)) = '')
    and not exists (select from outreach.company_facts f where f.company_id = c.id and f.at > {fresh})",
                replaces = look.overwrite,
            ),
            "true".to_owned(),
            "question",
        ),
    };
    format!(
        "select employee_id, company_id, question, {well_formed} as well_formed, about
from (
    select distinct on ({first}) * from (
        select e.id as employee_id, e.company_id, {question} as question, {ABOUT} as about
        from {CONTACTS}
        where {whom} and not {stopped} and {wanted}
    ) w
    order by {first}, employee_id
) q
where not exists (
    select from outreach.enrichment_calls k
    where k.step = '{step}' and k.question = q.question
      and (k.settled_at is null
          or k.outcome <> 'lost'
             and k.settled_at > case when k.outcome = 'failed' then {failed} else {fresh} end)
)"
    )
}
