//! Mail addresses as the project compares them: trimmed and lower-cased.
//!
//! Never decides whether a mailbox exists; it only refuses what cannot be an address at all.

/// The form in which two addresses are compared everywhere: trimmed, lower-cased.
///
/// One letter for one letter, as PostgreSQL's `lower` does it (`outreach.address` is the twin): no final
/// sigma, and the dotted İ, the only letter that Rust lowers to two, is a plain i.
pub fn normalize_address(text: &str) -> String {
    let lower = |letter: char| letter.to_lowercase().next().unwrap_or(letter);
    text.trim().chars().map(lower).collect()
}

/// The part after the `@` of a normalised address.
pub fn domain_of(address: &str) -> Option<&str> {
    address.rsplit_once('@').map(|(_, domain)| domain)
}

/// Whether a normalised address can be written to.
///
/// The same rule stands as SQL in `store/diff`; a property test holds the two together:
/// one `@`, something before it, a dotted host after it, at most 254 bytes (RFC 5321 4.5.3.1.3),
/// and none of the characters that make a header or a list of addresses.
pub fn is_address(address: &str) -> bool {
    if address.len() > 254 {
        return false;
    }
    let Some((local, domain)) = address.split_once('@') else {
        return false;
    };
    let clean =
        |part: &str| !part.is_empty() && part.chars().all(|c| !"@,;:<>()[]\"\\".contains(c) && !is_blank(c));
    clean(local)
        && clean(domain)
        && local.len() <= 64
        && domain.contains('.')
        && domain
            .split('.')
            .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
}

/// Blanks, controls and invisible marks; spelled out as in SQL, where classes depend on a locale.
fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\0'..=' '
            | '\u{7f}'..='\u{a0}'
            | '\u{1680}'
            | '\u{2000}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{205f}'..='\u{206f}'
            | '\u{3000}'
            | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_addresses_from_other_text() {
        for good in ["a@b.co", "anna.k+tag@mail.example", "иван@почта.рф", "o'neil@x.example"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "@",
            "a@",
            "@b.co",
            "a@b",
            "a b@c.de",
            "a@b..co",
            "a@b.co,c@d.ee",
            "not-an-email",
            "a@-b.co",
            ".a@b.co",
            "a..b@c.de",
            "a@b@c.de",
            "<a@b.co>",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
        assert!(!is_address(&format!("{}@b.co", "a".repeat(65))));
    }
}
