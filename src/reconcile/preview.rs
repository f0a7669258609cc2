//! The mails of a campaign as one contact would get them: for a look, or to be sent to oneself.
//!
//! Nothing is recorded, and nothing in these mails names a contact: their links and return paths are nobody's.

use secrecy::ExposeSecret as _;
use serde_json::Value;
use uuid::Uuid;

use super::mail::SequenceRenderer;
use super::{Context, FieldRenderer, ReconcileError};
use crate::model::token::{self, Purpose};
use crate::model::{Campaign, Mailbox, PushKey, SmtpSettings};
use crate::provider::{self, Mail, resolve_secret};
use crate::store::diff::{Person, person};

/// A campaign's mails for one contact.
#[derive(Debug)]
pub struct Preview {
    pub person: Person,
    /// One for each step, or why it cannot be made.
    pub mails: Vec<Result<Mail, String>>,
}

/// Whose links and return paths are nobody's.
const NOBODY: PushKey = PushKey { campaign: 0, employee_id: Uuid::nil(), ordinal: 0 };

/// Renders every mail for the contact; `None` when there is no such contact. `run` makes their Message-IDs unique.
/// `signed` makes links that open; without, no secret is needed.
pub async fn preview(
    context: &Context<'_>,
    campaign: &Campaign,
    settings: &SmtpSettings,
    employee_id: Uuid,
    run: Uuid,
    signed: bool,
) -> Result<Option<Preview>, ReconcileError> {
    let Some(person) = person(context.store, campaign, employee_id).await? else { return Ok(None) };
    let Some(mailbox) = settings.senders.first() else { return Ok(None) };
    let mut plain = match &person.fields {
        Value::Object(fields) => fields.clone(),
        _ => serde_json::Map::new(),
    };
    // The campaign would skip such a contact; here the mail that needs the field is refused.
    plain.retain(|_, value| !value.is_null());
    let inputs = person.inputs.clone().unwrap_or_default();
    let fields = FieldRenderer::new(campaign).render(plain, &inputs).map(Value::Object);
    let tokens = tokens(context, campaign, settings, signed)?;
    let renderer = SequenceRenderer::new(campaign);
    let mut thread: (Vec<String>, Option<String>) = (Vec::new(), None);
    let mut mails = Vec::new();
    for step in 1..=renderer.len() as u16 {
        let mail = match &fields {
            Err(error) => Err(error.to_string()),
            Ok(fields) => mail(&renderer, step, fields, &thread, mailbox, &tokens, run),
        };
        if let Ok(mail) = &mail {
            thread.0.push(mail.message_id.clone());
            thread.1.get_or_insert_with(|| mail.subject.clone());
        }
        mails.push(mail);
    }
    Ok(Some(Preview { person, mails }))
}

/// Of the return path and of the link.
fn tokens(
    context: &Context<'_>,
    campaign: &Campaign,
    settings: &SmtpSettings,
    signed: bool,
) -> Result<(String, String), ReconcileError> {
    if !signed {
        return Ok(("preview".to_owned(), "preview".to_owned()));
    }
    let secret = resolve_secret::reference(&settings.key, context.root)
        .map_err(|source| ReconcileError::Provider { provider: campaign.provider.clone(), source })?;
    let sign = |purpose| token::sign(&NOBODY, purpose, secret.expose_secret().as_bytes());
    Ok((sign(Purpose::Return), sign(Purpose::Unsubscribe)))
}

fn mail(
    renderer: &SequenceRenderer,
    step: u16,
    fields: &Value,
    (message_ids, subject): &(Vec<String>, Option<String>),
    mailbox: &Mailbox,
    (return_token, unsubscribe_token): &(String, String),
    run: Uuid,
) -> Result<Mail, String> {
    let rendered = renderer.render(step, fields, subject.as_deref()).map_err(|error| error.to_string())?;
    Ok(Mail {
        step,
        sender: mailbox.name.clone(),
        message_id: provider::message_id(mailbox, &format!("{}.{step}", run.simple())),
        return_token: return_token.clone(),
        unsubscribe_token: unsubscribe_token.clone(),
        subject: rendered.subject,
        text: rendered.text,
        html: rendered.html,
        thread: message_ids.clone(),
    })
}
