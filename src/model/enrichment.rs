//! What is bought of contacts and companies: steps, prices, budgets, and what an address is known to be.

use std::time::Duration;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::{Span, SpanUnit};
use super::secret::SecretRef;

/// One kind of question that a service answers for credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnrichStep {
    /// Whether the address of a contact is alive.
    Validate,
    /// The address of a contact that has none.
    Find,
    /// Facts of a company that are not filled in.
    Company,
}

impl EnrichStep {
    pub const ALL: [Self; 3] = [Self::Validate, Self::Find, Self::Company];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Find => "find",
            Self::Company => "company",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == text)
    }
}

/// Credits of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Prices {
    pub validate: Decimal,
    pub find: Decimal,
    pub company: Decimal,
}

impl Prices {
    pub const fn of(self, step: EnrichStep) -> Decimal {
        match step {
            EnrichStep::Validate => self.validate,
            EnrichStep::Find => self.find,
            EnrichStep::Company => self.company,
        }
    }
}

impl Default for Prices {
    /// The dearest that is documented.
    fn default() -> Self {
        Self { validate: Decimal::new(25, 2), find: Decimal::ONE, company: Decimal::ONE }
    }
}

/// The service that contacts are looked up with, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EnrichmentSettings {
    /// Where the API begins.
    pub url: String,
    pub key: SecretRef,
    pub steps: Vec<EnrichStep>,
    pub max_credits_per_day: Decimal,
    pub max_credits_per_run: Decimal,
    pub prices: Prices,
    /// An answer that is younger is not bought again.
    pub cache: Span,
    /// Whether answers replace what is filled in already.
    pub overwrite: bool,
    /// How often the daemon runs it; `None` is never.
    pub every: Option<Duration>,
    /// Whom the daemon's runs look at; `None` is whoever is `pending`.
    pub segment: Option<String>,
    /// Requests of all processes together.
    pub per_minute: u32,
    pub timeout: Duration,
    /// From so many questions on they go out as one job.
    pub bulk_from: u32,
    /// Questions of one job.
    pub batch: u32,
    /// Time between two looks at a job.
    pub poll_every: Duration,
    /// How often a question whose answer was lost may be paid for again without a person's word.
    pub retry_lost: u32,
    /// Whether names that are reserved for tests and documentation (`.test`, `.example`) count as domains.
    pub special_domains: bool,
    /// Whether domains that take no mail are sorted out before they cost.
    pub check_mx: bool,
}

impl EnrichmentSettings {
    /// With everything but the key at its default.
    pub fn with_key(key: SecretRef) -> Self {
        Self {
            url: "https://api.leadmagic.io".to_owned(),
            key,
            steps: vec![EnrichStep::Validate],
            max_credits_per_day: Decimal::from(100),
            max_credits_per_run: Decimal::from(50),
            prices: Prices::default(),
            cache: Span::new(30, SpanUnit::Day),
            overwrite: false,
            every: None,
            segment: None,
            per_minute: 300,
            timeout: Duration::from_secs(30),
            bulk_from: 50,
            batch: 500,
            poll_every: Duration::from_secs(45),
            retry_lost: 0,
            special_domains: false,
            check_mx: true,
        }
    }
}

/// What an address is known to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressStatus {
    Valid,
    /// Alive, in a domain that takes every name.
    ValidCatchAll,
    /// The domain takes every name: nobody can tell.
    CatchAll,
    Unknown,
    Invalid,
}

impl AddressStatus {
    pub const ALL: [Self; 5] =
        [Self::Valid, Self::ValidCatchAll, Self::CatchAll, Self::Unknown, Self::Invalid];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::ValidCatchAll => "valid_catch_all",
            Self::CatchAll => "catch_all",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether somebody is known to read mail there.
    pub const fn is_verified(self) -> bool {
        matches!(self, Self::Valid | Self::ValidCatchAll)
    }

    /// What `processing_status` becomes; nothing where the answer leaves it open.
    pub const fn processing_status(self) -> Option<&'static str> {
        match self {
            Self::Valid | Self::ValidCatchAll => Some("ready"),
            Self::Invalid => Some("invalid"),
            Self::CatchAll | Self::Unknown => None,
        }
    }
}

/// Whether a domain is reserved for tests, documentation or single machines (RFC 2606, RFC 6761, RFC 7686): nobody
/// reads mail there.
pub fn is_special_domain(domain: &str) -> bool {
    const TOPS: [&str; 8] = ["test", "example", "invalid", "localhost", "local", "onion", "alt", "arpa"];
    const NAMES: [&str; 3] = ["example.com", "example.net", "example.org"];
    let domain = domain.trim_end_matches('.').to_lowercase();
    let under = |name: &str| domain == name || domain.ends_with(&format!(".{name}"));
    TOPS.into_iter().chain(NAMES).any(under)
}

/// The domain of a web address as people write it: `https://www.acme.example/about` is `acme.example`.
pub fn web_domain(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let after = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
    let host = after.split(['/', '?', '#', ':', ' ', ',', ';']).next()?;
    let host = host.rsplit('@').next()?.trim_end_matches('.');
    let host = host.strip_prefix("www.").unwrap_or(host);
    let labels: Vec<&str> = host.split('.').collect();
    let good = |label: &&str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let is_number = labels.last().is_some_and(|top| top.chars().all(|c| c.is_ascii_digit()));
    (labels.len() > 1 && labels.iter().all(good) && !is_number && host.len() <= 253).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_are_no_domains() {
        for special in ["a.test", "example.com", "mail.example.org", "x.invalid", "LOCALHOST", "c1.example."]
        {
            assert!(is_special_domain(special), "{special}");
        }
        for real in ["acme.co", "contest", "example.co", "myexample.com", "test.ru"] {
            assert!(!is_special_domain(real), "{real}");
        }
    }

    #[test]
    fn a_web_address_has_one_domain() {
        for (text, domain) in [
            ("https://www.Acme.example/about?x=1", Some("acme.example")),
            ("acme.example:8080", Some("acme.example")),
            ("http://me@acme.example", Some("acme.example")),
            ("компания.рф", Some("компания.рф")),
            ("acme.example, other.example", Some("acme.example")),
            ("acme", None),
            ("http://10.0.0.1/", None),
            ("-a.example", None),
            ("", None),
        ] {
            assert_eq!(web_domain(text).as_deref(), domain, "{text}");
        }
    }
}
