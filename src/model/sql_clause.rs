//! What the text of a `sql` clause may not do to the statement around it.
//!
//! Reads the text's outline only (quotes, comments, brackets); whether it is good SQL the database says.

/// Why a `sql` clause is refused before any database sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SqlClauseError {
    #[error("the text is empty: write one boolean expression over `e` and `c`")]
    Empty,
    #[error("`;` would end the statement: write one expression")]
    Semicolon,
    #[error("brackets do not match: close what you open, and nothing more")]
    Brackets,
    #[error("a quotation or comment is never closed")]
    Unclosed,
    #[error("`$1` and the like belong to outreachd's own values: write the value itself")]
    Placeholder,
}

/// Holds the text to be one expression that cannot reach outside its own brackets.
pub fn check_sql(text: &str) -> Result<(), SqlClauseError> {
    let mut rest = text;
    let mut open = Vec::new();
    let mut empty = true;
    let mut previous = ' ';
    while let Some(c) = rest.chars().next() {
        let skipped = quoted(rest, previous)?;
        let length = skipped.map_or(c.len_utf8(), |(length, _)| length);
        match (skipped, c) {
            (None, ';') => return Err(SqlClauseError::Semicolon),
            (None, '(' | '[') => open.push(c),
            (None, ')') if open.pop() != Some('(') => return Err(SqlClauseError::Brackets),
            (None, ']') if open.pop() != Some('[') => return Err(SqlClauseError::Brackets),
            (None, '$')
                if !in_word(previous) && rest[1..].starts_with(|next: char| next.is_ascii_digit()) =>
            {
                return Err(SqlClauseError::Placeholder);
            }
            _ => {}
        }
        let comment = skipped.is_some_and(|(_, comment)| comment);
        empty = empty && (comment || c.is_whitespace());
        previous = rest[..length].chars().next_back().unwrap_or(' ');
        rest = &rest[length..];
    }
    match (open.is_empty(), empty) {
        (false, _) => Err(SqlClauseError::Brackets),
        (true, true) => Err(SqlClauseError::Empty),
        (true, false) => Ok(()),
    }
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

/// The length of the quotation or comment that begins here, if one does, and whether it is a comment.
fn quoted(text: &str, previous: char) -> Result<Option<(usize, bool)>, SqlClauseError> {
    let found = if text.starts_with("--") {
        return Ok(Some((text.find(['\n', '\r']).unwrap_or(text.len()), true)));
    } else if text.starts_with("/*") {
        (comment(text), true)
    } else if let Some(inside) = text.strip_prefix('"') {
        (inside.find('"').map(|end| end + 2), false)
    } else if text.starts_with('\'') {
        (string(text, matches!(previous, 'e' | 'E')), false)
    } else if text.starts_with('$') && !in_word(previous) {
        let tag = text[1..].find('$').map(|end| &text[..end + 2]);
        let tag = tag.filter(|tag| {
            let name = &tag[1..tag.len() - 1];
            name.chars().all(|c| c.is_alphanumeric() || c == '_')
                && !name.starts_with(|c: char| c.is_ascii_digit())
        });
        let Some(tag) = tag else { return Ok(None) };
        (text[tag.len()..].find(tag).map(|end| end + 2 * tag.len()), false)
    } else {
        return Ok(None);
    };
    found.0.map(|length| Some((length, found.1))).ok_or(SqlClauseError::Unclosed)
}

/// A doubled quote reads as two strings side by side, which has the same outline.
fn string(text: &str, backslashes: bool) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if backslashes => escaped = true,
            '\'' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Comments nest in PostgreSQL.
fn comment(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_clause_inside_its_brackets() {
        for good in [
            "cardinality(c.all_company_emails) > 0",
            "e.position = ';)' -- why; not (",
            "e.position = E'it\\'s;' and \"e\".\"position\" <> 'a''b;'",
            "e.position = $q$ ; ) $q$ /* ( /* ; */ ) */",
            "e.phone_numbers[1] like '%(%'",
        ] {
            assert_eq!(check_sql(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("  -- nothing", SqlClauseError::Empty),
            ("true; drop table x", SqlClauseError::Semicolon),
            ("true) or (true", SqlClauseError::Brackets),
            ("(true", SqlClauseError::Brackets),
            ("e.phone_numbers[1) = (2]", SqlClauseError::Brackets),
            ("'open", SqlClauseError::Unclosed),
            ("true /* /* */", SqlClauseError::Unclosed),
            ("'a\\' ; '", SqlClauseError::Semicolon),
            ("e.position = $1", SqlClauseError::Placeholder),
        ] {
            assert_eq!(check_sql(bad), Err(why), "{bad}");
        }
    }
}
