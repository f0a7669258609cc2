//! Enhanced status codes (RFC 3463) and words of servers: is the address dead?

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code {
    class: u8,
    subject: u16,
    detail: u16,
}

impl Code {
    /// Says more than its class: not x.0.0, "other address status", "other protocol status" and the like.
    fn is_telling(self) -> bool {
        self.subject != 0 && self.detail != 0
    }

    /// The mail or its sender was refused, or the mailbox was full: nothing against the address.
    fn spares_address(self) -> bool {
        self.subject == 7 || (self.subject == 2 && self.detail == 2)
    }

    /// The address does not exist, its domain takes no mail, or it was closed.
    fn kills_address(self) -> bool {
        self.class == 5 && matches!((self.subject, self.detail), (1, 1 | 2 | 3 | 6 | 10) | (2, 1))
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// Every enhanced code of classes 4 and 5 in a text; addresses of hosts and versions are none.
pub(super) fn codes(text: &str) -> Vec<Code> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    for at in 0..bytes.len() {
        if !matches!(bytes[at], b'4' | b'5') || bytes.get(at + 1) != Some(&b'.') {
            continue;
        }
        let stands_apart =
            at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || matches!(bytes[at - 1], b'.' | b'_'));
        if !stands_apart {
            continue;
        }
        let Some((subject, end)) = number(bytes, at + 2, 1) else { continue };
        if bytes.get(end) != Some(&b'.') {
            continue;
        }
        let Some((detail, end)) = number(bytes, end + 1, 3) else { continue };
        let goes_on = match bytes.get(end) {
            Some(b'.') => bytes.get(end + 1).is_some_and(u8::is_ascii_digit),
            Some(next) => next.is_ascii_alphanumeric(),
            None => false,
        };
        if subject <= 7 && !goes_on {
            found.push(Code { class: bytes[at] - b'0', subject, detail });
        }
    }
    found
}

fn number(bytes: &[u8], from: usize, digits: usize) -> Option<(u16, usize)> {
    let length = bytes.get(from..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 || length > digits {
        return None;
    }
    let value = bytes[from..from + length].iter().fold(0, |sum, byte| sum * 10 + u16::from(byte - b'0'));
    Some((value, from + length))
}

/// An SMTP reply code at the start of a word: `550 no`, `550-no`, `:550`.
pub(super) fn reply_code(text: &str) -> Option<u16> {
    let bytes = text.as_bytes();
    for at in 0..bytes.len().saturating_sub(2) {
        if !matches!(bytes[at], b'4' | b'5') || !matches!(bytes[at + 1], b'0'..=b'7') {
            continue;
        }
        let apart = at == 0
            || !(bytes[at - 1].is_ascii_alphanumeric() || matches!(bytes[at - 1], b'.' | b'-' | b'@' | b'/'));
        let ends = bytes.get(at + 3).is_none_or(|next| {
            matches!(next, b' ' | b'-' | b':' | b'\'' | b'"' | b'\n' | b')' | b'#' | b',')
        });
        if apart && ends && bytes[at + 2].is_ascii_digit() {
            return bytes[at..at + 3]
                .iter()
                .try_fold(0_u16, |sum, byte| Some(sum * 10 + u16::from(byte - b'0')));
        }
    }
    None
}

/// What is known of one failed recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub status: Option<String>,
    /// Whether the address is known to be dead.
    pub hard: bool,
}

/// The most telling code of a status field and of what the server said, and whether the address is dead.
pub(super) fn verdict(status: &str, diagnostic: &str) -> Verdict {
    let declared = codes(status).into_iter().next();
    let said = codes(diagnostic);
    let telling = said.iter().copied().find(|code| code.is_telling());
    let code = match declared {
        Some(code) if code.is_telling() => Some(code),
        _ => telling.or(declared).or_else(|| said.first().copied()),
    };
    Verdict { status: code.map(|code| code.to_string()), hard: hard(code, &said, diagnostic) }
}

