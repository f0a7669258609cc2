//! Which call goes where.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::world::{Product, Refusal, World};

/// A request, its path cut into segments.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: Vec<String>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) body: Value,
}

impl Request {
    fn number(&self, name: &str, default: usize) -> usize {
        self.query.get(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    }
}

impl World {
    /// Does what a call asks for. `fails`: some rows of a job do.
    pub(super) fn route(&mut self, request: &Request, fails: bool) -> Result<Value, (u16, &'static str)> {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let body = &request.body;
        let (limit, offset) = (request.number("limit", 100), request.number("offset", 0));
        let no_job = (404, "Job not found");
        match (request.method.as_str(), path.as_slice()) {
            ("GET", ["v1", "credits"]) | ("POST", ["credits"]) => Ok(json!({
                "credits": self.credits.to_string().parse::<f64>().unwrap_or_default(),
                "is_frozen": false, "credits_frozen": 0, "credit_freeze_message": null, "credit_freeze_plan_hint": null,
            })),
            ("POST", ["v1", "people", "email-validation"]) => self.single(Product::EmailValidation, body),
            ("POST", ["v1", "people", "email-finder"]) => self.single(Product::EmailFinder, body),
            ("POST", ["v1", "companies", "company-search"]) => self.single(Product::CompanyFinder, body),
            ("POST", ["bulk", "submit"]) => self.submit(body, fails).map_err(|why| (400, why)),
            ("POST", ["bulk", "validate"]) => Ok(json!({ "valid": true })),
            ("GET", ["bulk", "jobs"]) => {
                Ok(self.list_jobs(request.query.get("product").map(String::as_str), limit, offset))
            }
            ("GET", ["bulk", "jobs", id]) => self.show_job(id).ok_or(no_job),
            ("GET", ["bulk", "jobs", id, which @ ("rows" | "results" | "errors")]) => {
                self.job_rows(id, which, limit, offset).ok_or(no_job)
            }
            ("POST", ["bulk", "jobs", id, verb @ ("pause" | "resume" | "cancel")]) => {
                self.change_job(id, verb).ok_or(no_job)
            }
            _ => Err((404, "Not found")),
        }
    }

    fn single(&mut self, product: Product, body: &Value) -> Result<Value, (u16, &'static str)> {
        self.answer(product, body).map_err(|refusal| match refusal {
            Refusal::Malformed(why) => (400, why),
            Refusal::NoCredits => (402, "Insufficient credits"),
        })
    }
}
