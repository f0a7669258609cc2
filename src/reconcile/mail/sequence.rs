//! What the mails of a sequence say to one contact: templates over the campaign's fields. Pure.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::model::{Campaign, Template};

/// Why a mail cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SequenceError {
    #[error("the sequence has no mail {0}")]
    NoSuchStep(u16),
    #[error("mail {step}, {part}: {message}")]
    Unfit { step: u16, part: &'static str, message: String },
}

/// One mail, rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
}

type Parsed = Result<Template, String>;

struct Step {
    subject: Option<Parsed>,
    text: Parsed,
    html: Option<Parsed>,
}

/// The templates of one campaign's mails, parsed once.
pub struct SequenceRenderer {
    steps: Vec<Step>,
    words: Vec<i64>,
}

impl SequenceRenderer {
    pub fn new(campaign: &Campaign) -> Self {
        let plain = |text: &str| Template::parse(text).map_err(|error| error.to_string());
        let html = |text: &str| Template::parse_html(text).map_err(|error| error.to_string());
        let steps = campaign
            .sequence
            .iter()
            .map(|step| Step {
                subject: step.subject.as_deref().map(plain),
                text: plain(&step.body),
                html: step.html.as_deref().map(html),
            })
            .collect();
        let words = campaign.sequence.iter().map(|step| hash_of(&(&step.subject, &step.body, &step.html)));
        Self { steps, words: words.collect() }
    }

    /// How many mails there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Hash of what the mail `step` (from 1) says, before anything is filled in.
    pub fn words(&self, step: u16) -> i64 {
        usize::from(step).checked_sub(1).and_then(|index| self.words.get(index)).copied().unwrap_or_default()
    }

    /// Fills the mail `step` (from 1). A follow-up without a subject of its own answers `thread`.
    pub fn render(&self, step: u16, fields: &Value, thread: Option<&str>) -> Result<Rendered, SequenceError> {
        let parts = usize::from(step).checked_sub(1).and_then(|index| self.steps.get(index));
        let parts = parts.ok_or(SequenceError::NoSuchStep(step))?;
        let fill = |part: &'static str, parsed: &Parsed| {
            let unfit = |message: String| SequenceError::Unfit { step, part, message };
            let template = parsed.as_ref().map_err(|message| unfit(message.clone()))?;
            template.render(fields).map_err(|error| unfit(error.to_string()))
        };
        let subject = match (&parts.subject, thread) {
            (Some(own), _) => fill("subject", own)?,
            (None, Some(thread)) if is_answer(thread) => thread.to_owned(),
            (None, Some(thread)) => format!("Re: {thread}"),
            (None, None) => {
                let message = "there is no mail that it could answer, and it has no subject".to_owned();
                return Err(SequenceError::Unfit { step, part: "subject", message });
            }
        };
        // A line break that came with a value would begin another header.
        let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Rendered {
            subject,
            text: fill("body", &parts.text)?,
            html: parts.html.as_ref().map(|html| fill("html", html)).transpose()?,
        })
    }
}

fn hash_of(texts: &impl serde::Serialize) -> i64 {
    let digest = Sha256::digest(serde_json::to_vec(texts).unwrap_or_default());
    i64::from_be_bytes(std::array::from_fn(|index| digest[index]))
}

fn is_answer(subject: &str) -> bool {
    subject.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("re:"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest;

    fn renderer() -> SequenceRenderer {
        let campaign = r#"
campaign: a
number: 1
type: sales
segment: s
provider: p
fields: { name: employee.first_name }
sequence:
  - { subject: "Hello {{ name }}", body: "Hi {{ name }}", html: "<p>{{ name }}</p>" }
  - { wait: 3d, body: "And, {{ name }}?" }
"#;
        let loaded = manifest::load_sources([
            ("outreach.yaml", "providers: { p: { kind: file } }"),
            ("segments/s.yaml", "segment: s\nwhere: { company.segment: Fintech }"),
            ("campaigns/a.yaml", campaign),
        ]);
        SequenceRenderer::new(&loaded.manifest.expect("a sound manifest").campaigns[0])
    }

    #[test]
    fn a_follow_up_answers_the_first_mail() {
        let fields = json!({"name": "Zoë & <Co>"});
        let first = renderer().render(1, &fields, None).unwrap();
        assert_eq!(first.subject, "Hello Zoë & <Co>");
        assert_eq!(first.html.as_deref(), Some("<p>Zoë &amp; &lt;Co&gt;</p>"));
        let second = renderer().render(2, &fields, Some(&first.subject)).unwrap();
        assert_eq!(second.subject, "Re: Hello Zoë & <Co>");
        assert_eq!(renderer().render(2, &fields, Some("re: x")).unwrap().subject, "re: x");
        assert!(renderer().render(2, &fields, None).is_err());
        assert!(renderer().render(3, &fields, None).is_err());
        assert!(renderer().render(0, &fields, None).is_err());
    }

    #[test]
    fn never_a_mail_with_a_hole_in_it() {
        assert!(renderer().render(1, &json!({}), None).is_err());
        let broken = renderer().render(1, &json!({"name": "a\r\nBcc: x@y.example"}), None).unwrap();
        assert_eq!(broken.subject, "Hello a Bcc: x@y.example");
    }
}
