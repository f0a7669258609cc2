//! `segments/*.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::manifest::schema;
use crate::model::Expect;

/// Who qualifies: a rule over contacts (an employee with its company).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["segment", "where"]))]
#[schemars(title = "Segment")]
pub(in crate::manifest) struct RawSegment {
    /// The segment's name, by which campaigns and other segments refer to it.
    #[schemars(schema_with = "schema::name")]
    pub segment: Option<String>,
    /// What the segment is for, in a sentence.
    pub description: Option<String>,
    /// The rule. Several keys in one clause must all hold.
    #[serde(rename = "where")]
    #[schemars(schema_with = "schema::rule")]
    pub rule: Option<Value>,
    /// Who comes first when limits leave room for some only.
    #[schemars(schema_with = "schema::order_by")]
    pub order_by: Vec<Map<String, Value>>,
    /// At most this many contacts of one company.
    #[schemars(range(min = 1))]
    pub per_company: Option<u32>,
    /// At most this many contacts.
    #[schemars(range(min = 1))]
    pub limit: Option<u32>,
    /// Made-up contacts that test the rule: run by `outreachd validate --database`.
    #[schemars(length(max = 100))]
    pub examples: Vec<RawExample>,
}

/// A made-up contact, and whether the rule lets it in.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["expect"]))]
pub(in crate::manifest) struct RawExample {
    /// Whether the contact is in the segment.
    pub expect: Option<Expect>,
    /// For `expect: out`: the field whose clause is the first that does not hold.
    #[schemars(schema_with = "schema::field_name")]
    pub because: Option<String>,
    /// Columns of the company; all others are unset.
    #[schemars(schema_with = "schema::company_columns")]
    pub company: Map<String, Value>,
    /// Columns of the employee; all others are unset.
    #[schemars(schema_with = "schema::employee_columns")]
    pub employee: Map<String, Value>,
}
