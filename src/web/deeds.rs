//! What operators do, from a page or over the API: each once, checked, and in the event log with who.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::Shared;
use super::access::Visitor;
use super::fault::Fault;
use super::read::Now;
use crate::model::{Clock as _, PushKey, is_address, normalize_address};
use crate::reconcile::{inbox, settle_by_hand};
use crate::store::events::{self, ByHand};
use crate::store::{approvals, campaigns, contacts, mailboxes, pauses, suppressions};

/// Words of a person.
const LONGEST: usize = 1000;

/// Hold a campaign back: nobody enters, stops go out.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PauseDeed")]
pub(super) struct Pause {
    /// Why, for whoever looks next.
    pub reason: String,
    /// When it goes on by itself: `3d`, `2026-12-01` or an instant. Absent: when a person says so.
    pub until: Option<String>,
}

/// Let a paused campaign, or a mailbox that rests, go on.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resume {
    pub reason: Option<String>,
}

/// Let a blocked plan through once.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Approve {
    /// Digest of the plan that was looked at.
    pub digest: String,
}

/// Say how it is with a push in doubt.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolve {
    /// True: the provider has it. False: it has it not, and it is handed over again.
    pub arrived: bool,
}

/// Say what a mail is; this wins over every rule.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Correct {
    pub kind: Kind,
}

/// What a mail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Reply,
    InfoRequest,
    Unsubscribe,
    Complaint,
    AutoReply,
    Bounce,
    Other,
    /// What the rules say: takes an earlier word back.
    AsRead,
}

impl Kind {
    /// Each with its words.
    pub(super) const ALL: [(Self, &'static str, &'static str); 8] = [
        (Self::Reply, "reply", "an answer of a person"),
        (Self::InfoRequest, "info_request", "a question: wants to know more"),
        (Self::Unsubscribe, "unsubscribe", "a stop: no more mails"),
        (Self::Complaint, "complaint", "a complaint"),
        (Self::AutoReply, "auto_reply", "automatic: away, or left"),
        (Self::Bounce, "bounce", "a bounce: did not arrive"),
        (Self::Other, "other", "none of these"),
        (Self::AsRead, "as_read", "as the rules say"),
    ];

    fn word(self) -> Option<&'static str> {
        let found = Self::ALL.into_iter().find(|(kind, ..)| *kind == self);
        found.map(|(_, word, _)| word).filter(|word| *word != "as_read")
    }
}

/// Never write to an address or a domain again.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Suppress {
    /// `anna@acme.example`, or `@acme.example` for the whole domain. Either this or `employee_id`.
    pub target: Option<String>,
    /// A contact, whose address it is then.
    pub employee_id: Option<Uuid>,
    pub reason: Option<Reason>,
    /// Why, in your words.
    pub note: Option<String>,
}

/// Why an address is suppressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    Unsubscribed,
    Bounced,
    Complained,
    DoNotContact,
}

impl Reason {
    pub(super) const ALL: [Self; 4] =
        [Self::DoNotContact, Self::Unsubscribed, Self::Bounced, Self::Complained];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Unsubscribed => "unsubscribed",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
            Self::DoNotContact => "do_not_contact",
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Done {
    /// False: it was so already.
    pub changed: bool,
}

fn by<'v>(shared: &Shared, visitor: &'v Visitor) -> ByHand<'v> {
    ByHand { actor: &visitor.name, at: shared.clock.now() }
}

fn said(text: Option<&str>) -> Result<Option<&str>, Fault> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    match text {
        Some(text) if text.chars().count() > LONGEST || text.contains('\0') => {
            Err(Fault::Unfit(format!("at most {LONGEST} letters, please")))
        }
        text => Ok(text),
    }
}

pub(super) async fn pause(
    shared: &Shared,
    visitor: &Visitor,
    number: i32,
    deed: &Pause,
) -> Result<Done, Fault> {
    let now = Now::of(shared).await?;
    let campaign = now.campaign(number).ok_or(Fault::Unknown("campaign"))?;
    let reason = said(Some(&deed.reason))?.ok_or_else(|| Fault::Unfit("say why".to_owned()))?;
    let until = match said(deed.until.as_deref())? {
        None => None,
        Some(text) => {
            Some(campaign.instant(text, now.at).filter(|until| *until > now.at).ok_or_else(|| {
                Fault::Unfit(
                    "until when? a length of time (3d), a day (2026-12-01) or an instant to come".to_owned(),
                )
            })?)
        }
    };
    pauses::begin(&shared.store, number, reason, until, by(shared, visitor)).await?;
    Ok(Done { changed: true })
}

