//! Which columns a file has, and what becomes of each.
//!
//! Knows the catalog and the header, never a row.

use std::collections::HashMap;

use super::value::{REGISTRATION_NUMBER, Shape, TIN};
use crate::model::{Entity, FIELDS};
use crate::store::import::{Staged, Staging, TargetColumn};

/// Columns of a rejects file, which say why a row was refused and are passed over when it comes back.
pub(super) const REJECT_COLUMNS: [&str; 3] = ["_line", "_column", "_reason"];

/// Written by the database or by outreachd itself.
const NEVER_IMPORTED: [&str; 3] = ["id", "created_at", "updated_at"];

/// Rows are found by these, or they stop mails.
const NEVER_CLEARED: [&str; 8] = [
    "company_name",
    "tin",
    "registration_number",
    "company_id",
    "full_name",
    "work_email",
    "reply_unsubscribe",
    "reply_bounce",
];

/// A column whose values are taken.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub name: &'static str,
    pub shape: Shape,
    pub max_chars: Option<usize>,
    /// Whether an explicit null may erase what is stored.
    pub clearable: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub entity: Entity,
    pub taken: Vec<Column>,
    /// For each cell of a CSV record the column in `taken`; `None` where it is passed over.
    pub cells: Vec<Option<usize>>,
    /// JSON Lines have no header: every row names its columns.
    by_name: Option<HashMap<&'static str, usize>>,
}

impl Columns {
    /// The columns of a CSV header, or what is wrong with it.
    pub(super) fn of_header(entity: Entity, header: &[String]) -> Result<Self, String> {
        let known = known(entity);
        let mut taken: Vec<Column> = Vec::new();
        let mut cells = Vec::new();
        let mut unknown = Vec::new();
        for cell in header {
            let name = normalize(cell);
            if REJECT_COLUMNS.contains(&name.as_str()) {
                cells.push(None);
                continue;
            }
            match known.iter().find(|column| column.name == name) {
                Some(column) if taken.iter().any(|other| other.name == column.name) => {
                    return Err(format!("its header names the column `{}` twice", column.name));
                }
                Some(column) => {
                    cells.push(Some(taken.len()));
                    taken.push(column.clone());
                }
                None => unknown.push(cell.as_str()),
            }
        }
        if !unknown.is_empty() {
            let problem = no_such_columns(entity, &unknown);
            return Err(format!("its header {problem}; columns are {}", list_columns(entity)));
        }
        let columns = Self { entity, taken, cells, by_name: None };
        columns.check_required().map_err(|problem| format!("its header {problem}"))?;
        Ok(columns)
    }

    /// Every column that an import takes, for JSON Lines.
    pub(super) fn all(entity: Entity) -> Self {
        let taken = known(entity);
        let by_name = taken.iter().enumerate().map(|(place, column)| (column.name, place)).collect();
        Self { entity, taken, cells: Vec::new(), by_name: Some(by_name) }
    }

    /// The place in `taken` of a JSON key.
    pub(super) fn place(&self, key: &str) -> Option<usize> {
        let by_name = self.by_name.as_ref()?;
        by_name.get(key).or_else(|| by_name.get(normalize(key).as_str())).copied()
    }

    pub(super) const fn is_json(&self) -> bool {
        self.by_name.is_some()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.taken.iter().any(|column| column.name == name)
    }

    fn check_required(&self) -> Result<(), String> {
        for group in required(self.entity) {
            if !group.iter().any(|name| self.has(name)) {
                return Err(format!("lacks {}", group.join(" or ")));
            }
        }
        Ok(())
    }

