//! Two declarations on one database: whom each wants in a campaign, and who is in one of the two only.

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection};

use super::steps::Steps;
use super::{Question, Statement, run};
use crate::audience::{Bind, Binds};
use crate::model::Skip;
use crate::store::{StoreError, arguments, sql};

/// Which of the two declarations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Base,
    Head,
}

impl Side {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Head => "head",
        }
    }
}

/// People who are in one side only, alike in why they are not in the other.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Moved {
    /// Is in the head; else it is in the base.
    pub enters: bool,
    pub enrolled: bool,
    /// Why the other side has it not, where the rule lets it in.
    pub reason: Option<String>,
    /// The first clause of the other side's rule that is false; as many as there are when none is.
    pub clause: Option<i32>,
    pub people: i64,
    /// `[{"employee_id", "email", "who"}]`
    pub sample: Value,
}

/// Temporary table of whom each side wants, with what speaks against those whom its rule lets in.
pub async fn create_sides(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::raw_sql(
        "create temporary table sides (
             side text, campaign_number integer, employee_id uuid, email text, is_in boolean,
             enrolled boolean, updates boolean, reason text
         ) on commit drop",
    )
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(StoreError::on("set up the comparison"))
}

/// Forgets whom campaigns of higher rank want: the other side's want others.
pub async fn forget_wanted(connection: &mut PgConnection) -> Result<(), StoreError> {
    sql::query("delete from wanted")
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(StoreError::on("begin with the other files"))
}

/// Adds whom one side wants in a campaign.
pub async fn add_side(
    connection: &mut PgConnection,
    question: &Question<'_>,
    side: Side,
) -> Result<(), StoreError> {
    let statement = Statement::new(question, |steps, binds| steps.side_tail(binds, side));
    run(connection, statement, "find whom a campaign wants").await.map(|_| ())
}

/// The same where that side does not declare the campaign: whoever is in it stays.
pub async fn add_undeclared(
    connection: &mut PgConnection,
    number: i32,
    side: Side,
) -> Result<(), StoreError> {
    sql::query(
        "insert into sides
         select $1, campaign_number, employee_id, email, true, true, false, null
         from outreach.enrollments
         where campaign_number = $2 and live",
    )
    .bind(side.as_str())
    .bind(number)
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(StoreError::on("find who stays in a campaign without a file"))
}

/// Who is in one side only; `None` is a side that does not declare the campaign.
pub async fn moved(
    connection: &mut PgConnection,
    number: i32,
    base: Option<&Question<'_>>,
    head: Option<&Question<'_>>,
    samples: i64,
) -> Result<Vec<Moved>, StoreError> {
    let mut binds = Binds::default();
    let mut depth = |question: Option<&Question<'_>>| {
        question
            .and_then(|question| Some((question, question.segments.get(&question.campaign.segment)?)))
            .map_or_else(
                || "null::integer".to_owned(),
                |(question, segment)| {
                    let scope = crate::audience::Scope { segments: question.segments, as_of: question.as_of };
                    crate::audience::funnel(segment, &scope, &mut binds).depth
                },
            )
    };
    let (base, head) = (depth(base), depth(head));
    let number = binds.add(Bind::Int(i64::from(number)));
    let samples = binds.add(Bind::Int(samples));
    let text = include_str!("moved.sql")
        .replace("{base_depth}", &base)
        .replace("{head_depth}", &head)
        .replace("{number}", &format!("{number}::integer"))
        .replace("{samples}", &samples);
    sql::query_as_with(AssertSqlSafe(text), arguments(&binds).map_err(StoreError::on("bind a value"))?)
        .fetch_all(connection)
        .await
        .map_err(StoreError::on("compare the two audiences"))
}

/// Enrolled contacts whom the head updates, the base does not, and both keep.
pub async fn updated(connection: &mut PgConnection, number: i32) -> Result<i64, StoreError> {
    sql::query_scalar(
        "select count(*)
         from sides h
         join sides b using (campaign_number, employee_id)
         where campaign_number = $1 and h.side = 'head' and b.side = 'base'
           and h.is_in and b.is_in and h.updates and not b.updates",
    )
    .bind(number)
    .fetch_one(connection)
    .await
    .map_err(StoreError::on("count whose fields the change updates"))
}

impl Steps<'_> {
    /// Whom the campaign holds in the end. Those who wait for their day are in; those who are on their way, the
    /// same on both sides, are left out.
    fn side_tail(&self, binds: &mut Binds, side: Side) -> String {
        let number = self.number(binds);
        let deferred: Vec<String> = Skip::ALL
            .iter()
            .filter(|skip| skip.is_deferral())
            .map(|skip| format!("'{}'", skip.code()))
            .collect();
        format!(
            "insert into sides
select '{side}', {number}, n.employee_id, n.email, a.action is distinct from 'withdraw', true,
    coalesce(a.action = 'update', false), case when a.action = 'withdraw' then a.reason end
from outreach.enrollments n
left join actions a on a.employee_id = n.employee_id
where n.campaign_number = {number} and n.live
union all
select '{side}', {number}, employee_id, email, skip is null or skip in ({deferred}), false, false, skip
from admitted",
            side = side.as_str(),
            deferred = deferred.join(", "),
        )
    }
}