pub(super) async fn resume(
    shared: &Shared,
    visitor: &Visitor,
    number: i32,
    deed: &Resume,
) -> Result<Done, Fault> {
    let reason = said(deed.reason.as_deref())?;
    let changed = pauses::end(&shared.store, number, reason, by(shared, visitor)).await?;
    Ok(Done { changed })
}

/// A mailbox that rests after its server said no sends again with the next pass.
pub(super) async fn resume_mailbox(
    shared: &Shared,
    visitor: &Visitor,
    name: &str,
    deed: &Resume,
) -> Result<Done, Fault> {
    let reason = said(deed.reason.as_deref())?;
    let manifest = shared.files.declared().await.manifest;
    if !manifest.project.mailboxes.contains_key(name) {
        return Err(Fault::Unknown("mailbox"));
    }
    let changed = mailboxes::resume(&shared.store, name, reason, by(shared, visitor)).await?;
    Ok(Done { changed })
}

/// Only what is looked at is let through: a plan that has changed since is another one.
pub(super) async fn approve(
    shared: &Shared,
    visitor: &Visitor,
    number: i32,
    deed: &Approve,
) -> Result<Done, Fault> {
    let view = super::read::plan(shared, number, false).await?;
    let held = view.plan.blocked.as_ref().is_some_and(crate::model::Blocked::can_be_approved);
    if !held {
        return Err(Fault::Overtaken("the guard does not hold this campaign back".to_owned()));
    }
    if view.plan.digest != deed.digest {
        let message = "the plan is another one by now: look at it again";
        return Err(Fault::Overtaken(message.to_owned()));
    }
    approvals::add(&shared.store, number, &deed.digest, by(shared, visitor)).await?;
    Ok(Done { changed: true })
}

pub(super) async fn resolve(
    shared: &Shared,
    visitor: &Visitor,
    key: PushKey,
    deed: &Resolve,
) -> Result<Done, Fault> {
    let now = Now::of(shared).await?;
    let campaign = match now.campaign(key.campaign) {
        Some(campaign) => campaign.clone(),
        // Its file is gone; what is in doubt stays so until somebody says how it is.
        None => {
            campaigns::remembered(&shared.store, key.campaign).await?.ok_or(Fault::Unknown("campaign"))?
        }
    };
    let context = shared.context(&now.manifest);
    if !settle_by_hand(&context, &campaign, key, deed.arrived, by(shared, visitor)).await? {
        return Err(Fault::Overtaken("this push is not in doubt any more".to_owned()));
    }
    Ok(Done { changed: true })
}

pub(super) async fn correct(
    shared: &Shared,
    visitor: &Visitor,
    id: Uuid,
    deed: &Correct,
) -> Result<Done, Fault> {
    let now = Now::of(shared).await?;
    let context = shared.context(&now.manifest);
    let done = inbox::correct(&context, id, deed.kind.word(), by(shared, visitor)).await?;
    done.map(|_| Done { changed: true }).ok_or(Fault::Unknown("mail"))
}

pub(super) async fn suppress(shared: &Shared, visitor: &Visitor, deed: &Suppress) -> Result<Done, Fault> {
    let note = said(deed.note.as_deref())?;
    let reason = deed.reason.unwrap_or(Reason::DoNotContact).as_str();
    let target = match (said(deed.target.as_deref())?, deed.employee_id) {
        (Some(target), None) => normalize_address(target),
        (None, Some(id)) => {
            let found = contacts::find(&shared.store, &id.to_string()).await?;
            let contact = found.into_iter().next().ok_or(Fault::Unknown("contact"))?;
            let address = contact.email.as_deref().map(normalize_address);
            address.ok_or_else(|| Fault::Unfit("this contact has no address".to_owned()))?
        }
        _ => return Err(Fault::Unfit("either an address or domain, or a contact".to_owned())),
    };
    let is_target = match target.strip_prefix('@') {
        Some(domain) => is_address(&format!("x@{domain}")),
        None => is_address(&target),
    };
    if !is_target {
        let message = "this is neither an address (anna@x.example) nor a domain (@x.example)";
        return Err(Fault::Unfit(message.to_owned()));
    }
    let by = by(shared, visitor);
    let changed = suppressions::add(&shared.store, &target, reason, note, "web", by).await?;
    if let Some(id) = deed.employee_id.filter(|_| changed) {
        let detail = json!({ "reason": reason });
        events::note(&shared.store, "suppressed", &format!("contact:{id}"), by, detail).await?;
    }
    Ok(Done { changed })
}
