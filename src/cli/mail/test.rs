//! `outreachd test`: a campaign's mails to oneself, through its own mailbox.

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use uuid::Uuid;

use super::super::exit::Coded;
use super::super::output::{GREEN, RED, paint};
use super::super::session::Session;
use super::super::{Exit, Globals, output};
use super::{made, settings};
use crate::model::{ActionKind, PushKey, Verdict, is_address, normalize_address};
use crate::provider::{self, Answer, Destination, Item};
use crate::store::{contacts, suppressions};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Name or number of the campaign.
    campaign: String,
    /// Your own address. An address of a contact is refused.
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// The contact whose mails they are, by address or id; the first that would be written to without it.
    #[arg(long, value_name = "CONTACT")]
    employee: Option<String>,
}

pub(in crate::cli) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let session = Session::open(globals).await?;
    let context = session.context();
    let campaign = session.campaign(&arguments.campaign)?;
    settings(&session, campaign)?;
    let to = normalize_address(&arguments.to);
    if !is_address(&to) {
        return Err(Coded::error(Exit::Usage, "--to is not a mail address"));
    }
    if !contacts::find(context.store, &to).await?.is_empty() {
        return Err(Coded::error(
            Exit::Usage,
            "--to is the address of a contact: a test goes to oneself, with an address that no contact has",
        ));
    }
    if suppressions::holds(context.store, &to).await? {
        return Err(Coded::error(
            Exit::HeldBack,
            "--to is suppressed: nothing is sent there, not even a test (see `outreachd suppress list`)",
        ));
    }
    let preview = made(&session, campaign, arguments.employee.as_deref(), true).await?;
    let Some(declared) = session.manifest.project.providers.get(&campaign.provider) else {
        anyhow::bail!("the provider {} is not declared", campaign.provider);
    };
    let provider = provider::open(declared, context.root, context.clock)
        .with_context(|| format!("could not use the provider {}", campaign.provider))?;
    let destination =
        Destination { campaign: campaign.name.clone(), number: campaign.number, ..Destination::default() };
    let mut failed = 0;
    for (index, mail) in preview.mails.into_iter().enumerate() {
        let step = index + 1;
        let verdict = match mail {
            Err(reason) => Verdict::Refused(reason),
            Ok(mut mail) => {
                mail.subject = format!("[test] {}", mail.subject);
                let item = Item {
                    key: PushKey { campaign: 0, employee_id: Uuid::nil(), ordinal: 0 },
                    action: ActionKind::Send,
                    email: to.clone(),
                    fields: json!({}),
                    reason: None,
                    held: None,
                    mail: Some(mail),
                };
                match provider.perform(&destination, &[item]).await {
                    Answer::Items(verdicts) => {
                        verdicts.into_iter().next().unwrap_or(Verdict::InDoubt("no answer".to_owned()))
                    }
                    Answer::Whole(verdict) => verdict,
                }
            }
        };
        let told = match &verdict {
            Verdict::Accepted => paint(GREEN, "sent"),
            Verdict::InDoubt(reason) => format!("{}: {reason}", paint(RED, "perhaps sent")),
            Verdict::Bounced(reason)
            | Verdict::Refused(reason)
            | Verdict::Misconfigured(reason)
            | Verdict::Retry { reason, .. } => format!("{}: {reason}", paint(RED, "not sent")),
        };
        failed += usize::from(verdict != Verdict::Accepted);
        output::write(&format!("mail {step}: {told}\n"))?;
    }
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}
