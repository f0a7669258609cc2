//! `enrichment:` -> [`EnrichmentSettings`].

use std::time::Duration;

use rust_decimal::Decimal;

use super::finding::Findings;
use super::project::{bounded, endpoint, secret};
use super::raw::{RawEnrichment, RawPrices, SpecialDomains};
use crate::model::{EnrichStep, EnrichmentSettings, Prices, Span};

/// `None` when the key is missing or no reference.
pub(super) fn check(findings: &mut Findings<'_>, raw: &RawEnrichment) -> Option<EnrichmentSettings> {
    let key = raw.key.as_deref().and_then(|text| secret(findings, "/enrichment/key", text));
    let url = raw.url.as_deref().map(|text| endpoint(findings, "/enrichment/url", text));
    let mut time = |name: &str, text: &Option<String>, least, most| {
        bounded(findings, &format!("/enrichment/{name}"), text.as_ref(), least, most).map(Span::approximate)
    };
    let every = time("every", &raw.every, 1, 30 * 86_400);
    let timeout = time("timeout", &raw.timeout, 1, 300);
    let poll_every = time("poll_every", &raw.poll_every, 1, 3600);
    let cache = findings.optional_span("/enrichment/cache", raw.cache.as_ref());
    let or = EnrichmentSettings::with_key(key?);
    let mut steps = raw.steps.clone().unwrap_or_else(|| or.steps.clone());
    // Found addresses are validated already; facts of a company may name the domain to look at.
    steps.sort_by_key(|step| match step {
        EnrichStep::Company => 0,
        EnrichStep::Validate => 1,
        EnrichStep::Find => 2,
    });
    steps.dedup();
    Some(EnrichmentSettings {
        url: match url {
            Some(url) => url?,
            None => or.url,
        },
        steps,
        max_credits_per_day: credits(raw.max_credits_per_day, or.max_credits_per_day),
        max_credits_per_run: credits(raw.max_credits_per_run, or.max_credits_per_run),
        prices: prices(raw.prices.as_ref()),
        cache: cache.unwrap_or(or.cache),
        overwrite: raw.overwrite.unwrap_or(false),
        every,
        segment: raw.segment.clone(),
        per_minute: raw.per_minute.unwrap_or(or.per_minute),
        timeout: timeout.unwrap_or(or.timeout),
        bulk_from: raw.bulk_from.unwrap_or(or.bulk_from),
        batch: raw.batch.unwrap_or(or.batch),
        poll_every: poll_every.unwrap_or(or.poll_every).max(Duration::from_millis(1)),
        retry_lost: raw.retry_lost.unwrap_or(or.retry_lost),
        special_domains: raw.special_domains.unwrap_or_default() == SpecialDomains::Allow,
        check_mx: raw.check_mx.unwrap_or(true),
        key: or.key,
    })
}

fn prices(raw: Option<&RawPrices>) -> Prices {
    let or = Prices::default();
    let Some(raw) = raw else { return or };
    Prices {
        validate: credits(raw.validate, or.validate),
        find: credits(raw.find, or.find),
        company: credits(raw.company, or.company),
    }
}

/// The shortest writing of the number is what stood in the file: 0.05 is five hundredths exactly.
fn credits(number: Option<f64>, or: Decimal) -> Decimal {
    number.and_then(|number| number.to_string().parse().ok()).unwrap_or(or)
}
