//! `enrichment:` of `outreach.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::manifest::schema;
use crate::model::EnrichStep;

/// LeadMagic, which tells whether addresses are alive, finds missing ones, and knows facts of companies.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["key"]))]
pub(in crate::manifest) struct RawEnrichment {
    /// A reference to the account's API key: `${NAME}` or `file:/run/secrets/x`.
    #[schemars(schema_with = "schema::secret")]
    pub key: Option<String>,
    /// Where the API begins, or a reference (`${NAME}`) to it; `outreachd simulate leadmagic` prints one to
    /// rehearse on. The real service unless given.
    pub url: Option<String>,
    /// What is looked up. `[validate]` unless given.
    #[schemars(length(min = 1, max = 3))]
    pub steps: Option<Vec<EnrichStep>>,
    /// Credits of one day, over all processes. 100 unless given.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub max_credits_per_day: Option<f64>,
    /// Credits of one run. 50 unless given.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub max_credits_per_run: Option<f64>,
    /// What an answer costs, in credits.
    pub prices: Option<RawPrices>,
    /// An answer that is younger is not bought again. `30d` unless given.
    #[schemars(schema_with = "schema::span")]
    pub cache: Option<String>,
    /// Replace company facts and dead addresses that are filled in already. False unless given.
    pub overwrite: Option<bool>,
    /// How often the daemon runs it, such as `1h`. Without it only `outreachd enrich` does.
    #[schemars(schema_with = "schema::seconds")]
    pub every: Option<String>,
    /// Whom the daemon's runs look at; whoever has `processing_status: pending` unless given.
    #[schemars(schema_with = "schema::name")]
    pub segment: Option<String>,
    /// Requests a minute of all processes together. 300 unless given.
    #[schemars(range(min = 1, max = 60_000))]
    pub per_minute: Option<u32>,
    /// Longest time one request may take. `30s` unless given.
    #[schemars(schema_with = "schema::seconds")]
    pub timeout: Option<String>,
    /// From so many questions on they go out as a job, whose answers can be had again. 50 unless given.
    #[schemars(range(min = 1, max = 100_000))]
    pub bulk_from: Option<u32>,
    /// Questions of one job. 500 unless given.
    #[schemars(range(min = 1, max = 5_000))]
    pub batch: Option<u32>,
    /// Time between two looks at a job. `45s` unless given, which is the least that the service wants.
    #[schemars(schema_with = "schema::seconds")]
    pub poll_every: Option<String>,
    /// How often a single question whose answer was lost may be paid for again. 0 unless given: it waits for
    /// `outreachd enrich --retry-lost`.
    #[schemars(range(max = 10))]
    pub retry_lost: Option<u32>,
    /// `allow` takes domains that are reserved for tests and documentation for real ones. `refuse` unless given.
    pub special_domains: Option<SpecialDomains>,
    /// Ask the DNS whether a domain takes mail before an address of it costs. True unless given.
    pub check_mx: Option<bool>,
}

/// What an answer costs, in credits.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::manifest) struct RawPrices {
    /// Of a conclusive validation. 0.25 unless given.
    #[schemars(range(min = 0, max = 1000))]
    pub validate: Option<f64>,
    /// Of an address that was found. 1 unless given.
    #[schemars(range(min = 0, max = 1000))]
    pub find: Option<f64>,
    /// Of a company that was found. 1 unless given.
    #[schemars(range(min = 0, max = 1000))]
    pub company: Option<f64>,
}

/// What becomes of reserved domains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::manifest) enum SpecialDomains {
    #[default]
    Refuse,
    Allow,
}
