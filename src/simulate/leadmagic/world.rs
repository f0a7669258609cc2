//! What the stand-in holds: one account with its credits, its jobs, and what it knows of addresses by seed.
//!
//! Nothing here speaks HTTP. Every charge is made in one place, so that credits are counted exactly.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::readings::{Names, Prices, Readings, StatusField, Statuses};
use crate::simulate::smartlead::faults::{Dice, throw_of};

/// What is sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Product {
    EmailValidation,
    EmailFinder,
    CompanyFinder,
}

impl Product {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "email_validation" => Self::EmailValidation,
            "email_finder" => Self::EmailFinder,
            "company_finder" => Self::CompanyFinder,
            _ => return None,
        })
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::EmailValidation => "email_validation",
            Self::EmailFinder => "email_finder",
            Self::CompanyFinder => "company_finder",
        }
    }
}

/// A call, as it came.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) at_ms: i64,
    /// 0 when it was never answered.
    pub(super) status: u16,
    pub(super) fault: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) credits: Decimal,
    pub(super) spent: Decimal,
    pub(super) readings: Readings,
    pub(super) dice: Dice,
    pub(super) jobs: BTreeMap<String, super::jobs::Job>,
    pub(super) next_job: u64,
    /// How often each question was answered, whether that cost or not.
    pub(super) answered: BTreeMap<String, u64>,
    /// How often each question was charged for.
    pub(super) charged: BTreeMap<String, u64>,
    pub(super) calls: Vec<Call>,
    /// Looks at a job that came too soon after each other.
    pub(super) hasty: u64,
    pub(super) now: DateTime<Utc>,
}

/// Why nothing comes of a question.
pub(super) enum Refusal {
    /// The row holds no question.
    Malformed(&'static str),
    NoCredits,
}

impl World {
    pub(super) fn new(seed: u64, credits: Decimal, readings: Readings, now: DateTime<Utc>) -> Self {
        Self {
            seed,
            credits,
            spent: Decimal::ZERO,
            readings,
            dice: Dice(seed),
            jobs: BTreeMap::new(),
            next_job: 1,
            answered: BTreeMap::new(),
            charged: BTreeMap::new(),
            calls: Vec::new(),
            hasty: 0,
            now,
        }
    }

    fn price(&self, product: Product) -> Decimal {
        match (product, self.readings.prices) {
            (Product::EmailValidation, Prices::Newer) => Decimal::new(25, 2),
            (Product::EmailValidation, Prices::Older) => Decimal::new(5, 2),
            _ => Decimal::ONE,
        }
    }

    /// Answers one question and charges for it.
    pub(super) fn answer(&mut self, product: Product, asked: &Value) -> Result<Value, Refusal> {
        let (question, mut answer, costs) = match product {
            Product::EmailValidation => self.validation(asked)?,
            Product::EmailFinder => self.find(asked)?,
            Product::CompanyFinder => self.company(asked)?,
        };
        let price = if costs { self.price(product) } else { Decimal::ZERO };
        // An account without the price of an answer does not get to hear it.
        if self.credits < self.price(product) {
            return Err(Refusal::NoCredits);
        }
        self.credits -= price;
        self.spent += price;
        let key = format!("{}:{question}", product.as_str());
        if costs {
            *self.charged.entry(key.clone()).or_default() += 1;
        }
        *self.answered.entry(key).or_default() += 1;
        let number = price.to_string().parse::<f64>().unwrap_or_default();
        answer.insert("credits_consumed".to_owned(), json!(number));
        Ok(Value::Object(answer))
    }

