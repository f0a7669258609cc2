//! Fields that a model drafts: what is declared of them, and the endpoint that is asked.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::catalog::FieldRef;
use super::secret::SecretRef;

/// Whether a person reads a draft before it is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Review {
    /// A draft that passes the checks is used.
    None,
    /// The contact waits until somebody approves the draft.
    #[default]
    Required,
}

/// Languages that a draft can be held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    English,
    Russian,
    German,
    French,
    Spanish,
    Italian,
    Portuguese,
    Dutch,
}

impl Language {
    /// As a model is told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Russian => "Russian",
            Self::German => "German",
            Self::French => "French",
            Self::Spanish => "Spanish",
            Self::Italian => "Italian",
            Self::Portuguese => "Portuguese",
            Self::Dutch => "Dutch",
        }
    }
}

/// A field that is drafted for each contact.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Draft {
    /// Path of the prompt below the project folder.
    #[serde(skip)]
    pub prompt: String,
    /// The prompt itself: a template over `company` and `employee`.
    #[serde(skip)]
    pub text: String,
    #[serde(skip)]
    pub reads: Vec<FieldRef>,
    /// Instead of the endpoint's own.
    pub model: Option<String>,
    pub max_words: u32,
    pub language: Option<Language>,
    /// Links and addresses may stand in the text.
    pub links: bool,
    pub review: Review,
    /// Digest of all of it: a draft that was made from another one is no draft of this.
    pub spec: String,
}

impl Draft {
    /// With its digest.
    #[must_use]
    pub fn with_spec(mut self) -> Self {
        let Self { text, model, max_words, language, links, .. } = &self;
        let parts = serde_json::json!([text, model, max_words, language, links]);
        let digest = Sha256::digest(parts.to_string());
        self.spec = hex::encode(&digest[..16]);
        self
    }
}

/// The endpoint that drafts, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DraftingSettings {
    /// Where the API begins: `/chat/completions` follows.
    pub url: String,
    /// Endpoints on this machine may want none.
    pub key: Option<SecretRef>,
    pub model: String,
    pub max_calls_per_day: u32,
    pub max_calls_per_run: u32,
    pub per_minute: u32,
    pub timeout: Duration,
    /// How often the daemon drafts; `None` is never.
    pub every: Option<Duration>,
    /// How often a prompt whose answer was lost may be paid for again without a person's word.
    pub retry_lost: u32,
    /// Ask for the probabilities of words, of which a confidence is made.
    pub logprobs: bool,
}
