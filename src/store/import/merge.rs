//! The two statements that write: new rows, and the rows that a file changes.
//!
//! Their text is made from the catalog's names and the database's own defaults, never from the file. An unset value
//! leaves what is stored alone; a row that changes nothing is not written.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::{Staged, Staging, table};
use crate::model::Entity;
use crate::store::{StoreError, sql};

/// What the delivery is called; written to the rows that it brings or changes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tags<'a> {
    pub session_key: Option<&'a str>,
    pub batch_id: Option<&'a str>,
}

/// What the import wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Merged {
    pub inserted: u64,
    pub updated: u64,
    /// Employees that were found by name and got another address.
    pub moved: u64,
}

/// Writes what was matched.
pub async fn merge(conn: &mut PgConnection, staging: &Staging, tags: Tags<'_>) -> Result<Merged, StoreError> {
    let moved: i64 = sql::query_scalar("select count(*) from pg_temp.import_matched where is_moved")
        .fetch_one(&mut *conn)
        .await
        .map_err(StoreError::on("count the changed addresses"))?;
    let mut run = async |text: String, action| {
        let mut query = sql::query(AssertSqlSafe(text)).bind(tags.session_key);
        if staging.entity == Entity::Company {
            query = query.bind(tags.batch_id);
        }
        query.execute(&mut *conn).await.map(|done| done.rows_affected()).map_err(StoreError::on(action))
    };
    let updated = match update(staging) {
        Some(text) => run(text, "update the rows that the file changes").await?,
        None => 0,
    };
    let inserted = run(insert(staging), "insert the new rows").await?;
    Ok(Merged { inserted, updated, moved: moved.unsigned_abs() })
}

/// Stops, which a file may set and never take back: a `false` in a list is no word from the contact.
const STOPS: [&str; 2] = ["reply_unsubscribe", "reply_bounce"];

/// A column of the table that takes something else than the file's value alone.
struct Extra {
    column: &'static str,
    /// For new rows: what it gets when the file says nothing.
    otherwise: &'static str,
    /// For changed rows.
    on_update: Option<&'static str>,
}

const fn extras(entity: Entity) -> &'static [Extra] {
    match entity {
        Entity::Company => &[
            Extra { column: "session_key", otherwise: "$1::text", on_update: Some("$1::text") },
            Extra { column: "batch_id", otherwise: "$2::text", on_update: Some("$2::text") },
        ],
        Entity::Employee => &[
            Extra { column: "company_id", otherwise: "m.company_id", on_update: None },
            Extra { column: "company_name", otherwise: "c.company_name", on_update: None },
            Extra { column: "company_session_key", otherwise: "c.session_key", on_update: None },
            Extra { column: "employee_session_key", otherwise: "$1::text", on_update: Some("$1::text") },
        ],
    }
}

fn extra(entity: Entity, column: &Staged) -> Option<&'static Extra> {
    extras(entity).iter().find(|extra| extra.column == column.name)
}

fn insert(staging: &Staging) -> String {
    let entity = staging.entity;
    let mut columns = Vec::new();
    let mut values = Vec::new();
    for extra in extras(entity) {
        columns.push(extra.column);
        let given = extra.column != "company_id" && staging.columns.iter().any(|c| c.name == extra.column);
        values.push(if given {
            format!("coalesce(s.{}, {})", extra.column, extra.otherwise)
        } else {
            extra.otherwise.to_owned()
        });
    }
    for column in staging.columns.iter().filter(|c| c.stored && extra(entity, c).is_none()) {
        columns.push(&column.name);
        values.push(match &column.default_value {
            Some(default) => format!("coalesce(s.{}, {default})", column.name),
            None => format!("s.{}", column.name),
        });
    }
    let company = match entity {
        Entity::Company => "",
        Entity::Employee => "join public.companies c on c.id = m.company_id",
    };
    format!(
        "insert into public.{} ({}) select {} from pg_temp.import_rows s \
         join pg_temp.import_matched m on m.line = s.line {company} where m.id is null{}",
        table(entity),
        columns.join(", "),
        values.join(", "),
        unused_binds(entity),
    )
}

/// `None` when the file has no column that a stored row could take.
fn update(staging: &Staging) -> Option<String> {
    let entity = staging.entity;
    let mut sets = Vec::new();
    let mut changes = Vec::new();
    for (place, column) in staging.columns.iter().enumerate() {
        if !column.stored || column.name == "company_id" {
            continue;
        }
        let name = &column.name;
        let value = |tag: &str| {
            let kept = if STOPS.contains(&name.as_str()) {
                format!("coalesce(s.{name} or t.{name}, s.{name}, t.{name})")
            } else {
                format!("coalesce(s.{name}{tag}, t.{name})")
            };
            if staging.clears {
                format!("case when s.cleared & {} <> 0 then null else {kept} end", 1_i64 << place)
            } else {
                kept
            }
        };
        // The delivery's name alone is no change.
        changes.push(format!("{} is distinct from t.{name}", value("")));
        let tag = extra(entity, column).and_then(|extra| extra.on_update).map(|tag| format!(", {tag}"));
        sets.push(format!("{name} = {}", value(&tag.unwrap_or_default())));
    }
    if sets.is_empty() {
        return None;
    }
    for extra in extras(entity) {
        if let Some(value) = extra.on_update
            && !staging.columns.iter().any(|c| c.name == extra.column)
        {
            sets.push(format!("{0} = coalesce({value}, t.{0})", extra.column));
        }
    }
    Some(format!(
        "update public.{} t set {} from pg_temp.import_rows s join pg_temp.import_matched m on m.line = s.line \
         where t.id = m.id and ({}){}",
        table(entity),
        sets.join(", "),
        changes.join(" or "),
        unused_binds(entity),
    ))
}

/// Names every bind, for a file with columns of its own in their place.
const fn unused_binds(entity: Entity) -> &'static str {
    match entity {
        Entity::Company => " and ($1::text is null or true) and ($2::text is null or true)",
        Entity::Employee => " and ($1::text is null or true)",
    }
}
