//! What sending mails ourselves asks of campaigns and mailboxes.

use std::collections::BTreeMap;

use super::{Declared, Report};
use crate::manifest::diagnostic::Severity;
use crate::manifest::source::FileKind;
use crate::model::Membership;

pub(super) fn check(declared: &Declared, report: &mut Report<'_>) {
    shared_senders(declared, report);
    shared_addresses(declared, report);
    answers(declared, report);
    for (source, _, campaign) in &declared.campaigns {
        let Some(campaign) = campaign else { continue };
        let Some(provider) = declared.project.providers.get(&campaign.provider) else { continue };
        if provider.kind.smtp().is_some() && campaign.membership == Membership::Mirror {
            let message =
                "a mail cannot be taken back: whoever leaves and comes back would get the first one again";
            let advice = Some("leave `membership` out; with `exit` contacts leave for good".to_owned());
            report.error(*source, "/membership", "contradiction", message.to_owned(), advice);
        }
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

/// What is answered must be read, or stops are lost.
fn answers(declared: &Declared, report: &mut Report<'_>) {
    let Some(project) = report.sources.iter().position(|source| source.kind == FileKind::Project) else {
        return;
    };
    let mailboxes = &declared.project.mailboxes;
    let read: Vec<&str> =
        mailboxes.values().filter(|one| one.imap.is_some()).map(|one| one.address.as_str()).collect();
    let mut unread = |pointer: String, address: &str, what: &str| {
        if !read.contains(&address) {
            let message = format!("no mailbox with `imap` has the address that {what} go to: they are lost");
            let advice = "declare a mailbox with that address and `imap`".to_owned();
            report.add(Severity::Warning, project, &pointer, "unread", message, Some(advice));
        }
    };
    for (name, provider) in &declared.project.providers {
        let Some(smtp) = provider.kind.smtp() else { continue };
        for (index, sender) in smtp.senders.iter().enumerate() {
            unread(format!("/providers/{name}/senders/{index}"), &sender.address, "answers");
        }
        if let Some(address) = &smtp.bounces {
            unread(format!("/providers/{name}/bounces"), address, "bounces");
        }
        if let Some(address) = smtp.unsubscribe.as_ref().and_then(|how| how.mailto.as_ref()) {
            unread(format!("/providers/{name}/unsubscribe/mailto"), address, "unsubscribes");
        }
    }
}

/// Limits are kept by name: two names of one address would have two.
fn shared_addresses(declared: &Declared, report: &mut Report<'_>) {
    let Some(project) = report.sources.iter().position(|source| source.kind == FileKind::Project) else {
        return;
    };
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, mailbox) in &declared.project.mailboxes {
        let Some(owner) = owners.insert(&mailbox.address, name) else { continue };
        let pointer = format!("/mailboxes/{name}/address");
        let message = format!("`{owner}` has this address already");
        let advice = "one mailbox an address: its limits are counted by name".to_owned();
        report.error(project, &pointer, "duplicate", message, Some(advice));
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
