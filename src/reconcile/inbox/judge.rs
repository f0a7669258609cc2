//! From a mail's bytes to what is known of it: what it is, and everything in it that may name the one it answers. Pure.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::model::token::{self, Purpose};
use crate::model::{PushKey, normalize_address};
use crate::reply::{self, Confidence, Kind, Reading};
use crate::store::replies::{Claim, Incoming, Judged, Named};

/// An absence that is said to last longer is a wrong date.
const LONGEST_ABSENCE: TimeDelta = TimeDelta::days(120);
/// The rule of a mail that its server would not give out.
const NOT_GIVEN_OUT: &str = "not_given_out";

/// What mails are judged by, apart from what stands in them.
pub(super) struct Bench {
    /// Our own addresses, normalised: what comes from them answers nobody.
    pub(super) ours: BTreeSet<String>,
    /// What our return paths and unsubscribe addresses are signed with, earlier keys too.
    pub(super) secrets: Vec<SecretString>,
    /// How long somebody is taken to be away who does not say until when.
    pub(super) away: TimeDelta,
}

/// Where a mail lay.
pub(super) struct Found<'a> {
    pub(super) mailbox: &'a str,
    pub(super) folder: &'a str,
    pub(super) uid_validity: u32,
    pub(super) uid: u32,
    pub(super) received_at: DateTime<Utc>,
    pub(super) timezone: Tz,
}

impl Bench {
    /// Reads a mail and lays out what it may answer.
    pub(super) fn incoming(&self, found: &Found<'_>, bytes: Vec<u8>) -> Incoming {
        if bytes.is_empty() {
            let Found { mailbox, folder, uid_validity, uid, .. } = found;
            return Incoming {
                dedupe: format!("not given out: {mailbox} {folder} {uid_validity} {uid}"),
                message_id: None,
                received_at: found.received_at,
                raw: bytes,
                claims: Vec::new(),
                judged: Judged {
                    kind: Kind::Other.as_str(),
                    rule: NOT_GIVEN_OUT.to_owned(),
                    evidence: format!(
                        "the server does not give mail {uid} of {folder} out: look at it there"
                    ),
                    is_sure: false,
                    status: None,
                    hard: None,
                    away_until: None,
                    left_company: false,
                    from: None,
                },
            };
        }
        let reading = reply::read(&bytes);
        let sender = reading.sender.as_deref().unwrap_or_default();
        let dedupe = match &reading.ids.message_id {
            // Programs exist that give every mail the same id.
            Some(id) => format!("{id} {sender}"),
            None => format!("sha256 {}", hex::encode(Sha256::digest(&bytes))),
        };
        Incoming {
            dedupe,
            message_id: reading.ids.message_id.clone(),
            received_at: found.received_at,
            claims: self.claims(&reading),
            judged: self.judged(&reading, found.received_at, found.timezone),
            raw: bytes,
        }
    }

    /// What the rules say of a mail that is kept.
    pub(super) fn again(&self, bytes: &[u8], received_at: DateTime<Utc>, timezone: Tz) -> Judged {
        self.judged(&reply::read(bytes), received_at, timezone)
    }

    /// Who is stopped beside the contact when a person says that a mail is a stop. A bounce is written by a machine, and of
    /// strangers it names who cannot be reached.
    pub(super) fn speakers(&self, bytes: &[u8], is_matched: bool) -> Vec<String> {
        let reading = reply::read(bytes);
        let found = match reading.kind {
            Kind::Bounce if is_matched => Vec::new(),
            Kind::Bounce | Kind::Complaint => addresses(&reading),
            _ => reading.sender.into_iter().collect(),
        };
        found
            .iter()
            .map(|address| normalize_address(address))
            .filter(|address| !self.ours.contains(address))
            .collect()
    }

