//! Follow-ups played forward: what is due, and what each mail that leaves makes due later.
//!
//! Limits of domains, and gaps between two mails of a mailbox, are left out.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::chances;
use crate::model::{Campaign, Mailbox, Span};

/// Contacts whose next mail is due at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The last mail that they have had.
    pub step: u16,
    pub at: DateTime<Utc>,
    pub contacts: i64,
}

/// What the database says of a campaign's mails today.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mails {
    pub due: Vec<Due>,
    /// Who sends, and when each sent its first mail.
    pub senders: Vec<(Mailbox, Option<DateTime<Utc>>)>,
}

pub(super) struct Queue<'a> {
    mails: &'a Mails,
    /// Time from each mail to the next one.
    waits: Vec<TimeDelta>,
    due: BTreeMap<(DateTime<Utc>, usize), i64>,
    now: DateTime<Utc>,
}

impl<'a> Queue<'a> {
    pub(super) fn new(campaign: &Campaign, mails: &'a Mails, now: DateTime<Utc>) -> Self {
        let wait = |length: std::time::Duration| TimeDelta::from_std(length).unwrap_or(TimeDelta::days(365));
        let waits = campaign.sequence.iter().skip(1);
        let waits = waits.map(|step| wait(step.wait.map_or_else(Default::default, Span::approximate)));
        let mut queue = Self { mails, waits: waits.collect(), due: BTreeMap::new(), now };
        for due in mails.due.iter().filter(|due| usize::from(due.step) <= queue.waits.len()) {
            *queue.due.entry((due.at, usize::from(due.step))).or_default() += due.contacts;
        }
        queue
    }

    pub(super) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// How many mails all senders may send on that day.
    pub(super) fn capacity(&self, at: DateTime<Utc>) -> i64 {
        let of = |(mailbox, first): &(Mailbox, Option<DateTime<Utc>>)| {
            let day = mailbox.days_between(first.unwrap_or(self.now), at);
            mailbox.limits.on_day(day).map_or(i64::from(u32::MAX), i64::from)
        };
        self.mails.senders.iter().map(of).sum()
    }

    /// Sends what is due, oldest first, up to `room`.
    pub(super) fn send(&mut self, at: DateTime<Utc>, room: i64) -> i64 {
        let mut sent = 0;
        while let Some(mut first) = self.due.first_entry() {
            let (due, step) = *first.key();
            let part = (*first.get()).min(room - sent);
            if due > at || part <= 0 {
                break;
            }
            *first.get_mut() -= part;
            if *first.get() == 0 {
                first.remove();
            }
            sent += part;
            self.schedule(at, step + 1, part);
        }
        sent
    }

    /// So many contacts have had their first mail.
    pub(super) fn begin(&mut self, at: DateTime<Utc>, contacts: i64) {
        self.schedule(at, 1, contacts);
    }

    fn schedule(&mut self, at: DateTime<Utc>, step: usize, contacts: i64) {
        if let Some(wait) = step.checked_sub(1).and_then(|index| self.waits.get(index))
            && contacts > 0
        {
            *self.due.entry((at + *wait, step)).or_default() += contacts;
        }
    }
}

/// The instants to look at, and whether new contacts are taken in then: follow-ups leave on every day that the
/// window is open on, whatever the schedule says.
pub(super) fn instants(
    campaign: &Campaign,
    now: DateTime<Utc>,
    sends: bool,
) -> Box<dyn Iterator<Item = (DateTime<Utc>, bool)> + '_> {
    let mut entries = chances(campaign, now).peekable();
    if !sends || campaign.schedule.is_none() {
        return Box::new(entries.map(|at| (at, true)));
    }
    let mut days = super::days(campaign, now).peekable();
    Box::new(std::iter::from_fn(move || match (entries.peek().copied(), days.peek().copied()) {
        (Some(entry), Some(day)) if day < entry => days.next().map(|at| (at, false)),
        (Some(entry), day) => {
            if day == Some(entry) {
                days.next();
            }
            entries.next().map(|at| (at, true))
        }
        (None, _) => days.next().map(|at| (at, false)),
    }))
}
