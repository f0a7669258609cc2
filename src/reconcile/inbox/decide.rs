//! A person's word on a mail, and new rules on old mails.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{Context, ReconcileError, bench, judging, terms};
use crate::store::events::ByHand;
use crate::store::replies::{self, Judged, Reread, Stored};

/// Mails that are read again at once.
const PAGE: i64 = 100;

/// A mail that the rules read otherwise now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub stored: Stored,
    pub judged: Judged,
}

/// A person says what a mail is; `None` takes that word back. `None` when there is no such mail.
pub async fn correct(
    context: &Context<'_>,
    id: Uuid,
    kind: Option<&str>,
    by: ByHand<'_>,
) -> Result<Option<Reread>, ReconcileError> {
    let Some(stored) = replies::stored(context.store, id).await? else { return Ok(None) };
    let stops = stops(context, &stored, kind);
    Ok(replies::correct(context.store, id, kind, stops, by, &terms(context)).await?)
}

/// Whom a mail stops when a person says that it is a stop: the contact and who speaks in it. `None`: as before.
fn stops(context: &Context<'_>, stored: &Stored, kind: Option<&str>) -> Option<Vec<String>> {
    if stored.raw.is_empty() {
        return stored.email.clone().map(|email| vec![email]).filter(|_| kind.is_some_and(is_stop));
    }
    let judge = judging(context, Vec::new());
    let Some(kind) = kind else {
        let judged = judge.again(&stored.raw, stored.received_at, timezone(context, stored));
        return Some(judged.stops(&stored.kind, stored.email.as_deref()));
    };
    is_stop(kind).then(|| {
        let speakers = judge.speakers(&stored.raw, stored.email.is_some());
        let all: BTreeSet<String> = stored.email.iter().cloned().chain(speakers).collect();
        all.into_iter().filter(|address| address.contains('@')).collect()
    })
}

fn is_stop(kind: &str) -> bool {
    matches!(kind, "unsubscribe" | "complaint" | "bounce")
}

fn timezone(context: &Context<'_>, stored: &Stored) -> chrono_tz::Tz {
    let mailbox = context.manifest.project.mailboxes.get(&stored.mailbox);
    mailbox.map_or(chrono_tz::Tz::UTC, |mailbox| mailbox.timezone)
}

/// Reads every kept mail by the present rules, tells those that have changed, and brings them to bear where somebody says so.
pub async fn reclassify(
    context: &Context<'_>,
    by: Option<ByHand<'_>>,
    mut tell: impl FnMut(&Changed),
) -> Result<(u64, Reread), ReconcileError> {
    let bench = bench(context)?;
    let mut after = Uuid::nil();
    let mut seen = 0;
    let mut all = Reread::default();
    loop {
        let page = replies::page(context.store, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        seen += page.len() as u64;
        let changed: Vec<Changed> = page
            .into_iter()
            .filter_map(|stored| {
                let judged = bench.again(&stored.raw, stored.received_at, timezone(context, &stored));
                differs(&stored, &judged).then_some(Changed { stored, judged })
            })
            .collect();
        changed.iter().for_each(&mut tell);
        if let Some(by) = by.filter(|_| !changed.is_empty()) {
            let news: Vec<(&Stored, &Judged)> =
                changed.iter().map(|one| (&one.stored, &one.judged)).collect();
            let reread = replies::reread(context.store, &news, by, &terms(context)).await?;
            all.lowered += reread.lowered;
            all.raised += reread.raised;
        }
    }
    Ok((seen, all))
}

/// Whether the contact may fare otherwise, or the mail is to be put before a person.
fn differs(stored: &Stored, judged: &Judged) -> bool {
    let is_sure = stored.confidence == "sure";
    stored.kind != judged.kind
        || stored.rule != judged.rule
        || stored.hard != judged.hard
        || stored.status != judged.status
        || stored.left_company != judged.left_company
        || stored.away_until != judged.away_until
        // Mails of strangers are put before nobody.
        || stored.employee_id.is_some() && is_sure != judged.is_sure
}