    /// Takes over what the database says of the columns; the error lists those that it does not have.
    pub(super) fn fit(&mut self, target: &[TargetColumn]) -> Result<(), String> {
        let mut missing = Vec::new();
        for column in &mut self.taken {
            if is_reference(self.entity, column.name) {
                continue;
            }
            match target.iter().find(|stored| stored.name == column.name) {
                Some(stored) => {
                    column.max_chars = stored.max_chars.and_then(|chars| usize::try_from(chars).ok());
                    column.clearable &= !stored.is_required;
                }
                None => missing.push(column.name),
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(missing.join(", ")) }
    }

    pub(super) fn staging(&self, target: &[TargetColumn]) -> Staging {
        let columns = self
            .taken
            .iter()
            .map(|column| {
                let stored = target.iter().find(|stored| stored.name == column.name);
                Staged {
                    name: column.name.to_owned(),
                    type_name: stored.map_or_else(|| "text".to_owned(), |stored| stored.type_name.clone()),
                    stored: stored.is_some(),
                    default_value: stored.and_then(|stored| stored.default_value.clone()),
                }
            })
            .collect();
        Staging { entity: self.entity, columns, clears: self.is_json() }
    }
}

/// What a row must have: one of each group.
pub(super) const fn required(entity: Entity) -> &'static [&'static [&'static str]] {
    match entity {
        Entity::Company => &[&["tin", "registration_number"]],
        Entity::Employee => {
            &[&["company_tin", "company_registration_number", "company_id"], &["full_name", "work_email"]]
        }
    }
}

/// Columns by which an employee's company is found.
fn is_reference(entity: Entity, name: &str) -> bool {
    entity == Entity::Employee && matches!(name, "company_tin" | "company_registration_number")
}

fn known(entity: Entity) -> Vec<Column> {
    let reference = |name, shape| Column { name, shape, max_chars: None, clearable: false };
    let mut columns = match entity {
        Entity::Company => Vec::new(),
        Entity::Employee => {
            vec![reference("company_tin", TIN), reference("company_registration_number", REGISTRATION_NUMBER)]
        }
    };
    let fields =
        FIELDS.iter().filter(|field| field.entity == entity && !NEVER_IMPORTED.contains(&field.column));
    columns.extend(fields.map(|field| Column {
        name: field.column,
        shape: Shape::of(field),
        max_chars: None,
        clearable: !NEVER_CLEARED.contains(&field.column),
    }));
    columns
}

/// `Company Name ` is `company_name`.
fn normalize(name: &str) -> String {
    name.trim()
        .to_lowercase()
        .split([' ', '-', '\u{a0}'])
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("_")
}

/// Says of unknown columns what was probably meant.
pub(super) fn no_such_columns(entity: Entity, unknown: &[&str]) -> String {
    let known = known(entity);
    let advised: Vec<String> = unknown
        .iter()
        .take(10)
        .map(|cell| {
            let name = normalize(cell);
            let shown: String = cell.chars().take(60).collect();
            if NEVER_IMPORTED.contains(&name.as_str()) {
                format!("`{shown}` (the database gives it)")
            } else if let Some(meant) = closest(&name, &known) {
                format!("`{shown}` (did you mean `{meant}`?)")
            } else {
                format!("`{shown}`")
            }
        })
        .collect();
    let more = unknown.len().saturating_sub(advised.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("names what is no column of an import: {}{more}", advised.join(", "))
}

/// All columns, for people who look for the right one.
fn list_columns(entity: Entity) -> String {
    known(entity).iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

fn closest(name: &str, known: &[Column]) -> Option<&'static str> {
    let distance = |column: &Column| strsim::jaro_winkler(name, column.name);
    known
        .iter()
        .max_by(|a, b| distance(a).total_cmp(&distance(b)))
        .filter(|column| distance(column) > 0.8)
        .map(|column| column.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(entity: Entity, names: &[&str]) -> Result<Columns, String> {
        Columns::of_header(entity, &names.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn headers_are_tolerant_of_case_and_spaces_only() {
        let columns = header(Entity::Company, &["_line", " TIN ", "Company Name"]).unwrap();
        assert_eq!(columns.cells, [None, Some(0), Some(1)]);
        let refused = header(Entity::Company, &["tin", "revenu", "id"]).unwrap_err();
        assert!(refused.contains("`revenu` (did you mean `revenue`?)"), "{refused}");
        assert!(refused.contains("`id` (the database gives it)"), "{refused}");
        assert!(header(Entity::Company, &["tin", "TIN"]).unwrap_err().contains("twice"));
        assert!(
            header(Entity::Company, &["company_name"]).unwrap_err().contains("tin or registration_number")
        );
        assert!(header(Entity::Employee, &["company_tin"]).unwrap_err().contains("full_name or work_email"));
    }

    #[test]
    fn every_column_fits_the_bits_of_a_row() {
        for entity in [Entity::Company, Entity::Employee] {
            assert!(Columns::all(entity).taken.len() <= 63);
        }
    }
}
