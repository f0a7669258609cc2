//! Mails that we send ourselves: who sends each one, what it says, and that it is written down before it leaves.
//!
//! Never talks to a mail server: the provider does.

mod senders;
mod sequence;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use tracing::warn;

use super::wait::bounded;
use super::{Context, ReconcileError};
use crate::model::token::{self, Purpose};
use crate::model::{ActionKind, Campaign, Mailbox, PushKey, SmtpSettings};
use crate::provider::{self, Item, Mail, Provider, resolve_secret};
use crate::store::Lease;
use crate::store::mailboxes::{self, Standing};
use crate::store::mails::{self, Draft};
use crate::store::pushes::Claimed;

pub(super) use senders::{Room, Senders};
pub use sequence::{Rendered, SequenceRenderer};

/// What sending the mails of one campaign takes.
pub(super) struct Mailing<'c> {
    settings: &'c SmtpSettings,
    renderer: SequenceRenderer,
    key: SecretString,
}

/// What becomes of a push before its mail is handed over.
pub(super) enum Dressed {
    /// The item carries its mail.
    Ready(Item),
    /// The mail cannot be made: the contact is parked with the reason.
    Unfit(Item, String),
    /// No mailbox may send for now.
    NoSender(Item, Option<DateTime<Utc>>),
}

impl<'c> Mailing<'c> {
    pub(super) fn new(
        context: &Context<'_>,
        campaign: &Campaign,
        settings: &'c SmtpSettings,
    ) -> Result<Self, ReconcileError> {
        let key = resolve_secret::reference(&settings.key, context.root)
            .map_err(|source| ReconcileError::Provider { provider: campaign.provider.clone(), source })?;
        Ok(Self { settings, renderer: SequenceRenderer::new(campaign), key })
    }

    /// Who may send now.
    pub(super) async fn senders(&self, context: &Context<'_>) -> Result<Senders, ReconcileError> {
        let now = context.clock.now();
        let all: Vec<&Mailbox> = context.manifest.project.mailboxes.values().collect();
        let names: Vec<&str> = all.iter().map(|mailbox| mailbox.name.as_str()).collect();
        let days: Vec<_> = all.iter().map(|mailbox| mailbox.day_start(now)).collect();
        let standing: Vec<Standing> = mailboxes::standing(context.store, &names, &days).await?;
        Ok(Senders::judge(self.settings, &all, &standing, now))
    }

    /// Makes the mail of an enrollment or a follow-up and writes it down.
    pub(super) async fn dress(
        &self,
        context: &Context<'_>,
        lease: &Lease,
        mut item: Item,
        step: u16,
        sender: Option<&str>,
    ) -> Result<Dressed, ReconcileError> {
        let senders = self.senders(context).await?;
        let Some(mailbox) = self.settings.senders.iter().find(|mailbox| {
            Some(mailbox.name.as_str())
                == sender
                    .filter(|name| senders.declared.iter().any(|known| known == name))
                    .or_else(|| senders.free.first().map(String::as_str))
        }) else {
            return Ok(Dressed::NoSender(item, senders.next));
        };
        let thread = mails::thread(context.store, item.key).await?;
        let words = self.renderer.words(step);
        if thread.words.contains(&words) {
            let reason = format!("mail {step} has gone out to this contact before: the sequence was changed");
            return Ok(Dressed::Unfit(item, reason));
        }
        let rendered = match self.renderer.render(step, &item.fields, thread.subject.as_deref()) {
            Ok(rendered) => rendered,
            Err(error) => return Ok(Dressed::Unfit(item, error.to_string())),
        };
        let secret = self.key.expose_secret().as_bytes();
        let return_token = token::sign(&item.key, Purpose::Return, secret);
        let mail = Mail {
            step,
            sender: mailbox.name.clone(),
            // The same whenever the mail is tried again.
            message_id: provider::message_id(mailbox, &return_token),
            unsubscribe_token: token::sign(&item.key, Purpose::Unsubscribe, secret),
            return_token,
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            thread: thread.message_ids,
        };
        let now = context.clock.now();
        let draft = Draft {
            key: item.key,
            step,
            sender: &mail.sender,
            message_id: &mail.message_id,
            subject: &mail.subject,
            email: &item.email,
            words,
            next_send_at: senders::next_send(&mailbox.limits, item.key, now),
        };
        if !mails::make(context.store, lease, &draft, now).await? {
            return Err(ReconcileError::LeaseLost(lease.name.clone()));
        }
        item.mail = Some(mail);
        Ok(Dressed::Ready(item))
    }
}

/// Whether the push hands a mail over.
pub(super) const fn is_mail(action: ActionKind) -> bool {
    matches!(action, ActionKind::Enroll | ActionKind::Send)
}

/// The mail of the sequence that a claimed push is for.
pub(super) const fn step_of(push: &Claimed) -> u16 {
    match push.action {
        ActionKind::Send => push.step.saturating_add(1),
        _ => 1,
    }
}

/// Remembers which mailboxes turned out unable to send.
pub(super) async fn rest(context: &Context<'_>, provider: &dyn Provider) -> Result<(), ReconcileError> {
    for fault in provider.sender_faults() {
        warn!(mailbox = fault.mailbox, reason = fault.reason, "a mailbox rests");
        let until = context.clock.now() + bounded(fault.pause);
        mailboxes::pause(context.store, &fault.mailbox, until, &fault.reason).await?;
    }
    Ok(())
}

/// Adds what is known of their mails to items that are to be looked up.
pub(super) async fn recall(
    context: &Context<'_>,
    campaign: &Campaign,
    items: &mut [Item],
) -> Result<(), ReconcileError> {
    if context.manifest.project.mails(campaign).is_none() {
        return Ok(());
    }
    let keys: Vec<PushKey> = items.iter().map(|item| item.key).collect();
    let made = mails::made(context.store, campaign.number, &keys).await?;
    for item in items {
        let known = made
            .iter()
            .find(|mail| mail.employee_id == item.key.employee_id && mail.ordinal == item.key.ordinal);
        item.mail = known.map(|mail| Mail {
            step: mail.step as u16,
            sender: mail.sender.clone(),
            message_id: mail.message_id.clone(),
            subject: mail.subject.clone(),
            return_token: String::new(),
            unsubscribe_token: String::new(),
            text: String::new(),
            html: None,
            thread: Vec::new(),
        });
    }
    Ok(())
}
