//! Which mailboxes may send now, and in which order they take new contacts. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Mailbox, PushKey, SenderLimits, SmtpSettings};
use crate::store::mailboxes::Standing;

/// How soon to look again whether a mailbox's answers are read.
const STALE: TimeDelta = TimeDelta::seconds(15);

/// The mailboxes of one account, as they may send now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::reconcile) struct Senders {
    /// Those that may, the one whose turn it is first.
    pub(in crate::reconcile) free: Vec<String>,
    pub(in crate::reconcile) declared: Vec<String>,
    /// Those that send no more and are still read.
    pub(in crate::reconcile) retired: Vec<String>,
    /// When the first of the others may.
    pub(in crate::reconcile) next: Option<DateTime<Utc>>,
}

impl Senders {
    /// `standing` is that of `mailboxes`, in their order.
    pub(super) fn judge(
        settings: &SmtpSettings,
        mailboxes: &[&Mailbox],
        standing: &[Standing],
        now: DateTime<Utc>,
    ) -> Self {
        let mut free = Vec::new();
        let mut retired = Vec::new();
        let mut next: Option<DateTime<Utc>> = None;
        let mut deaf = false;
        for (mailbox, standing) in mailboxes.iter().zip(standing) {
            let unread = mailbox.is_stale(standing.read_at, now);
            deaf |= unread && takes_stops(settings, mailbox);
            if settings.senders.iter().all(|sender| sender.name != mailbox.name) {
                retired.extend((mailbox.imap.is_some() && !unread).then(|| mailbox.name.clone()));
                continue;
            }
            let left = left_today(mailbox, standing, now);
            match rests_until(mailbox, standing, left, now) {
                None => free.push((std::cmp::Reverse(left), standing.next_send_at, mailbox.name.clone())),
                Some(until) => next = Some(next.map_or(until, |next| next.min(until))),
            }
        }
        free.sort();
        if deaf {
            free.clear();
            next = Some(now + STALE);
        }
        Self {
            free: free.into_iter().map(|(_, _, name)| name).collect(),
            declared: settings.senders.iter().map(|mailbox| mailbox.name.clone()).collect(),
            retired,
            next,
        }
    }
}

/// What the mailboxes of one account can still send today.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::reconcile) struct Room {
    /// `None`: without a bound.
    pub(in crate::reconcile) mails: Option<i64>,
    /// Those that send nothing for now, because they rest or their answers are not read.
    pub(in crate::reconcile) silent: Vec<String>,
}

impl Room {
    /// `standing` is that of the senders, in their order.
    pub(in crate::reconcile) fn of(senders: &[Mailbox], standing: &[Standing], now: DateTime<Utc>) -> Self {
        let mut room = Self { mails: Some(0), ..Self::default() };
        for (mailbox, standing) in senders.iter().zip(standing) {
            let rests = standing.paused_until.is_some_and(|until| until > now);
            if rests || mailbox.is_stale(standing.read_at, now) {
                room.silent.push(mailbox.name.clone());
                continue;
            }
            let left = left_today(mailbox, standing, now);
            room.mails =
                room.mails.and_then(|mails| mails.checked_add(left)).filter(|mails| *mails < i64::MAX);
        }
        room
    }
}

/// Whether bounces or unsubscribes of all senders' mails come to this mailbox.
fn takes_stops(settings: &SmtpSettings, mailbox: &Mailbox) -> bool {
    let mailto = settings.unsubscribe.as_ref().and_then(|how| how.mailto.as_ref());
    [settings.bounces.as_ref(), mailto].into_iter().flatten().any(|address| *address == mailbox.address)
}

/// How many more it may send today.
fn left_today(mailbox: &Mailbox, standing: &Standing, now: DateTime<Utc>) -> i64 {
    let day = standing.first.map_or(0, |first| mailbox.days_between(first, now));
    mailbox.limits.on_day(day).map_or(i64::MAX, |limit| (i64::from(limit) - standing.today).max(0))
}

/// `None` when it may send now.
fn rests_until(
    mailbox: &Mailbox,
    standing: &Standing,
    left: i64,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    [
        (left == 0).then(|| mailbox.next_day_start(now)),
        standing.paused_until,
        standing.next_send_at,
        // A stop may lie there unread.
        mailbox.is_stale(standing.read_at, now).then(|| now + STALE),
    ]
    .into_iter()
    .flatten()
    .filter(|until| *until > now)
    .max()
}

