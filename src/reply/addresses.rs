//! Finds addresses in text that was made for people.

use crate::model::normalize_address;

/// Where an address stands in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
}

/// The longest local part (RFC 5321 allows 64; VERP and X.400 gateways write longer ones) and domain.
const LONGEST: usize = 255;

/// Markers of address types that stick to the address behind them: `SMTP=`, `/RFC-822=`.
const TYPES: &[&str] = &["smtp=", "rfc-822=", "rfc822=", "rfc-822/", "rfc822/"];

/// Every address of a line, from left to right.
pub(super) fn find(line: &str) -> Vec<Span> {
    let mut found: Vec<Span> = Vec::new();
    for (at, _) in line.match_indices('@') {
        let floor = found.last().map_or(0, |last| last.end);
        if let Some(span) = around(line, at, floor) {
            found.push(span);
        }
    }
    found
}

/// The first address of a text, normalised.
pub(super) fn first(text: &str) -> Option<String> {
    find(text).first().map(|span| normalize_address(&text[span.start..span.end]))
}

/// Every address of a text, normalised.
pub(super) fn all(text: &str) -> Vec<String> {
    find(text).iter().map(|span| normalize_address(&text[span.start..span.end])).collect()
}

fn around(line: &str, at: usize, floor: usize) -> Option<Span> {
    let start = local_start(line, at, floor)?;
    let end = domain_end(line, at + 1)?;
    Some(Span { start, end })
}

fn local_start(line: &str, at: usize, floor: usize) -> Option<usize> {
    let before = &line[floor..at];
    if let Some(quoted) = before.strip_suffix('"') {
        // `"anna k"@acme.example`
        let open = quoted.rfind('"')?;
        return (at - open - floor <= LONGEST).then_some(floor + open);
    }
    let mut start = at;
    for (index, c) in before.char_indices().rev() {
        if !is_local(c) || at - floor - index > LONGEST {
            break;
        }
        start = floor + index;
    }
    let mut local = &line[start..at];
    let lower = local.to_ascii_lowercase();
    for kind in TYPES {
        if let Some(found) = lower.rfind(kind) {
            local = local.get(found + kind.len()..).unwrap_or(local);
            break;
        }
    }
    // Marks of text around addresses, not of addresses.
    let local = local.trim_start_matches(['\'', '*', '/', '=', '.', '-', '{', '`', '|', '#', '&', '~', '?']);
    (!local.is_empty()).then(|| at - local.len())
}

fn domain_end(line: &str, from: usize) -> Option<usize> {
    let after = &line[from..];
    let length = after
        .char_indices()
        .find(|(index, c)| !is_domain(*c) || *index > LONGEST)
        .map_or(after.len(), |(index, _)| index);
    let domain = after[..length].trim_end_matches(['.', '-', '_']);
    let begins = domain.chars().next()?;
    (begins.is_alphanumeric()).then_some(from + domain.len())
}

fn is_local(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || ".-_".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_addresses_as_people_and_machines_write_them() {
        for (line, expected) in [
            ("<anna@acme.example>: host said", vec!["anna@acme.example"]),
            ("c=us;a= ;p=x;dda:SMTP=Anna@Acme.example; on Wed", vec!["anna@acme.example"]),
            ("'anna@acme.example' and bob@b.example.", vec!["anna@acme.example", "bob@b.example"]),
            ("RCPT TO:<anna+x=y@acme.example>", vec!["anna+x=y@acme.example"]),
            ("Recipient: [SMTP:anna@acme.example]", vec!["anna@acme.example"]),
            ("a <mailto:anna@acme.example>", vec!["anna@acme.example"]),
            ("\"anna k\"@acme.example", vec!["\"anna k\"@acme.example"]),
            ("кто-то написал иван@почта.рф, вот", vec!["иван@почта.рф"]),
            ("@ @@ a@ @b x@-", vec![]),
        ] {
            assert_eq!(all(line), expected, "{line}");
        }
    }
}
