//! What a mail server's no means, and for whom: the contact's address, the mail, or the mailbox that sends.
//!
//! By the enhanced code (RFC 3463) where there is one, else by the plain one and the words. What is a sender's trouble
//! never becomes a mark on the contact.

use std::time::Duration;

use super::conversation::{Failure, Stage};
use super::wire::{Enhanced, Reply};
use crate::model::Verdict;
use crate::provider::last_look::HELD_BACK;
use crate::reply;

const SOON: Duration = Duration::from_mins(5);
/// RFC 5321 4.5.4.1: at least this long between two tries.
const LATER: Duration = Duration::from_mins(30);
/// A full mailbox is seldom emptied within the hour.
const MUCH_LATER: Duration = Duration::from_hours(4);
/// Until a person has looked at it.
const LONG: Duration = Duration::from_hours(1);

/// Words of servers that mind the sender or what it sends, not the recipient.
const POLICY: &[&str] = &[
    "spam",
    "blacklist",
    "blocklist",
    "block list",
    "blocked",
    "reputation",
    "policy",
    "relay",
    "dmarc",
    "dkim",
    "spf",
    "authenticat",
    "rate limit",
    "too many messages",
];

/// What becomes of one mail, and of the mailbox that it is from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    /// The mailbox rests for so long.
    pub(super) pause: Option<Duration>,
    /// What happened, in words.
    pub(super) reason: String,
}

/// Whom a no is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// The address is dead.
    Address,
    /// This mail to this address will not be taken.
    Mail,
    /// The address takes no mail for now.
    Busy(Duration),
    /// The mailbox that sends: rest for so long.
    Sender(Duration),
}

pub(super) fn judge(failure: &Failure) -> Judgement {
    match failure {
        Failure::Refused(stage, reply) => {
            let reason = format!("{}: {}", stage.doing(), reply.said());
            judged(about(*stage, reply), reason)
        }
        // The end was said: nobody knows whether it was heard.
        Failure::Lost(Stage::End, error) => {
            let reason = format!("{}: {}", Stage::End.doing(), words(error));
            // A server that loses one loses the next: the mailbox rests before more are in doubt.
            Judgement { verdict: Verdict::InDoubt(reason.clone()), pause: Some(SOON), reason }
        }
        Failure::Lost(stage, error) => {
            let reason = format!("{}: {}", stage.doing(), words(error));
            // A certificate does not mend itself in minutes.
            let pause = if *stage == Stage::Tls { LATER } else { SOON };
            judged(About::Sender(pause), reason)
        }
        Failure::Unfit(stage, why) => judged(About::Sender(LONG), format!("{}: {why}", stage.doing())),
        Failure::TooLate => {
            let reason = HELD_BACK.to_owned();
            Judgement { verdict: Verdict::Retry { after: None, reason: reason.clone() }, pause: None, reason }
        }
        // The next claim finds the stop and takes the push back.
        Failure::Stopped => {
            let reason = "a stop came while the mail was on its way".to_owned();
            let after = Some(Duration::ZERO);
            Judgement { verdict: Verdict::Retry { after, reason: reason.clone() }, pause: None, reason }
        }
        Failure::Unable(why) => judged(About::Mail, (*why).to_owned()),
    }
}

fn words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "the connection ended".to_owned(),
        _ => error.to_string(),
    }
}

fn judged(about: About, reason: String) -> Judgement {
    let (verdict, pause) = match about {
        About::Address => (Verdict::Bounced(reason.clone()), None),
        About::Mail => (Verdict::Refused(reason.clone()), None),
        About::Busy(after) => (Verdict::Retry { after: Some(after), reason: reason.clone() }, None),
        About::Sender(pause) => (Verdict::Retry { after: Some(pause), reason: reason.clone() }, Some(pause)),
    };
    Judgement { verdict, pause, reason }
}

