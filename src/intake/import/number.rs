//! Numbers as people write them, where that can be understood surely.
//!
//! Never guesses: a comma that may be a decimal point or a thousands separator is refused.

/// Digits with an optional sign and fraction, ready for the database; or why not.
pub(super) fn decimal(text: &str) -> Result<String, String> {
    let (sign, body) = match text.strip_prefix(['-', '\u{2212}']) {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let not_a_number = || format!("`{}` is not a number", shown(text));
    if !body.starts_with(|c: char| c.is_ascii_digit()) || !body.ends_with(|c: char| c.is_ascii_digit()) {
        return Err(not_a_number());
    }
    if !body.chars().all(|c| c.is_ascii_digit() || is_space(c) || matches!(c, '.' | ',')) {
        return Err(not_a_number());
    }
    let dots = body.matches('.').count();
    let commas = body.matches(',').count();
    let spaced = body.contains(is_space);
    let (point, group) = match (dots, commas) {
        (0, 0) => (None, None),
        // `1 250 000,50` has its thousands apart already; `1250,5` and `0,250` cannot be thousands.
        (0, 1) if spaced || !may_be_thousands(body) => (Some(','), None),
        (0, 1) => {
            return Err(format!(
                "`{text}` may be a fraction or thousands: write it with a point, or without"
            ));
        }
        (1, 0) => (Some('.'), None),
        // Two separators tell each other apart: the last one, which stands once, is the decimal point.
        (1, _) if body.rfind('.') > body.rfind(',') => (Some('.'), Some(',')),
        (_, 1) if body.rfind(',') > body.rfind('.') => (Some(','), Some('.')),
        (0, _) => (None, Some(',')),
        (_, 0) => (None, Some('.')),
        _ => return Err(not_a_number()),
    };
    if spaced && group.is_some() {
        return Err(not_a_number());
    }
    let (whole, fraction) = match point {
        Some(point) => body.split_once(point).ok_or_else(not_a_number)?,
        None => (body, ""),
    };
    let whole = ungroup(whole, |c| group.map_or_else(|| is_space(c), |group| c == group));
    match whole {
        Some(whole) if fraction.chars().all(|c| c.is_ascii_digit()) && whole.len() + fraction.len() <= 40 => {
            let point = if fraction.is_empty() { "" } else { "." };
            Ok(format!("{sign}{whole}{point}{fraction}"))
        }
        _ => Err(not_a_number()),
    }
}

/// A whole number that fits the database's `integer`; `140.0` is one.
pub(super) fn integer(text: &str) -> Result<String, String> {
    let refused = |_| format!("`{}` is not a whole number", shown(text));
    // As a fraction it says more than a whole number needs, as thousands it is another number.
    let looks_grouped = |(whole, fraction): (&str, &str)| {
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let sign = ['-', '\u{2212}', '+'];
        let whole = whole.trim_start_matches(sign);
        (1..=3).contains(&whole.len())
            && !whole.starts_with('0')
            && fraction.len() == 3
            && digits(whole)
            && digits(fraction)
    };
    if text.split_once('.').is_some_and(looks_grouped) {
        return Err(format!("`{text}` may be a fraction or thousands: write it without a point"));
    }
    let number = match decimal(text) {
        Err(reason) if reason.contains("thousands") => return Err(reason),
        other => other.map_err(refused)?,
    };
    let whole = match number.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole,
        Some(_) => return Err(refused(String::new())),
        None => &number,
    };
    match whole.parse::<i32>() {
        Ok(value) => Ok(value.to_string()),
        Err(_) => Err(format!("`{}` is outside of what the column holds", shown(text))),
    }
}

/// The start of a value, for a reason.
pub(super) fn shown(text: &str) -> String {
    const CHARS: usize = 60;
    let one_line = |part: &str| part.replace(['\r', '\n'], " ");
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", one_line(&text[..end])),
        None => one_line(text),
    }
}

/// Spaces that stand between thousands: plain, no-break, thin, figure, narrow no-break.
const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{2009}' | '\u{2007}' | '\u{202f}')
}

/// `1,250` may be a thousand or a fraction.
fn may_be_thousands(body: &str) -> bool {
    body.split_once(',')
        .is_some_and(|(whole, fraction)| fraction.len() == 3 && whole.len() <= 3 && !whole.starts_with('0'))
}

/// Takes out separators that stand where thousands end; `None` when one stands elsewhere.
fn ungroup(whole: &str, is_separator: impl Fn(char) -> bool + Copy) -> Option<String> {
    let groups: Vec<&str> = whole.split(is_separator).collect();
    let digits = groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_digit()));
    let placed = match groups.as_slice() {
        [_] => true,
        [first, rest @ ..] => (1..=3).contains(&first.len()) && rest.iter().all(|group| group.len() == 3),
        [] => false,
    };
    (digits && placed).then(|| groups.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_what_can_be_understood_surely() {
        for (text, number) in [
            ("1250000.50", "1250000.50"),
            ("1 250 000,50", "1250000.50"),
            ("1\u{a0}250\u{a0}000,50", "1250000.50"),
            ("1\u{202f}250\u{2009}000", "1250000"),
            ("-1112639.11", "-1112639.11"),
            ("\u{2212}5", "-5"),
            ("+7", "7"),
            ("1250,5", "1250.5"),
            ("12,50", "12.50"),
            ("0,250", "0.250"),
            ("1250,500", "1250.500"),
            ("1,250,000", "1250000"),
            ("1,250,000.5", "1250000.5"),
            ("1.250.000,5", "1250000.5"),
            ("1.250.000", "1250000"),
            ("1.250", "1.250"),
            ("007", "007"),
        ] {
            assert_eq!(decimal(text), Ok(number.to_owned()), "{text}");
        }
    }

    #[test]
    fn refuses_what_would_be_a_guess() {
        for text in [
            "1,250",
            "about 40",
            "",
            "-",
            "1e6",
            "1.2.3",
            "1 25 000",
            "12 млн",
            "5%",
            "1,2,3",
            "1.250,000.5",
            ".5",
            "5.",
            "--5",
            "1 250,000 5",
            "0x10",
            "٣",
            "1_000",
            "(5)",
            "NaN",
            "1  250",
            "1,250.000,5",
            "1 250.000.5",
        ] {
            assert!(decimal(text).is_err(), "{text} gave {:?}", decimal(text));
        }
    }

    #[test]
    fn whole_numbers_are_whole_and_fit() {
        assert_eq!(integer("140"), Ok("140".to_owned()));
        assert_eq!(integer("1 400"), Ok("1400".to_owned()));
        assert_eq!(integer("140.0"), Ok("140".to_owned()));
        assert_eq!(integer("about 40").unwrap_err(), "`about 40` is not a whole number");
        assert!(integer("1.5").is_err());
        assert!(integer("1,250").unwrap_err().contains("thousands"));
        for text in ["1.250", "1.000", "-12.000", "100.000"] {
            assert!(integer(text).unwrap_err().contains("thousands"), "{text}");
        }
        assert_eq!(integer("1400.000"), Ok("1400".to_owned()));
        assert!(integer("3000000000").unwrap_err().contains("outside"));
    }
}