    fn judged(&self, reading: &Reading, received_at: DateTime<Utc>, timezone: Tz) -> Judged {
        let failed = reading.failed().next();
        let is_bounce = reading.kind == Kind::Bounce;
        let away = reading.kind == Kind::AutoReply && !reading.left_company;
        Judged {
            kind: reading.kind.as_str(),
            rule: reading.rule.to_owned(),
            evidence: reading.evidence.clone(),
            is_sure: reading.confidence == Confidence::Sure,
            status: failed.and_then(|delivery| delivery.status.clone()).filter(|_| is_bounce),
            hard: failed.and_then(|delivery| delivery.hard).filter(|_| is_bounce),
            away_until: away.then(|| self.back_at(reading.away_until, received_at, timezone)),
            left_company: reading.left_company,
            from: match reading.kind {
                // It comes from who runs the complaints desk.
                Kind::Complaint => reading.complainant.clone(),
                _ => reading.sender.clone(),
            }
            .filter(|address| !self.ours.contains(address)),
        }
    }

    /// The beginning of the day after an absence.
    fn back_at(&self, until: Option<NaiveDate>, received_at: DateTime<Utc>, timezone: Tz) -> DateTime<Utc> {
        let start = |day: NaiveDate| {
            (0..24).find_map(|hour| timezone.from_local_datetime(&day.and_hms_opt(hour, 0, 0)?).earliest())
        };
        until
            .and_then(|day| start(day.succ_opt()?))
            .map(|instant| instant.with_timezone(&Utc))
            .filter(|instant| *instant > received_at && *instant < received_at + LONGEST_ABSENCE)
            .unwrap_or(received_at + self.away)
    }

    /// In the order in which they count (facts, section on matching).
    fn claims(&self, reading: &Reading) -> Vec<Claim> {
        let ids = &reading.ids;
        let mut claims = Vec::new();
        for tag in ids.delivered_to.iter().filter_map(|address| tag(address)) {
            if let Some(token) = tag.strip_prefix("u-")
                && let Some(key) = self.verified(token, Purpose::Unsubscribe)
            {
                claims.push(Claim { via: "unsubscribe_address", names: Named::Push(key) });
            }
            if let Some(token) = tag.strip_prefix("b-")
                && let Some(key) = self.verified(token, Purpose::Return)
            {
                claims.push(Claim { via: "return_path", names: Named::Push(key) });
            }
        }
        let is_from_us = reading.sender.as_ref().is_some_and(|sender| self.ours.contains(sender));
        if is_from_us && !matches!(reading.kind, Kind::Bounce | Kind::Complaint) {
            return claims;
        }
        if let Some(id) = &ids.envelope_id {
            claims.push(self.token_or_id("envelope_id", id));
        }
        let messages = |via, ids: &[String]| -> Vec<Claim> {
            ids.iter().map(|id| Claim { via, names: Named::Message(id.clone()) }).collect()
        };
        claims.extend(messages("in_reply_to", &ids.in_reply_to));
        claims.extend(messages("references", &ids.references));
        claims.extend(messages("returned", &ids.returned_ids));
        claims.extend(ids.marks.iter().map(|(_, value)| self.token_or_id("mark", value)));
        let addresses = addresses(reading);
        claims.extend(
            addresses
                .into_iter()
                .map(|address| normalize_address(&address))
                .filter(|address| !self.ours.contains(address))
                .map(|address| Claim { via: "address", names: Named::Address(address) }),
        );
        claims
    }

    fn token_or_id(&self, via: &'static str, text: &str) -> Claim {
        let text = text.trim();
        let names = match self.verified(text, Purpose::Return) {
            Some(key) => Named::Push(key),
            None => Named::Message(text.trim_start_matches('<').trim_end_matches('>').to_owned()),
        };
        Claim { via, names }
    }

    fn verified(&self, token: &str, purpose: Purpose) -> Option<PushKey> {
        token::verify(token, purpose, self.secrets.iter().map(|secret| secret.expose_secret().as_bytes()))
    }
}

/// What stands behind the last `+` of the local part; the address before it may have one of its own.
fn tag(address: &str) -> Option<String> {
    let (local, _) = address.rsplit_once('@')?;
    Some(local.rsplit_once('+')?.1.to_ascii_lowercase())
}