fn hard(code: Option<Code>, said: &[Code], diagnostic: &str) -> bool {
    let spared = |code: Code| code.spares_address() || code.class == 4;
    if said.iter().copied().any(Code::spares_address) || code.is_some_and(spared) {
        return false;
    }
    if code.is_some_and(Code::kills_address) {
        return true;
    }
    match (code, hear(diagnostic)) {
        // A domain that does not exist is reported under routing by some.
        (Some(code), words) if code.subject == 4 => words == Some(Words::NoHost),
        (Some(code), _) if code.is_telling() => false,
        (_, words) => matches!(words, Some(Words::Dead | Words::NoHost)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Dead,
    NoHost,
    Alive,
}

/// In order of precedence: a full mailbox exists, a refused sender says nothing of the address.
const SAYINGS: &[(Words, &[&str])] = &[
    (
        Words::Alive,
        &[
            "mailbox full",
            "mailbox is full",
            "full mailbox",
            "mailfolder is full",
            "over quota",
            "overquota",
            "quota exceed",
            "exceeded quota",
            "exceeds quota",
            "exceed the quota",
            "disk quota",
            "exceeded storage",
            "mailbox exceeds",
            "mailbox size",
            "out of storage",
            "insufficient storage",
            "not enough space",
            "too large",
            "too big",
            "size limit",
            "message size",
            "maximum size",
            "spam",
            "blacklist",
            "blocklist",
            "block list",
            "blocked",
            "reputation",
            "spamhaus",
            "dmarc",
            "dkim",
            "spf ",
            "relay",
            "greylist",
            "try again later",
            "temporar",
            "too many",
            "policy",
            "timed out",
            "timeout",
            "queue too long",
            "expired",
            "not permitted",
            "authenticat",
            "переполнен",
            "квот",
            "спам",
            "временн",
        ],
    ),
    (
        Words::NoHost,
        &[
            "host unknown",
            "unknown host",
            "host not found",
            "name or service not known",
            "domain not found",
            "no such domain",
            "domain does not exist",
            "nonexistentdomain",
            "non-existent domain",
            "nxdomain",
            "couldn't find any host",
            "unrouteable address",
            "unroutable address",
            "domain is not reachable",
            "bad destination host",
            "null mx",
            "domain name not found",
            "unknown domain",
            "remote domain doesnt exist",
            "non-existent hosts",
            "lookups failed permanently",
            "домен не найден",
            "домен не существует",
        ],
    ),
    (
        Words::Dead,
        &[
            "user unknown",
            "unknown user",
            "unknown or illegal",
            "no such user",
            "no such recipient",
            "no such address",
            "no such mailbox",
            "no such account",
            "no mailbox",
            "does not exist",
            "doesn't exist",
            "unknown recipient",
            "recipient unknown",
            "unknown address",
            "address unknown",
            "addressee unknown",
            "unknown local",
            "unknown mailbox",
            "invalid recipient",
            "invalid mailbox",
            "invalid address",
            "invalid user",
            "invalid final delivery userid",
            "recipient address rejected",
            "recipient not found",
            "recipnotfound",
            "user not found",
            "mailbox not found",
            "account not found",
            "address not found",
            "not found in",
            "not recognized",
            "not a known user",
            "not our customer",
            "not listed in",
            "isn't a known",
            "doesn't have a",
            "does not have a",
            "no account",
            "no longer",
            "has been disabled",
            "is disabled",
            "account disabled",
            "disabled or discontinued",
            "deactivated",
            "account inactive",
            "is inactive",
            "has been closed",
            "was closed",
            "bad-mailbox",
            "mailbox unavailable",
            "there is no user",
            "not a valid",
            "no valid recipient",
            "invalid receiver",
            "undeliverable address",
            "bad address",
            "non-existent",
            "nonexistent",
            "unknown in",
            "no user",
            "нет такого пользователя",
            "пользователь не найден",
            "не существует",
            "ящик не найден",
            "ящика не существует",
            "адрес не найден",
            "недоступен или не существует",
            "неизвестный пользователь",
            "utilisateur inconnu",
            "unbekannter empfänger",
            "usuario desconocido",
            "ユーザーが見つかりません",
            "存在しない",
        ],
    ),
];

static HEARD: LazyLock<(AhoCorasick, Vec<Words>)> = LazyLock::new(|| {
    let sayings: Vec<&str> = SAYINGS.iter().flat_map(|(_, sayings)| sayings.iter().copied()).collect();
    let words = SAYINGS.iter().flat_map(|(words, sayings)| sayings.iter().map(|_| *words)).collect();
    (super::words::automaton(&sayings), words)
});

fn hear(text: &str) -> Option<Words> {
    let (automaton, words) = &*HEARD;
    let first =
        automaton.find_overlapping_iter(&text.to_lowercase()).map(|hit| hit.pattern().as_usize()).min()?;
    Some(words[first])
}

/// Whether a text speaks of a dead address or a full or refusing one, as servers do.
pub(super) fn speaks(text: &str) -> bool {
    hear(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hard_and_soft_follow_the_table() {
        for (status, said, expected, hard) in [
            ("5.1.1", "", Some("5.1.1"), true),
            ("5.1.10 (null MX)", "", Some("5.1.10"), true),
            ("5.2.1", "550 disabled", Some("5.2.1"), true),
            ("5.2.2", "mailbox full", Some("5.2.2"), false),
            ("5.7.1", "550 5.7.1 user unknown", Some("5.7.1"), false),
            ("5.1.1", "550 5.7.26 unauthenticated", Some("5.1.1"), false),
            ("4.4.7", "expired", Some("4.4.7"), false),
            ("5.0.0", "550 Unknown user anna", Some("5.0.0"), true),
            (
                "5.0.0",
                "5.1.0 - Unknown address error 550-'5.2.2 <a@x.example>... Mailbox Full'",
                Some("5.2.2"),
                false,
            ),
            ("5.4.4", "554 5.4.4 SMTPSEND.DNS.NonExistentDomain", Some("5.4.4"), true),
            ("5.4.6", "too many hops", Some("5.4.6"), false),
            ("5.0.0", "", Some("5.0.0"), false),
            ("", "554 delivery error: dd This user doesn't have a x.example account", None, true),
            ("", "554 go away", None, false),
            ("", "it did not work", None, false),
            ("", "host [5.1.1.2] said no; version 4.80", None, false),
        ] {
            let verdict = verdict(status, said);
            assert_eq!((verdict.status.as_deref(), verdict.hard), (expected, hard), "{status} {said}");
        }
    }
}
