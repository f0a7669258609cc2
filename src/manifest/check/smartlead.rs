//! What Smartlead cannot do is refused here and not half-way through a pass.

use super::super::diagnostic::Severity;
use super::{Declared, Report};
use crate::model::{Campaign, ProviderKind, SpanUnit, fill_holes};

pub(super) fn check(declared: &Declared, report: &mut Report<'_>) {
    for (source, _, campaign) in &declared.campaigns {
        let Some(campaign) = campaign else { continue };
        match declared.project.providers.get(&campaign.provider).map(|provider| &provider.kind) {
            Some(ProviderKind::Smartlead { .. }) => of_campaign(*source, campaign, report),
            Some(_) if campaign.remote.is_some() => {
                let message = format!("the provider `{}` keeps no campaign of its own", campaign.provider);
                let advice = "leave `remote` and `on_drift` out";
                report.error(*source, "/remote", "no-effect", message, Some(advice.to_owned()));
            }
            _ => {}
        }
    }
}

fn of_campaign(source: usize, campaign: &Campaign, report: &mut Report<'_>) {
    if campaign.sequence.is_empty() {
        let message = "Smartlead sends the mails itself and has none to send".to_owned();
        report.error(source, "/campaign", "missing-key", message, Some("declare a `sequence`".to_owned()));
    }
    if campaign.remote.as_ref().is_none_or(|remote| remote.mailboxes.is_empty()) {
        report.add(
            Severity::Warning,
            source,
            "/campaign",
            "no-mailbox",
            "no mailboxes are declared: those that are set at Smartlead send".to_owned(),
            Some("name them by id: `remote: { mailboxes: [501] }`".to_owned()),
        );
    }
    if campaign.window.as_ref().is_some_and(|window| !window.except.is_empty()) {
        let message = "Smartlead knows days of the week only: it sends on these days".to_owned();
        let advice = Some("pause the campaign there for the day, or leave `except` out".to_owned());
        report.add(Severity::Warning, source, "/window/except", "no-effect", message, advice);
    }
    for (index, step) in campaign.sequence.iter().enumerate() {
        if let Some(wait) = step.wait
            && wait.count > 0
            && !matches!(wait.unit, SpanUnit::Day | SpanUnit::Week)
        {
            let pointer = format!("/sequence/{index}/wait");
            let message = "Smartlead waits for whole days".to_owned();
            report.error(source, &pointer, "bad-value", message, Some("write 1d, 3d, 1w ...".to_owned()));
        }
        let texts =
            [("subject", step.subject.as_ref()), ("body", Some(&step.body)), ("html", step.html.as_ref())];
        for (key, text) in texts {
            let Some(Err(tag)) = text.map(|text| fill_holes(text, ToOwned::to_owned)) else { continue };
            let pointer = format!("/sequence/{index}/{key}");
            let message = format!("Smartlead puts in names and does nothing else: `{tag}`");
            let advice = "make it a field with a `template` and use that: `{{ opener }}`";
            report.error(source, &pointer, "bad-template", message, Some(advice.to_owned()));
        }
    }
}