/// Whom a mail without ids may be from, or about.
fn addresses(reading: &Reading) -> Vec<String> {
    let mut addresses: Vec<String> = Vec::new();
    match reading.kind {
        Kind::Bounce => {
            for delivery in reading.failed() {
                addresses.push(delivery.address.clone());
                addresses.extend(delivery.forwarded_to.clone());
            }
            addresses.extend(reading.ids.returned_to.iter().cloned());
        }
        Kind::Complaint => {
            addresses.extend(reading.complainant.clone());
            addresses.extend(reading.ids.returned_to.iter().cloned());
        }
        Kind::AutoReply | Kind::Reply | Kind::InfoRequest | Kind::Unsubscribe => {
            addresses.extend(reading.sender.clone());
        }
        Kind::Other => {}
    }
    addresses
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const KEY: PushKey = PushKey { campaign: 3, employee_id: Uuid::from_u128(7), ordinal: 1 };

    fn bench() -> Bench {
        Bench {
            ours: BTreeSet::from(["alice@us.example".to_owned()]),
            secrets: vec![SecretString::from("new"), SecretString::from("old")],
            away: TimeDelta::days(3),
        }
    }

    fn read(text: &str) -> Incoming {
        let found = Found {
            mailbox: "alice",
            folder: "INBOX",
            uid_validity: 1,
            uid: 5,
            received_at: "2026-11-24T10:00:00Z".parse().unwrap(),
            timezone: Tz::Europe__Moscow,
        };
        bench().incoming(&found, text.replace('\n', "\r\n").into_bytes())
    }

    fn vias(incoming: &Incoming) -> Vec<&str> {
        incoming.claims.iter().map(|claim| claim.via).collect()
    }

    #[test]
    fn tokens_come_before_ids_and_ids_before_addresses() {
        let token = token::sign(&KEY, Purpose::Unsubscribe, b"old").to_uppercase();
        let mail = read(&format!(
            "From: Anna <Anna@c.example>\nTo: us+x+u-{token}@us.example\nMessage-ID: <m@c.example>\nIn-Reply-To: <b@us>\nReferences: <a@us> <b@us>\nSubject: Re: x\n\nThank you, tell me more.\n"
        ));
        assert_eq!(
            vias(&mail),
            ["unsubscribe_address", "in_reply_to", "references", "references", "address"]
        );
        assert_eq!(mail.claims[0].names, Named::Push(KEY));
        assert_eq!(mail.claims[2].names, Named::Message("b@us".to_owned()), "the nearest first");
        assert_eq!(mail.claims[4].names, Named::Address("anna@c.example".to_owned()));
        assert_eq!(mail.dedupe, "m@c.example anna@c.example");
    }

    #[test]
    fn a_return_path_unsubscribes_nobody_and_forged_tokens_are_nothing() {
        let token = token::sign(&KEY, Purpose::Return, b"new");
        let as_stop = read(&format!("From: a@c.example\nTo: us+u-{token}@us.example\n\nHello.\n"));
        assert_eq!(vias(&as_stop), ["address"]);
        let returned = read(&format!("From: a@c.example\nTo: us+b-{token}@us.example\n\nHello.\n"));
        assert_eq!(vias(&returned), ["return_path", "address"]);
    }

    #[test]
    fn what_we_write_ourselves_answers_nobody() {
        let mail =
            read("From: alice@us.example\nTo: anna@c.example\nIn-Reply-To: <b@us>\n\nWith pleasure!\n");
        assert_eq!(vias(&mail), [""; 0]);
    }

    #[test]
    fn an_absence_ends_with_the_day_that_is_named() {
        let bench = bench();
        let now: DateTime<Utc> = "2026-11-24T10:00:00Z".parse().unwrap();
        let until = |day: &str| bench.back_at(day.parse().ok(), now, Tz::Europe__Moscow).to_rfc3339();
        assert_eq!(until("2026-11-30"), "2026-11-30T21:00:00+00:00", "midnight in Moscow after that day");
        let default = "2026-11-27T10:00:00+00:00";
        assert_eq!(until("2026-11-01"), default, "over already");
        assert_eq!(until("2036-11-01"), default, "no absence lasts ten years");
        assert_eq!(until(""), default);
    }

    #[test]
    fn a_mail_that_is_not_given_out_is_put_before_a_person() {
        let mail = read("");
        assert!(!mail.judged.is_sure);
        assert_eq!(mail.dedupe, "not given out: alice INBOX 1 5");
    }
}
