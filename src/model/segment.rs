//! A segment: the declared rule that says which contacts qualify, and how many of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::catalog::FieldRef;
use super::rule::Rule;

/// One sort key; unset values come last either way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    pub field: FieldRef,
    pub descending: bool,
}

/// What an example claims about its contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    In,
    Out,
}

/// A made-up contact and whether the rule lets it in: a test of the rule, run on the database.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    pub expect: Expect,
    /// The field whose clause is expected to be the first false one.
    pub because: Option<FieldRef>,
    /// Column values of the company; everything else is unset.
    pub company: Map<String, Value>,
    /// Column values of the employee; everything else is unset.
    pub employee: Map<String, Value>,
    /// JSON pointer in the file, for diagnostics.
    #[serde(skip)]
    pub at: String,
}

/// A declared audience rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Segment {
    pub name: String,
    #[serde(skip)]
    pub description: Option<String>,
    pub rule: Rule,
    pub order_by: Vec<Order>,
    pub per_company: Option<u32>,
    pub limit: Option<u32>,
    #[serde(skip)]
    pub examples: Vec<Example>,
    /// Path of the declaring file below the project folder.
    #[serde(skip)]
    pub file: String,
}
