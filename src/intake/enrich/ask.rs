//! Rows to questions, answers to outcomes. Pure.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::model::{EnrichStep, EnrichmentSettings, domain_of, is_special_domain, web_domain};
use crate::provider::CallError;
use crate::provider::leadmagic::{LeadMagic, Row, Said};
use crate::store::enrichment::{Asking, Call, Effect, Facts, Open, Outcome, Settlement};

/// The question about one contact; `None` when its row does not hold enough to ask.
pub(super) fn asking(step: EnrichStep, open: &Open) -> Option<Asking> {
    let about = |name: &str| open.about.get(name).and_then(Value::as_str);
    let mut asked = Map::new();
    let mut put = |name: &str, value: &str| asked.insert(name.to_owned(), Value::from(value));
    match step {
        EnrichStep::Validate => {
            put("email", &open.question);
        }
        EnrichStep::Find => {
            match (about("first_name"), about("last_name"), about("full_name")) {
                (Some(first), Some(last), _) => {
                    put("first_name", first);
                    put("last_name", last);
                }
                (.., Some(full)) => {
                    put("full_name", full);
                }
                _ => return None,
            }
            match (about("website").and_then(web_domain), about("company_name")) {
                (Some(domain), _) => put("domain", &domain),
                (None, Some(name)) => put("company_name", name),
                (None, None) => return None,
            };
        }
        EnrichStep::Company => {
            match (about("website").and_then(web_domain), about("company_name")) {
                (Some(domain), _) => put("company_domain", &domain),
                (None, Some(name)) => put("company_name", name),
                (None, None) => return None,
            };
        }
    }
    Some(Asking {
        employee_id: open.employee_id,
        company_id: open.company_id,
        question: open.question.clone(),
        asked: Value::Object(asked),
    })
}

/// The domain that an address is looked up under; `None` when nobody can read mail there.
pub(super) fn mail_domain<'o>(open: &'o Open, settings: &EnrichmentSettings) -> Option<&'o str> {
    let domain = domain_of(&open.question)?;
    (settings.special_domains || !is_special_domain(domain)).then_some(domain)
}

/// What an answer comes to.
pub(super) fn outcome(
    step: EnrichStep,
    call: &Call,
    said: Result<Said, CallError>,
    settings: &EnrichmentSettings,
) -> Outcome {
    let end = |end, charged, outcome: &str, answer| Outcome {
        employee_id: call.employee_id,
        ordinal: call.ordinal,
        end,
        charged,
        outcome: outcome.to_owned(),
        answer,
        effect: Effect::None,
    };
    let said = match said {
        Ok(said) => said,
        Err(CallError::InDoubt(reason)) => {
            return end(Settlement::InDoubt, None, "lost", Some(json!({ "reason": reason })));
        }
        Err(CallError::Gone(_)) => return end(Settlement::Settled, Some(Decimal::ZERO), "missed", None),
        Err(CallError::Refused { reason, .. }) => {
            let answer = Some(json!({ "reason": reason }));
            return end(Settlement::Settled, Some(Decimal::ZERO), "failed", answer);
        }
        Err(CallError::Later { .. } | CallError::Misconfigured(_)) => {
            return end(Settlement::Released, None, "released", None);
        }
    };
    let (word, conclusive, effect) = match step {
        EnrichStep::Validate => match said.status {
            Some(status) => {
                let effect = Effect::Address { email: call.question.clone(), status };
                let conclusive = status.processing_status().is_some();
                (status.as_str(), conclusive, effect)
            }
            None => ("failed", false, Effect::None),
        },
        EnrichStep::Find => match (&said.email, said.status) {
            (Some(email), Some(status)) => {
                let overwrite = settings.overwrite;
                ("found", true, Effect::Found { email: email.clone(), status, overwrite })
            }
            _ => ("missed", false, Effect::None),
        },
        EnrichStep::Company => match (&said.company, call.company_id) {
            (Some(facts), Some(company_id)) => {
                let effect = Effect::Company(Box::new(Facts {
                    company_id,
                    website: facts.website.clone(),
                    description: facts.description.clone(),
                    region: facts.region.clone(),
                    employees: facts.employees,
                    all: said.kept.clone(),
                    overwrite: settings.overwrite,
                }));
                ("found", true, effect)
            }
            _ => ("missed", false, Effect::None),
        },
    };
    let charged = said.charged.unwrap_or(if conclusive { settings.prices.of(step) } else { Decimal::ZERO });
    Outcome { effect, ..end(Settlement::Settled, Some(charged), word, Some(said.kept)) }
}

/// Whether what a job echoes is what was asked. An echo that says nothing proves nothing.
pub(super) fn echoes(asked: &Value, echo: &Value) -> bool {
    let plain = |value: &Value| value.as_str().map(|text| text.trim().to_lowercase());
    let mut keys = asked.as_object().into_iter().flatten().peekable();
    keys.peek().is_some() && keys.all(|(name, value)| echo.get(name).and_then(plain) == plain(value))
}

