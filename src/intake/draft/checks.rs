//! What a drafted text must be before it can become part of a mail: short, in its language, without holes and links. Pure.
//!
//! Whatever a model was talked into, it can only ever be the text of one field; this holds that text to be one.

use whatlang::Lang;

use crate::model::{Draft, FENCE, Language, printable};

/// No field is longer, whatever its words.
const MAX_CHARS: usize = 4000;
/// Fewer letters do not tell a language.
const TELLING_LETTERS: usize = 24;

/// The text as it is used, or what is wrong with it.
pub(super) fn check(text: &str, draft: &Draft) -> Result<String, String> {
    let text = plain(text);
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if printable(&text) != text {
        return Err("it holds invisible characters".to_owned());
    }
    let words = text.split_whitespace().count();
    if words > draft.max_words as usize {
        return Err(format!("it has {words} words, at most {} are wanted", draft.max_words));
    }
    if text.chars().count() > MAX_CHARS {
        return Err(format!("it is longer than {MAX_CHARS} characters"));
    }
    if let Some(hole) = placeholder(&text) {
        return Err(format!("it holds a placeholder: {hole}"));
    }
    if !draft.links
        && let Some(link) = link(&text)
    {
        return Err(format!("it holds a link or an address: {link}"));
    }
    if let Some(wanted) = draft.language
        && !is_in(&text, wanted)
    {
        return Err(format!("it is not in {}", wanted.as_str()));
    }
    Ok(text)
}

/// One line, without the quotes that models like to put around it.
fn plain(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (open, close) in [('"', '"'), ('“', '”'), ('«', '»')] {
        let inside = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        if let Some(inside) = inside.filter(|inside| !inside.contains([open, close])) {
            return inside.trim().to_owned();
        }
    }
    text
}

/// What was left to be filled in.
fn placeholder(text: &str) -> Option<&str> {
    for (open, close) in [('[', ']'), ('{', '}'), ('<', '>'), (FENCE[0], FENCE[1])] {
        if let Some(start) = text.find(open) {
            let rest = &text[start..];
            let end = rest.find(close).map_or(rest.len(), |end| end + close.len_utf8());
            return Some(&rest[..end]);
        }
        if text.contains(close) {
            return Some("an open bracket");
        }
    }
    let lower = text.to_lowercase();
    ["lorem ipsum", "___", "xxx", "insert name", "your name", "company name"]
        .into_iter()
        .find(|hole| lower.contains(hole))
}

/// The first word that a mail program would turn into a link, or that is an address.
fn link(text: &str) -> Option<&str> {
    text.split_whitespace().find(|word| {
        let word = word.to_lowercase();
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        word.contains("://")
            || word.starts_with("www.")
            || word.starts_with("mailto:")
            || word.contains('@')
            || is_host(word.split(['/', '?', '#', ':']).next().unwrap_or_default())
    })
}

/// `acme.com`, and not `e.g.`, `U.S.` or `Node.js`.
fn is_host(word: &str) -> bool {
    let labels: Vec<&str> = word.split('.').collect();
    let (Some(top), Some(first)) = (labels.last(), labels.first()) else { return false };
    labels.len() > 1
        && labels
            .iter()
            .all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-'))
        && top.chars().count() > 1
        && top.chars().all(char::is_alphabetic)
        && first.chars().count() > 1
        && *top != "js"
}

/// Whether nothing speaks against the language: a short text may be taken for a neighbour of it.
fn is_in(text: &str, wanted: Language) -> bool {
    let letters: Vec<char> = text.chars().filter(|c| c.is_alphabetic()).collect();
    let cyrillic = letters.iter().filter(|c| ('\u{400}'..='\u{52f}').contains(*c)).count();
    let latin =
        letters.iter().filter(|c| c.is_ascii_alphabetic() || ('\u{c0}'..='\u{24f}').contains(*c)).count();
    let own = if wanted == Language::Russian { cyrillic } else { latin };
    if own * 2 < letters.len() {
        return false;
    }
    if letters.len() < TELLING_LETTERS {
        return true;
    }
    let lang = match wanted {
        Language::English => Lang::Eng,
        Language::Russian => Lang::Rus,
        Language::German => Lang::Deu,
        Language::French => Lang::Fra,
        Language::Spanish => Lang::Spa,
        Language::Italian => Lang::Ita,
        Language::Portuguese => Lang::Por,
        Language::Dutch => Lang::Nld,
    };
    whatlang::detect(text).is_none_or(|found| found.lang() == lang || !found.is_reliable())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Review;

    fn draft(language: Option<Language>, links: bool) -> Draft {
        Draft {
            prompt: String::new(),
            text: String::new(),
            reads: Vec::new(),
            model: None,
            max_words: 20,
            language,
            links,
            review: Review::None,
            spec: String::new(),
        }
    }

    #[test]
    fn good_texts_pass_as_one_plain_line() {
        let of = |text| check(text, &draft(None, false));
        assert_eq!(
            of(" “Your new terminal\n in Bonn is remarkable.” "),
            Ok("Your new terminal in Bonn is remarkable.".into())
        );
        for good in ["We use Node.js, e.g. for U.S. customers.", "«Альфа» растёт", "5.5 times, v2.0 and Q4"]
        {
            assert_eq!(of(good), Ok(good.to_owned()));
        }
    }

    #[test]
    fn holes_links_lengths_and_languages_are_refused() {
        let of = |text: &str, language, links| check(text, &draft(language, links));
        for (text, says) in [
            ("", "empty"),
            ("  \n", "empty"),
            ("Hello [Name], how are you?", "[Name]"),
            ("Hello {{ first_name }}", "placeholder"),
            ("Dear <company>", "<company>"),
            ("a ⟦ b", "placeholder"),
            ("Look at https://evil.example/x", "link"),
            ("Look at evil.com.", "link"),
            ("Look at bit.ly/abc", "link"),
            ("Write to me@evil.com", "link"),
            ("hid\u{202e}den", "invisible"),
        ] {
            let problem = of(text, None, false).unwrap_err();
            assert!(problem.contains(says), "{text}: {problem}");
        }
        assert!(of(&"word ".repeat(21), None, false).unwrap_err().contains("21 words"));
        assert!(of("See acme.com", None, true).is_ok());
        let english = "Your new warehouse in Bonn caught our attention this week.";
        let russian = "Ваш новый склад под Казанью произвёл на нас сильное впечатление.";
        assert!(of(english, Some(Language::English), false).is_ok());
        assert!(of(russian, Some(Language::Russian), false).is_ok());
        assert!(of(english, Some(Language::Russian), false).is_err());
        assert!(of(russian, Some(Language::English), false).is_err());
        let german = "Ihr neues Lager in der Nähe von Bonn hat uns in dieser Woche sehr beeindruckt.";
        assert!(of(german, Some(Language::German), false).is_ok());
        assert!(of(german, Some(Language::English), false).is_err());
    }
}
