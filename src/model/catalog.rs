//! The columns that rules, fields and imports may name: the three reference tables' contact side.
//!
//! The single list: SQL text, JSON Schemas, "did you mean" and import columns are all made from it.

use std::fmt;

/// Which of the two tables a field is a column of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entity {
    Company,
    Employee,
}

impl Entity {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Company => "company",
            Self::Employee => "employee",
        }
    }
}

/// What a column holds; decides which operators apply and how values are bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Text,
    Bool,
    Int,
    Decimal,
    Date,
    Timestamp,
    TextArray,
    Json,
    Uuid,
}

impl Kind {
    /// The word for people and for schemas.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Bool => "boolean",
            Self::Int => "integer",
            Self::Decimal => "number",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::TextArray => "list of text",
            Self::Json => "json",
            Self::Uuid => "uuid",
        }
    }
}

/// One column.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Field {
    pub entity: Entity,
    pub column: &'static str,
    pub kind: Kind,
    /// The values a check constraint admits; empty when any will do.
    pub allowed: &'static [&'static str],
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.entity.as_str(), self.column)
    }
}

impl serde::Serialize for Field {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A column, or a value inside a json column: `employee.ai_research_data.persona`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldRef {
    pub field: &'static Field,
    /// Keys into the json document; empty unless the field is [`Kind::Json`].
    pub path: Vec<String>,
}

impl FieldRef {
    /// Reads `entity.column` or `entity.json_column.key.key`.
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.splitn(3, '.');
        let head = format!("{}.{}", parts.next()?, parts.next()?);
        let field = field(&head)?;
        let path: Vec<String> =
            parts.next().map_or_else(Vec::new, |rest| rest.split('.').map(ToOwned::to_owned).collect());
        let fits = path.is_empty() || field.kind == Kind::Json;
        (fits && path.iter().all(|key| !key.is_empty())).then_some(Self { field, path })
    }
}

impl fmt::Display for FieldRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.field)?;
        self.path.iter().try_for_each(|key| write!(f, ".{key}"))
    }
}

impl serde::Serialize for FieldRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `employees.test_status`, as the reference constrains it.
pub const TEST_STATUSES: &[&str] =
    &["Начато", "Идет", "Завершено:Успех", "Завершено:Неудача", "Завершено:Требуется доработка"];
/// `companies.office_qualification`, as the reference constrains it.
pub const OFFICE_QUALIFICATIONS: &[&str] = &["More", "Less"];
/// `employees.outreach_type`, as the reference constrains it.
pub const OUTREACH_TYPES: &[&str] = &["marketing", "sales"];

/// What a campaign's `write_back` may set beside the four columns that every campaign writes.
pub const WRITABLE_FIELDS: &[&str] =
    &["employee.processing_status", "employee.client_status", "company.status", "company.processing_status"];

const fn plain(entity: Entity, column: &'static str, kind: Kind) -> Field {
    Field { entity, column, kind, allowed: &[] }
}

const fn one_of(entity: Entity, column: &'static str, allowed: &'static [&'static str]) -> Field {
    Field { entity, column, kind: Kind::Text, allowed }
}

use Entity::{Company, Employee};

/// Every field, companies first, in the order of the reference.
pub static FIELDS: &[Field] = &[
    plain(Company, "id", Kind::Uuid),
    plain(Company, "company_name", Kind::Text),
    plain(Company, "tin", Kind::Text),
    plain(Company, "registration_number", Kind::Text),
    plain(Company, "registration_date", Kind::Date),
    plain(Company, "region", Kind::Text),
    plain(Company, "status", Kind::Text),
    plain(Company, "segment", Kind::Text),
    plain(Company, "source", Kind::Text),
    plain(Company, "sme_registry", Kind::Bool),
    one_of(Company, "office_qualification", OFFICE_QUALIFICATIONS),
    plain(Company, "revenue", Kind::Decimal),
    plain(Company, "balance", Kind::Decimal),
    plain(Company, "net_profit_loss", Kind::Decimal),
    plain(Company, "employee_count", Kind::Int),
    plain(Company, "ceo_name", Kind::Text),
    plain(Company, "ceo_position", Kind::Text),
    plain(Company, "primary_email", Kind::Text),
    plain(Company, "all_company_emails", Kind::TextArray),
    plain(Company, "website", Kind::Text),
    plain(Company, "company_description", Kind::Text),
    plain(Company, "company_research", Kind::Text),
    plain(Company, "session_key", Kind::Text),
    plain(Company, "batch_id", Kind::Text),
    plain(Company, "workflow_execution_id", Kind::Text),
    plain(Company, "processing_status", Kind::Text),
    plain(Company, "created_at", Kind::Timestamp),
    plain(Company, "updated_at", Kind::Timestamp),
    plain(Employee, "id", Kind::Uuid),
    plain(Employee, "company_id", Kind::Uuid),
    plain(Employee, "company_name", Kind::Text),
    plain(Employee, "full_name", Kind::Text),
    plain(Employee, "first_name", Kind::Text),
    plain(Employee, "last_name", Kind::Text),
    plain(Employee, "middle_name", Kind::Text),
    plain(Employee, "position", Kind::Text),
    plain(Employee, "work_email", Kind::Text),
    plain(Employee, "generic_email", Kind::Text),
    plain(Employee, "phone_numbers", Kind::TextArray),
    plain(Employee, "source_urls", Kind::TextArray),
    plain(Employee, "outreach_sent_date", Kind::Timestamp),
    one_of(Employee, "outreach_type", OUTREACH_TYPES),
    plain(Employee, "campaign_number", Kind::Int),
    plain(Employee, "campaign_status", Kind::Text),
    plain(Employee, "reply_unsubscribe", Kind::Bool),
    plain(Employee, "reply_info_request", Kind::Bool),
    plain(Employee, "reply_bounce", Kind::Bool),
    plain(Employee, "client_status", Kind::Text),
    plain(Employee, "test_date", Kind::Timestamp),
    one_of(Employee, "test_status", TEST_STATUSES),
    plain(Employee, "company_session_key", Kind::Text),
    plain(Employee, "employee_session_key", Kind::Text),
    plain(Employee, "processing_status", Kind::Text),
    plain(Employee, "source_service", Kind::Text),
    plain(Employee, "ai_research_data", Kind::Json),
    plain(Employee, "created_at", Kind::Timestamp),
    plain(Employee, "updated_at", Kind::Timestamp),
];

/// The field of that full name (`company.segment`).
pub fn field(name: &str) -> Option<&'static Field> {
    let (entity, column) = name.split_once('.')?;
    FIELDS.iter().find(|field| field.entity.as_str() == entity && field.column == column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_exist_only_inside_json() {
        let path = FieldRef::parse("employee.ai_research_data.persona").unwrap();
        assert_eq!(path.to_string(), "employee.ai_research_data.persona");
        assert!(FieldRef::parse("company.segment").is_some());
        for bad in ["company", "company.nope", "company.segment.x", "employee.ai_research_data.", "x.segment"]
        {
            assert!(FieldRef::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn names_are_unique_and_writable_fields_exist() {
        let mut names: Vec<String> = FIELDS.iter().map(ToString::to_string).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), FIELDS.len());
        assert!(WRITABLE_FIELDS.iter().all(|name| field(name).is_some()));
    }
}
