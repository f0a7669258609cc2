//! LeadMagic's answers as they come, in every shape that is documented. Pure.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::model::{AddressStatus, EnrichStep, is_address, normalize_address};

/// What an answer says.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Credits, where the answer tells them.
    pub charged: Option<Decimal>,
    /// Of a validation, and of an address that was found.
    pub status: Option<AddressStatus>,
    /// The address that was found.
    pub email: Option<String>,
    pub company: Option<CompanyFacts>,
    /// What is kept of it.
    pub kept: Value,
}

/// Facts of a company; what is not known is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompanyFacts {
    pub website: Option<String>,
    pub description: Option<String>,
    pub region: Option<String>,
    pub employees: Option<i32>,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatus {
    Working,
    /// For want of credits, or by hand.
    Paused,
    /// Nothing more will come.
    Over,
}

/// A job in the account's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSeen {
    pub id: String,
    pub rows: Option<i64>,
}

/// One row of a job: its place, what was asked, and the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub index: i64,
    pub asked: Value,
    pub answer: Value,
}

/// The first of these that is there and not null.
fn first<'v>(value: &'v Value, names: &[&str]) -> Option<&'v Value> {
    names.iter().filter_map(|name| value.get(*name)).find(|value| !value.is_null())
}

fn text(value: &Value, names: &[&str]) -> Option<String> {
    let text = first(value, names)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A number, or one in quotes.
pub(super) fn number(value: Option<&Value>) -> Option<Decimal> {
    match value? {
        Value::Number(number) => number.to_string().parse().ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The sentence of an error.
pub(super) fn message(body: &Value) -> Option<String> {
    let inside = body.get("errors").and_then(|errors| errors.get(0)).unwrap_or(body);
    text(inside, &["detail", "title", "message", "error"])
        .map(|said| crate::model::printable(&said).chars().take(200).collect())
}

fn status(text: &str, catch_all: bool) -> Option<AddressStatus> {
    Some(match text.to_lowercase().as_str() {
        "valid" if catch_all => AddressStatus::ValidCatchAll,
        "valid" => AddressStatus::Valid,
        "valid_catch_all" => AddressStatus::ValidCatchAll,
        "catch_all" => AddressStatus::CatchAll,
        "unknown" => AddressStatus::Unknown,
        "invalid" => AddressStatus::Invalid,
        _ => return None,
    })
}

/// Reads the answer to one question; `None` when it says nothing that is known.
pub(super) fn said(step: EnrichStep, answer: &Value) -> Option<Said> {
    let charged =
        number(first(answer, &["credits_consumed", "creditsConsumed"])).filter(|n| !n.is_sign_negative());
    let catch_all = first(answer, &["is_domain_catch_all"]).and_then(Value::as_bool).unwrap_or(false);
    let word = text(answer, &["email_status", "status"]);
    let nothing = Said { charged, status: None, email: None, company: None, kept: json!({}) };
    match step {
        EnrichStep::Validate => {
            let status = status(&word?, catch_all)?;
            let mx = text(answer, &["mx_provider"]);
            Some(Said {
                status: Some(status),
                kept: json!({ "status": status, "mx_provider": mx }),
                ..nothing
            })
        }
        EnrichStep::Find => {
            let found = text(answer, &["email"]).map(|email| normalize_address(&email));
            let found = found.filter(|email| is_address(email));
            // An answer without an address and without a word is none.
            if found.is_none() && word.is_none() && !answer.as_object()?.contains_key("email") {
                return None;
            }
            let status = found
                .as_ref()
                .map(|_| word.and_then(|word| status(&word, catch_all)).unwrap_or(AddressStatus::Valid));
            Some(Said {
                status,
                email: found.clone(),
                kept: json!({ "email": found, "status": status }),
                ..nothing
            })
        }
        EnrichStep::Company => {
            let answer = answer.as_object().map(|_| answer)?;
            let name = text(answer, &["company_name", "companyName", "name"]);
            let employees = number(first(answer, &["employee_count", "employeeCount"]))
                .and_then(|count| i32::try_from(count.trunc()).ok())
                .filter(|count| *count > 0);
            let place = first(answer, &["headquarters", "company_location", "location"])
                .or_else(|| answer.get("locations").and_then(|list| list.get(0)));
            let facts = CompanyFacts {
                website: text(answer, &["website_url", "websiteUrl", "website"]),
                description: text(answer, &["description", "company_description", "tagline"]),
                region: place.and_then(|place| text(place, &["region", "state", "city"])),
                employees,
            };
            if name.is_none() && text(answer, &["message", "status"]).is_none() {
                return None;
            }
            let kept = json!({
                "company_name": name,
                "industry": text(answer, &["industry", "company_industry"]),
                "website": facts.website,
                "description": facts.description,
                "region": facts.region,
                "employee_count": facts.employees,
            });
            Some(Said { company: name.map(|_| facts), kept, ..nothing })
        }
    }
}

/// The name of a job in the answer to its submission.
pub(super) fn job_id(answer: &Value) -> Option<String> {
    let inside = first(answer, &["job", "data"]).unwrap_or(answer);
    [inside, answer].into_iter().find_map(|value| match first(value, &["job_id", "jobId", "id"])? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

fn list<'v>(answer: &'v Value, names: &[&str]) -> &'v [Value] {
    let list = answer.as_array().or_else(|| first(answer, names)?.as_array());
    list.map_or(&[], Vec::as_slice)
}

pub(super) fn jobs(answer: &Value) -> Vec<JobSeen> {
    list(answer, &["jobs", "data", "rows"])
        .iter()
        .filter_map(|job| {
            let rows = number(first(job, &["total_rows", "totalRows", "rows_total", "total"]));
            Some(JobSeen { id: job_id(job)?, rows: rows.and_then(|rows| i64::try_from(rows).ok()) })
        })
        .collect()
}

pub(super) fn job_status(answer: &Value) -> JobStatus {
    let inside = first(answer, &["job", "data"]).unwrap_or(answer);
    match text(inside, &["status", "state"]).unwrap_or_default().to_lowercase().as_str() {
        "completed" | "complete" | "done" | "finished" | "failed" | "cancelled" | "canceled" => {
            JobStatus::Over
        }
        "paused" => JobStatus::Paused,
        _ => JobStatus::Working,
    }
}

/// Rows that say where they belong; others are of no use.
pub(super) fn rows(answer: &Value) -> Vec<Row> {
    list(answer, &["rows", "data", "results"])
        .iter()
        .filter_map(|row| {
            let index = first(row, &["row_index", "rowIndex"]).and_then(|index| number(Some(index)))?;
            Some(Row {
                index: i64::try_from(index).ok()?,
                asked: first(row, &["lm_input", "input"]).cloned().unwrap_or_default(),
                answer: first(row, &["lm_output", "output", "result", "data"]).unwrap_or(row).clone(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_shape_of_a_validation_is_read() {
        for (answer, status, charged) in [
            (json!({ "email_status": "valid", "credits_consumed": 0.25 }), "valid", Some("0.25")),
            (json!({ "status": "invalid", "credits_consumed": "0.05" }), "invalid", Some("0.05")),
            (json!({ "email_status": "catch_all" }), "catch_all", None),
            (json!({ "email_status": "valid", "is_domain_catch_all": true }), "valid_catch_all", None),
            (json!({ "email_status": "unknown", "credits_consumed": 0 }), "unknown", Some("0")),
        ] {
            let said = said(EnrichStep::Validate, &answer).unwrap();
            assert_eq!(said.status.unwrap().as_str(), status);
            assert_eq!(said.charged, charged.map(|text| text.parse().unwrap()));
        }
        assert_eq!(said(EnrichStep::Validate, &json!({ "email_status": "fine" })), None);
    }

    #[test]
    fn a_find_is_an_address_or_a_miss() {
        let find = |answer| said(EnrichStep::Find, &answer);
        let hit = find(json!({ "email": "Anna@Acme.example", "status": "valid_catch_all" })).unwrap();
        assert_eq!(
            (hit.email.as_deref(), hit.status),
            (Some("anna@acme.example"), Some(AddressStatus::ValidCatchAll))
        );
        for miss in [
            json!({ "email": null, "status": "not_found" }),
            json!({ "email": null }),
            json!({ "email": "x" }),
        ] {
            let said = find(miss).unwrap();
            assert_eq!((said.email, said.status), (None, None));
        }
        assert_eq!(find(json!({ "message": "hello" })), None);
    }

    #[test]
    fn companies_are_read_in_both_spellings() {
        let snake = json!({ "company_name": "Acme", "employee_count": 12, "website_url": "https://acme.example",
            "locations": [{ "city": "Bonn" }] });
        let camel = json!({ "companyName": "Acme", "employeeCount": "12", "websiteUrl": "https://acme.example",
            "headquarters": { "city": "Bonn" } });
        let read = |answer| said(EnrichStep::Company, &answer).unwrap().company.unwrap();
        assert_eq!(read(snake.clone()), read(camel));
        assert_eq!(read(snake).employees, Some(12));
        let miss =
            said(EnrichStep::Company, &json!({ "message": "Company not found", "credits_consumed": 0 }));
        assert_eq!(miss.unwrap().company, None);
    }

    #[test]
    fn rows_say_where_they_belong() {
        let page = json!({ "rows": [
            { "row_index": 3, "lm_input": { "email": "a@b.co" }, "email_status": "valid" },
            { "row_index": "1", "input": {}, "output": { "email_status": "invalid" } },
            { "email_status": "valid" },
        ] });
        let rows = rows(&page);
        assert_eq!(rows.iter().map(|row| row.index).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(rows[1].answer, json!({ "email_status": "invalid" }));
        assert_eq!(job_id(&json!({ "job": { "id": 7 } })).as_deref(), Some("7"));
        assert_eq!(job_id(&json!({ "job_id": "j1" })).as_deref(), Some("j1"));
    }
}