fn about(stage: Stage, reply: &Reply) -> About {
    let temporary = reply.code / 100 == 4;
    // Nobody has been named yet, so that it cannot be about anybody.
    if stage <= Stage::Login {
        return About::Sender(if temporary { SOON } else { LONG });
    }
    if reply.code == 421 {
        return About::Sender(SOON);
    }
    // Words alone: a code in front of them would be heard, too.
    let words = |line: &String| match (reply.enhanced, line.split_once(' ')) {
        (Some(_), Some((first, rest))) if first.starts_with(['4', '5']) => rest.to_lowercase(),
        _ => line.to_lowercase(),
    };
    let said = reply.lines.iter().map(words).collect::<Vec<_>>().join(" ");
    let dead = || stage >= Stage::Recipient && reply::says_dead(&said);
    match reply.enhanced {
        Some(code) if is_telling(code) => by_code(stage, code, &said, dead),
        _ => by_plain_code(stage, reply.code, &said, dead),
    }
}

/// Says more than its class.
const fn is_telling(code: Enhanced) -> bool {
    code.subject != 0 && code.detail != 0
}

fn by_code(stage: Stage, code: Enhanced, said: &str, dead: impl Fn() -> bool) -> About {
    let temporary = code.class == 4;
    let sender = About::Sender(if temporary { LATER } else { LONG });
    match (code.subject, code.detail) {
        // Our own address, or its domain.
        (1, 7 | 8) => sender,
        // No recipient has been named.
        (1 | 2, _) if stage < Stage::Recipient => sender,
        (2, 2) => About::Busy(MUCH_LATER),
        (2, 3) | (3, 4) | (6, _) => About::Mail,
        // Greylisting asks everybody to come again.
        (7, _) if temporary && (said.contains("greylist") || said.contains("graylist")) => About::Busy(SOON),
        (7, _) => sender,
        // Too many recipients at once: later.
        (5, 3) => About::Busy(SOON),
        // Some say that a user is unknown as one of routing.
        (4, _) if !temporary && dead() => About::Address,
        (4 | 5, _) if !temporary => sender,
        (1, 1 | 2 | 3 | 6 | 10) | (2, 1) if !temporary => About::Address,
        _ if temporary && stage < Stage::Recipient => About::Sender(SOON),
        _ if temporary => About::Busy(LATER),
        _ if dead() => About::Address,
        _ => About::Mail,
    }
}