    fn validation(&self, asked: &Value) -> Result<(String, Map<String, Value>, bool), Refusal> {
        let email = text(asked, &["email"]).ok_or(Refusal::Malformed("email is required"))?;
        let email = email.to_lowercase();
        let status = self.status_of(&email);
        let catch_all = status.ends_with("catch_all");
        let shown = match (self.readings.statuses, status) {
            (Statuses::Newer, "valid_catch_all") => "valid",
            (Statuses::Newer, "catch_all") => "unknown",
            (_, status) => status,
        };
        let field = match self.readings.field {
            StatusField::EmailStatus => "email_status",
            StatusField::Status => "status",
        };
        let mut answer = object(json!({
            "email": email,
            "message": format!("Email is {shown}."),
            "is_domain_catch_all": catch_all,
            "mx_record": "mx.acme.example",
            "mx_provider": "Acme",
            "company_name": null,
        }));
        answer.insert(field.to_owned(), json!(shown));
        // What could not be concluded is free in every version.
        let costs = ["valid", "valid_catch_all", "invalid"].contains(&status);
        Ok((email, answer, costs))
    }

    /// What an address really is: by seed, or as its first letters say.
    fn status_of(&self, email: &str) -> &'static str {
        for (start, status) in [
            ("alive", "valid"),
            ("dead", "invalid"),
            ("all.", "catch_all"),
            ("any.", "valid_catch_all"),
            ("who.", "unknown"),
        ] {
            if email.starts_with(start) {
                return status;
            }
        }
        match throw_of(self.seed, email) {
            0..7000 => "valid",
            7000..7800 => "invalid",
            7800..8500 => "valid_catch_all",
            8500..9200 => "catch_all",
            _ => "unknown",
        }
    }

    fn find(&self, asked: &Value) -> Result<(String, Map<String, Value>, bool), Refusal> {
        let name = match (text(asked, &["first_name", "firstName"]), text(asked, &["last_name", "lastName"]))
        {
            (Some(first), Some(last)) => format!("{first} {last}"),
            _ => text(asked, &["full_name", "fullName"]).ok_or(Refusal::Malformed("a name is required"))?,
        };
        let company = text(asked, &["domain", "company_domain", "website", "company_name", "companyName"])
            .ok_or(Refusal::Malformed("a company is required"))?;
        let question = format!("{name}|{company}").to_lowercase();
        let hit = throw_of(self.seed, &question) < 7000;
        let domain = if company.contains('.') {
            company.to_lowercase()
        } else {
            format!("{}.example", company.to_lowercase().replace(' ', "-"))
        };
        let email = format!("{}@{domain}", name.to_lowercase().replace(' ', "."));
        let answer = object(json!({
            "email": hit.then_some(email),
            "status": if hit { "valid" } else { "not_found" },
            "message": if hit { "Email found." } else { "Email not found." },
            "domain": domain,
            "has_mx": true,
        }));
        Ok((question, answer, hit))
    }

    fn company(&self, asked: &Value) -> Result<(String, Map<String, Value>, bool), Refusal> {
        let question = text(asked, &["company_domain", "company_name", "profile_url"])
            .ok_or(Refusal::Malformed("a company is required"))?
            .to_lowercase();
        let throw = throw_of(self.seed, &question);
        if throw >= 7500 {
            return Ok((question, object(json!({ "message": "Company not found." })), false));
        }
        let website = if question.contains('.') {
            format!("https://{question}")
        } else {
            "https://found.example".to_owned()
        };
        let answer = match self.readings.names {
            Names::Snake => json!({
                "company_name": question, "company_id": throw, "industry": "Software", "employee_count": throw % 500 + 1,
                "website_url": website, "description": format!("What {question} does."),
                "locations": [{ "city": "Bonn", "country": "Germany" }],
            }),
            Names::Camel => json!({
                "companyName": question, "companyId": throw, "industry": "Software", "employeeCount": throw % 500 + 1,
                "websiteUrl": website, "description": format!("What {question} does."),
                "headquarters": { "city": "Bonn", "country": "Germany" },
            }),
        };
        Ok((question, object(answer), true))
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The first of these fields that holds text.
fn text(asked: &Value, names: &[&str]) -> Option<String> {
    names
        .iter()
        .filter_map(|name| asked.get(*name)?.as_str())
        .map(str::trim)
        .find(|text| !text.is_empty())
        .map(ToOwned::to_owned)
}
