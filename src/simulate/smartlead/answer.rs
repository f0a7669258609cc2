//! Requests and replies as values, and the request validation of the real service: one message, Joi's words.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A request, its path cut into segments below `/api/v1`.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: Vec<String>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) body: Value,
}

impl Request {
    pub(super) fn segments(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// A number of the query between two bounds, both allowed.
    pub(super) fn number(&self, name: &str, default: i64, least: i64, most: i64) -> Result<i64, Reply> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let number: i64 = text.parse().map_err(|_| Reply::invalid("query", name, "must be a number"))?;
        if number < least {
            return Err(Reply::invalid("query", name, &format!("must be greater than or equal to {least}")));
        }
        if number > most {
            return Err(Reply::invalid("query", name, &format!("must be less than or equal to {most}")));
        }
        Ok(number)
    }

    /// The body as an object with no key but these.
    pub(super) fn object(&self, allowed: &[&str]) -> Result<&Map<String, Value>, Reply> {
        fields(&self.body, "", allowed)
    }
}

/// The value as an object with no key but these; `path` is how messages name it.
pub(super) fn fields<'v>(
    value: &'v Value,
    path: &str,
    allowed: &[&str],
) -> Result<&'v Map<String, Value>, Reply> {
    let name = if path.is_empty() { "value" } else { path };
    let Some(object) = value.as_object() else {
        return Err(Reply::invalid("body", name, "must be of type object"));
    };
    match object.keys().find(|key| !allowed.contains(&key.as_str())) {
        Some(unknown) => {
            let full = if path.is_empty() { unknown.clone() } else { format!("{path}.{unknown}") };
            Err(Reply::invalid("body", &full, "is not allowed"))
        }
        None => Ok(object),
    }
}

/// A required text.
pub(super) fn required<'v>(object: &'v Map<String, Value>, name: &str, path: &str) -> Result<&'v str, Reply> {
    let full = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match object.get(name) {
        None => Err(Reply::invalid("body", &full, "is required")),
        Some(Value::String(text)) if text.is_empty() => {
            Err(Reply::invalid("body", &full, "is not allowed to be empty"))
        }
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Reply::invalid("body", &full, "must be a string")),
    }
}

/// A required list.
pub(super) fn list<'v>(object: &'v Map<String, Value>, name: &str) -> Result<&'v Vec<Value>, Reply> {
    match object.get(name) {
        None => Err(Reply::invalid("body", name, "is required")),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(Reply::invalid("body", name, "must be an array")),
    }
}

/// A list of ids.
pub(super) fn ids(object: &Map<String, Value>, name: &str) -> Result<Vec<i64>, Reply> {
    list(object, name)?
        .iter()
        .enumerate()
        .map(|(index, value)| {
            value
                .as_i64()
                .ok_or_else(|| Reply::invalid("body", &format!("{name}[{index}]"), "must be a number"))
        })
        .collect()
}

/// What goes back.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Body,
    pub(super) headers: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    Json(Value),
    Text(String),
}

impl Reply {
    pub(super) fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, body: Body::Json(body), headers: Vec::new() }
    }

    pub(super) fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, body: Body::Text(body.into()), headers: Vec::new() }
    }

    /// Request validation as it was seen on live accounts.
    pub(super) fn invalid(source: &str, key: &str, what: &str) -> Self {
        Self::json(
            400,
            json!({
                "message": format!("\"{key}\" {what}"),
                "validation": { "source": source, "keys": [key] },
            }),
        )
    }

    pub(super) fn no_campaign() -> Self {
        Self::json(404, json!({ "error": "Campaign not found - Invalid campaign_id." }))
    }

    pub(super) fn no_lead() -> Self {
        Self::json(404, json!({ "error": "Lead not found - Invalid lead_id." }))
    }

    /// A refusal in the course of business, which the real service sends as 500.
    pub(super) fn refused(why: &str) -> Self {
        Self::json(500, json!({ "error": why }))
    }
}
