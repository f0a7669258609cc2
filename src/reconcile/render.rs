//! A contact's fields as the provider gets them: plain columns as they are, templates rendered.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::{Campaign, FieldSource, Template};

/// Why a contact's fields cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field {field}: {message}")]
pub struct RenderError {
    pub field: String,
    pub message: String,
}

/// The templates of one campaign, parsed once.
pub struct FieldRenderer {
    templates: BTreeMap<String, Result<Template, String>>,
}

impl FieldRenderer {
    pub fn new(campaign: &Campaign) -> Self {
        let templates = campaign
            .fields
            .iter()
            .filter_map(|(name, source)| match source {
                FieldSource::Template { text, .. } => {
                    Some((name.clone(), Template::parse(text).map_err(|error| error.to_string())))
                }
                _ => None,
            })
            .collect();
        Self { templates }
    }

    /// Whether there is anything to render.
    pub fn is_plain(&self) -> bool {
        self.templates.is_empty()
    }

    /// Adds the rendered fields to the plain ones.
    pub fn render(
        &self,
        plain: Map<String, Value>,
        inputs: &Value,
    ) -> Result<Map<String, Value>, RenderError> {
        let mut fields = plain;
        for (name, template) in &self.templates {
            let failed = |message: String| RenderError { field: name.clone(), message };
            let template = template.as_ref().map_err(|message| failed(message.clone()))?;
            let text = template.render(inputs).map_err(|error| failed(error.to_string()))?;
            fields.insert(name.clone(), Value::String(text));
        }
        Ok(fields)
    }
}