fn by_plain_code(stage: Stage, code: u16, said: &str, dead: impl Fn() -> bool) -> About {
    let policy = || POLICY.iter().any(|word| said.contains(word));
    match (stage, code) {
        (Stage::Sender, 552) => About::Mail,
        (Stage::Sender, 400..=499) => About::Sender(SOON),
        // RFC 5321 4.5.3.1.10: 552 is to be read as 452, too many recipients.
        (Stage::Recipient, 552) | (_, 400..=499) => About::Busy(LATER),
        // Whatever it says of the sender; a command that it does not know, or not here.
        (Stage::Sender, _) | (_, 500..=504 | 530 | 535) => About::Sender(LONG),
        _ if policy() => About::Sender(LONG),
        (Stage::Recipient, 551 | 553) => About::Address,
        _ if dead() => About::Address,
        _ => About::Mail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about_text(stage: Stage, text: &str) -> About {
        let (code, said) = text.split_once(' ').unwrap();
        about(stage, &Reply::new(code.parse().unwrap(), vec![said.to_owned()]))
    }

    #[test]
    fn the_table_holds() {
        use About::{Address, Busy, Mail, Sender};
        let (recipient, text, end) = (Stage::Recipient, Stage::Text, Stage::End);
        for (stage, answer, expected) in [
            // Dead addresses, at RCPT and after the mail.
            (recipient, "550 5.1.1 no", Address),
            (end, "550 5.1.1 no", Address),
            (recipient, "550 5.1.2 no", Address),
            (recipient, "553 5.1.3 no", Address),
            (recipient, "550 5.1.6 moved", Address),
            (recipient, "556 5.1.10 null MX", Address),
            (recipient, "550 5.2.1 disabled", Address),
            (recipient, "550 User unknown", Address),
            (recipient, "550 5.0.0 no such user", Address),
            (recipient, "550 5.4.1 Recipient address rejected: Access denied", Address),
            (recipient, "551 not local", Address),
            (recipient, "553 odd name", Address),
            // Full and busy ones.
            (recipient, "552 5.2.2 over quota", Busy(MUCH_LATER)),
            (end, "452 4.2.2 mailbox full", Busy(MUCH_LATER)),
            (recipient, "452 too many recipients", Busy(LATER)),
            (recipient, "452 4.5.3 too many recipients", Busy(SOON)),
            (recipient, "552 too many recipients", Busy(LATER)),
            (recipient, "450 4.2.1 busy", Busy(LATER)),
            (end, "451 4.3.0 queue", Busy(LATER)),
            (recipient, "450 4.4.1 no route", Busy(LATER)),
            (end, "450 4.4.7 expired", Busy(LATER)),
            (recipient, "450 4.7.1 Greylisted, come again", Busy(SOON)),
            (recipient, "450 4.1.1 unverified", Busy(LATER)),
            // The mail itself.
            (end, "552 5.2.3 too big", Mail),
            (end, "552 5.3.4 too big", Mail),
            (end, "554 5.6.0 malformed", Mail),
            (end, "552 too big", Mail),
            (end, "554 transaction failed", Mail),
            (recipient, "550 5.0.0 no", Mail),
            (Stage::Sender, "552 size", Mail),
            // The sender: reputation, settings, a server in trouble.
            (end, "550 5.7.1 spam", Sender(LONG)),
            (recipient, "550 5.7.1 user unknown", Sender(LONG)),
            (end, "550 5.7.26 unauthenticated", Sender(LONG)),
            (end, "550 5.7.515 access denied", Sender(LONG)),
            (end, "421 4.7.0 try again later", Sender(SOON)),
            (end, "451 4.7.1 deferred", Sender(LATER)),
            (recipient, "554 relay access denied", Sender(LONG)),
            (end, "554 blocked by our spam filter", Sender(LONG)),
            (recipient, "550 5.4.6 routing loop", Sender(LONG)),
            (text, "503 5.5.1 bad sequence", Sender(LONG)),
            (recipient, "501 syntax", Sender(LONG)),
            (Stage::Sender, "530 5.7.0 log in first", Sender(LONG)),
            (Stage::Sender, "553 5.1.8 sender's domain", Sender(LONG)),
            (Stage::Sender, "550 5.1.0 sender rejected", Sender(LONG)),
            (Stage::Sender, "550 5.1.1 not yours", Sender(LONG)),
            (Stage::Sender, "452 4.3.1 disk full", Sender(SOON)),
            (Stage::Sender, "451 local error", Sender(SOON)),
            (Stage::Login, "535 5.7.8 wrong", Sender(LONG)),
            (Stage::Login, "454 4.7.0 later", Sender(SOON)),
            (Stage::Hello, "554 5.1.1 no", Sender(LONG)),
            (recipient, "421 closing", Sender(SOON)),
        ] {
            assert_eq!(about_text(stage, answer), expected, "{stage:?} {answer}");
        }
    }

    #[test]
    fn a_senders_trouble_is_no_mark_on_the_contact() {
        for stage in [
            Stage::Connect,
            Stage::Tls,
            Stage::Hello,
            Stage::Login,
            Stage::Sender,
            Stage::Recipient,
            Stage::Text,
        ] {
            let judgement = judge(&Failure::Lost(stage, std::io::ErrorKind::TimedOut.into()));
            assert!(matches!(judgement.verdict, Verdict::Retry { .. }), "{stage:?}");
            assert!(judgement.pause.is_some(), "{stage:?}");
        }
        let judgement = judge(&Failure::Lost(Stage::End, std::io::ErrorKind::TimedOut.into()));
        assert!(matches!(judgement.verdict, Verdict::InDoubt(_)));
        let judgement = judge(&Failure::Unfit(Stage::Tls, "no STARTTLS"));
        assert!(matches!(judgement.verdict, Verdict::Retry { .. }) && judgement.pause == Some(LONG));
    }
}
