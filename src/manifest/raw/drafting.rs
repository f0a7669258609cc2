//! `drafting:` of `outreach.yaml`, and `draft:` of a campaign's field.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::manifest::schema;
use crate::model::{Language, Review};

/// An endpoint of chat completions, as many vendors and local servers offer them. Without it nothing is drafted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["url", "model"]))]
pub(in crate::manifest) struct RawDrafting {
    /// Where the API begins, such as `https://api.example.com/v1`, or a reference (`${NAME}`) to it.
    pub url: Option<String>,
    /// A reference to the key: `${NAME}` or `file:/run/secrets/x`. Endpoints on this machine may want none.
    #[schemars(schema_with = "schema::secret")]
    pub key: Option<String>,
    /// The model that is asked, unless a field names another one.
    #[schemars(length(min = 1, max = 200))]
    pub model: Option<String>,
    /// Calls of one day, over all processes. 200 unless given.
    pub max_calls_per_day: Option<u32>,
    /// Calls of one run. 50 unless given.
    pub max_calls_per_run: Option<u32>,
    /// Requests a minute of all processes together. 60 unless given.
    #[schemars(range(min = 1, max = 60_000))]
    pub per_minute: Option<u32>,
    /// Longest time one call may take. `60s` unless given.
    #[schemars(schema_with = "schema::seconds")]
    pub timeout: Option<String>,
    /// How often the daemon drafts, such as `10m`. Without it only `outreachd draft` does.
    #[schemars(schema_with = "schema::seconds")]
    pub every: Option<String>,
    /// How often a prompt whose answer was lost may be paid for again. 0 unless given: it waits for
    /// `outreachd draft --retry-lost`.
    #[schemars(range(max = 10))]
    pub retry_lost: Option<u32>,
    /// Ask for probabilities, of which the logged confidence is made. False unless given: not every endpoint
    /// knows them.
    pub logprobs: Option<bool>,
}

/// A field that a model drafts for each contact.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["prompt"]))]
pub(in crate::manifest) struct RawDraft {
    /// A file in `prompts/`: a minijinja template over `company` and `employee`.
    #[schemars(extend("examples" = ["prompts/opener.md"]))]
    pub prompt: Option<String>,
    /// Instead of the model that `drafting` names.
    #[schemars(length(min = 1, max = 200))]
    pub model: Option<String>,
    /// A longer draft is refused. 60 unless given.
    #[schemars(range(min = 1, max = 1000))]
    pub max_words: Option<u32>,
    /// A draft in another language is refused.
    pub language: Option<Language>,
    /// Links and addresses may stand in the text. False unless given.
    pub links: Option<bool>,
    /// Whether a person approves each draft. `required` unless given.
    pub review: Option<Review>,
}
