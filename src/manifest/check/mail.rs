//! What sending mails ourselves asks of campaigns and mailboxes.

use std::collections::BTreeMap;

use super::{Declared, Report};
use crate::manifest::source::FileKind;

pub(super) fn check(declared: &Declared, report: &mut Report<'_>) {
    shared_senders(declared, report);
    for (source, _, campaign) in &declared.campaigns {
        let Some(campaign) = campaign else { continue };
        let Some(provider) = declared.project.providers.get(&campaign.provider) else { continue };
        if provider.kind.smtp().is_some() && campaign.sequence.is_empty() {
            let message = format!("the provider `{}` sends mails, and there is none to send", provider.name);
            report.error(
                *source,
                "/campaign",
                "missing-key",
                message,
                Some("declare a `sequence`".to_owned()),
            );
        }
    }
}

/// What a mailbox has sent today is counted under its provider's lease: two providers would count past each other.
fn shared_senders(declared: &Declared, report: &mut Report<'_>) {
    let Some(project) = report.sources.iter().position(|source| source.kind == FileKind::Project) else {
        return;
    };
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, provider) in &declared.project.providers {
        for (index, sender) in provider.kind.smtp().into_iter().flat_map(|smtp| &smtp.senders).enumerate() {
            let Some(owner) = owners.insert(&sender.name, name) else { continue };
            let pointer = format!("/providers/{name}/senders/{index}");
            let message = format!("`{}` already sends for the provider `{owner}`", sender.name);
            let advice = "a mailbox belongs to one provider; campaigns can share a provider".to_owned();
            report.error(project, &pointer, "duplicate", message, Some(advice));
        }
    }
}