/// The answer to each question of a job, by row index and echo; what is wrong when one of them does not fit.
pub(super) fn join(step: EnrichStep, calls: &[Call], rows: &[Row]) -> Result<Vec<Option<Said>>, String> {
    let mut answers: Vec<Option<Said>> = vec![None; calls.len()];
    for row in rows {
        let place = usize::try_from(row.index).ok().filter(|place| *place < calls.len());
        let Some(place) = place else {
            return Err(format!("a result belongs to row {}, and there are {} rows", row.index, calls.len()));
        };
        if !echoes(&calls[place].asked, &row.asked) {
            return Err(format!("the result of row {place} answers another question"));
        }
        if answers[place].is_some() {
            return Err(format!("row {place} has two results"));
        }
        answers[place] = LeadMagic::read(step, row);
    }
    Ok(answers)
}

/// When a job whose submission was not answered would be in the list if it had been taken.
pub(super) fn surely_listed(submitted_at: DateTime<Utc>, settings: &EnrichmentSettings) -> DateTime<Utc> {
    // A request may be worked on after we have given it up, and the list may be late.
    submitted_at + settings.timeout * 2 + settings.poll_every
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn call(place: i32, email: &str) -> Call {
        Call {
            employee_id: Uuid::from_u128(place as u128 + 1),
            ordinal: 1,
            company_id: None,
            question: email.to_owned(),
            asked: json!({ "email": email }),
            row_index: Some(place),
        }
    }

    fn row(index: i64, email: &str, status: &str) -> Row {
        Row { index, asked: json!({ "email": email }), answer: json!({ "email_status": status }) }
    }

    #[test]
    fn a_job_is_joined_by_row_and_echo_or_not_at_all() {
        let calls = [call(0, "a@b.co"), call(1, "c@d.co"), call(2, "e@f.co")];
        let join = |rows: &[Row]| join(EnrichStep::Validate, &calls, rows);
        // In another order, and with a gap.
        let answers = join(&[row(2, "E@f.co ", "invalid"), row(0, "a@b.co", "valid")]).unwrap();
        let statuses: Vec<_> =
            answers.iter().map(|said| said.as_ref().and_then(|said| said.status)).collect();
        assert_eq!(statuses.iter().flatten().count(), 2);
        assert_eq!(statuses[1], None);
        for wrong in [
            vec![row(3, "a@b.co", "valid")],
            vec![row(-1, "a@b.co", "valid")],
            vec![row(1, "a@b.co", "valid")],
            vec![row(0, "a@b.co", "valid"), row(0, "a@b.co", "invalid")],
            vec![Row { asked: json!({}), ..row(0, "a@b.co", "valid") }],
        ] {
            assert!(join(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_asked_comes_from_the_row() {
        let open = |question: &str, about| Open {
            employee_id: Uuid::nil(),
            company_id: None,
            question: question.to_owned(),
            well_formed: true,
            about,
        };
        let asked = |step, about| asking(step, &open("x", about)).map(|asking| asking.asked);
        assert_eq!(
            asked(
                EnrichStep::Find,
                json!({ "first_name": "Anna", "last_name": "K", "website": "https://www.acme.example/x" })
            ),
            Some(json!({ "first_name": "Anna", "last_name": "K", "domain": "acme.example" }))
        );
        assert_eq!(
            asked(
                EnrichStep::Find,
                json!({ "full_name": "Anna K", "company_name": "Acme", "website": "none" })
            ),
            Some(json!({ "full_name": "Anna K", "company_name": "Acme" }))
        );
        assert_eq!(asked(EnrichStep::Find, json!({ "first_name": "Anna", "company_name": "Acme" })), None);
        assert_eq!(
            asked(EnrichStep::Company, json!({ "company_name": "Acme" })),
            Some(json!({ "company_name": "Acme" }))
        );
    }

    #[test]
    fn doubt_keeps_its_credits_and_refusal_costs_nothing() {
        let settings = EnrichmentSettings::with_key(crate::model::SecretRef::Env("K".to_owned()));
        let of = |said| outcome(EnrichStep::Validate, &call(0, "a@b.co"), said, &settings);
        let lost = of(Err(CallError::InDoubt(String::new())));
        assert_eq!((lost.end, lost.charged), (Settlement::InDoubt, None));
        assert_eq!(of(Err(CallError::Misconfigured(String::new()))).end, Settlement::Released);
        let refused = of(Err(CallError::Refused { status: 400, reason: String::new() }));
        assert_eq!((refused.end, refused.charged), (Settlement::Settled, Some(Decimal::ZERO)));
        let read = |answer: Value| {
            LeadMagic::read(EnrichStep::Validate, &Row { index: 0, asked: json!({}), answer })
        };
        let free = of(Ok(read(json!({ "email_status": "unknown" })).unwrap()));
        assert_eq!((free.charged, free.outcome.as_str()), (Some(Decimal::ZERO), "unknown"));
        let paid = of(Ok(read(json!({ "email_status": "invalid" })).unwrap()));
        assert_eq!(paid.charged, Some(Decimal::new(25, 2)));
    }
}