/// When a mailbox that sends now may send again: the gap, and up to a third more, so that no two gaps are alike.
pub(super) fn next_send(limits: &SenderLimits, key: PushKey, now: DateTime<Utc>) -> DateTime<Utc> {
    let share = (key.employee_id.as_u128() ^ u128::from(key.ordinal.unsigned_abs())) % 1000;
    let gap = limits.gap.mul_f64(1.0 + share as f64 / 3000.0);
    now + TimeDelta::from_std(gap).unwrap_or(TimeDelta::days(1))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::model::{ImapSettings, MailServer, MailTls, Ramp};

    fn now() -> DateTime<Utc> {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn mailbox(name: &str) -> Mailbox {
        Mailbox {
            name: name.to_owned(),
            address: format!("{name}@test.example"),
            display_name: None,
            smtp: None,
            imap: None,
            limits: SenderLimits { per_day: Some(10), ramp: None, gap: Duration::from_secs(90) },
            timezone: chrono_tz::UTC,
        }
    }

    fn standing(name: &str, today: i64) -> Standing {
        Standing {
            name: name.to_owned(),
            today,
            first: Some(now() - TimeDelta::days(3)),
            ..Standing::default()
        }
    }

    fn settings(senders: &[Mailbox]) -> SmtpSettings {
        SmtpSettings {
            senders: senders.to_vec(),
            key: crate::model::SecretRef::Env("KEY".to_owned()),
            previous_keys: Vec::new(),
            bounces: Some("bounce@test.example".to_owned()),
            unsubscribe: None,
            dkim: None,
            auto_submitted: false,
            timeout: Duration::from_mins(1),
        }
    }

    fn judged(senders: &[Mailbox], rows: &[Standing]) -> Senders {
        Senders::judge(&settings(senders), &senders.iter().collect::<Vec<_>>(), rows, now())
    }

    #[test]
    fn where_bounces_are_not_read_nobody_sends_and_who_sends_no_more_must_be_read() {
        let (sender, mut bounces) = (mailbox("a"), mailbox("bounce"));
        bounces.imap = Some(imap());
        let judge = |read: DateTime<Utc>| {
            let rows = [standing("a", 0), Standing { read_at: Some(read), ..standing("bounce", 0) }];
            Senders::judge(&settings(std::slice::from_ref(&sender)), &[&sender, &bounces], &rows, now())
        };
        let fresh = judge(now());
        assert_eq!((fresh.free, fresh.retired), (vec!["a".to_owned()], vec!["bounce".to_owned()]));
        let deaf = judge(now() - TimeDelta::hours(1));
        assert_eq!((deaf.free.len(), deaf.retired.len()), (0, 0));
    }

    #[test]
    fn the_one_with_most_left_goes_first() {
        let mailboxes = [mailbox("a"), mailbox("b"), mailbox("c")];
        let rows = [standing("a", 9), standing("b", 2), standing("c", 10)];
        let senders = judged(&mailboxes, &rows);
        assert_eq!(senders.free, ["b", "a"]);
        assert_eq!(senders.next, Some("2026-11-25T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn whatever_keeps_it_longest_counts() {
        let soon = now() + TimeDelta::seconds(30);
        let later = now() + TimeDelta::hours(1);
        let row = Standing { next_send_at: Some(soon), paused_until: Some(later), ..standing("a", 0) };
        let senders = judged(&[mailbox("a")], std::slice::from_ref(&row));
        assert_eq!((senders.free.len(), senders.next), (0, Some(later)));
        let over = Standing { next_send_at: Some(now()), paused_until: Some(now()), ..row };
        assert_eq!(judged(&[mailbox("a")], &[over]).free, ["a"]);
    }

    #[test]
    fn what_is_left_is_that_of_those_who_send() {
        let mut senders = [mailbox("a"), mailbox("b"), mailbox("c")];
        let rests = Standing { paused_until: Some(now() + TimeDelta::hours(1)), ..standing("c", 0) };
        let rows = [standing("a", 4), standing("b", 12), rests];
        let room = Room::of(&senders, &rows, now());
        assert_eq!(room, Room { mails: Some(6), silent: vec!["c".to_owned()] });
        senders[1].limits.per_day = None;
        assert_eq!(Room::of(&senders, &rows, now()).mails, None);
    }

    #[test]
    fn a_ramp_counts_from_the_first_mail() {
        let mut slow = mailbox("a");
        slow.limits = SenderLimits { ramp: Some(Ramp { start: 2, add: 1, every_days: 1 }), ..slow.limits };
        assert_eq!(left_today(&slow, &standing("a", 4), now()), 1);
        assert_eq!(left_today(&slow, &Standing::default(), now()), 2);
    }

    fn imap() -> ImapSettings {
        ImapSettings {
            server: MailServer {
                host: "localhost".to_owned(),
                port: 1,
                tls: MailTls::None,
                user: None,
                password: None,
                ca: None,
            },
            folders: Vec::new(),
            sent: None,
            append_sent: false,
            poll_every: Duration::from_mins(1),
            stale_after: Duration::from_mins(15),
        }
    }

    #[test]
    fn a_mailbox_that_is_not_read_does_not_send() {
        let mut read = mailbox("a");
        read.imap = Some(imap());
        let seen =
            |minutes| Standing { read_at: Some(now() - TimeDelta::minutes(minutes)), ..standing("a", 0) };
        let free = |row: Standing| !judged(std::slice::from_ref(&read), &[row]).free.is_empty();
        assert!(free(seen(14)));
        assert!(!free(seen(16)));
        assert!(!free(standing("a", 0)));
    }

    #[test]
    fn gaps_are_never_shorter_than_declared_nor_all_alike() {
        let limits = mailbox("a").limits;
        let gaps: std::collections::BTreeSet<i64> = (0..50)
            .map(|n| {
                let key = PushKey { campaign: 1, employee_id: Uuid::from_u128(n * 77), ordinal: 1 };
                (next_send(&limits, key, now()) - now()).num_milliseconds()
            })
            .collect();
        assert!(gaps.iter().all(|gap| (90_000..=120_000).contains(gap)));
        assert!(gaps.len() > 40);
    }
}
