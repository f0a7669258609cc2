//! Patterns of the text operators: what people wrote, made safe for LIKE and for regular expressions.
//!
//! Never builds SQL: every pattern is bound.

/// Text in which LIKE finds no wildcard.
pub(super) fn like_literal(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '%' | '_') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// A LIKE pattern as written; a backslash at its very end, which PostgreSQL would refuse at run time,
/// stands for itself.
pub(super) fn like_pattern(pattern: &str) -> String {
    let trailing = pattern.chars().rev().take_while(|c| *c == '\\').count();
    if trailing % 2 == 1 { format!("{pattern}\\") } else { pattern.to_owned() }
}

/// A regular expression for the whole word.
///
/// Not `\y`: it needs a letter at the edge, and `C++` has none.
pub(super) fn word_pattern(word: &str) -> String {
    let mut escaped = String::with_capacity(word.len());
    for c in word.chars() {
        if c.is_ascii_punctuation() {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    format!("(^|[^[:alnum:]_]){escaped}($|[^[:alnum:]_])")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_has_a_meaning() {
        assert_eq!(like_literal(r"50%_\x"), r"50\%\_\\x");
        assert_eq!(like_pattern(r"a\"), r"a\\");
        assert_eq!(like_pattern(r"a\\"), r"a\\");
        assert_eq!(word_pattern("C++ я"), r"(^|[^[:alnum:]_])C\+\+ я($|[^[:alnum:]_])");
    }
}
