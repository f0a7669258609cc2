//! The text of an HTML mail, without what it quotes.

use mail_parser::decoders::html::html_to_text;

/// Marks by which mail programs begin a quotation, in lower case. Whatever comes after is somebody else's.
const QUOTES: &[&str] = &[
    "<blockquote",
    "class=\"gmail_quote",
    "class=\"gmail_attr",
    "class=gmail_quote",
    "id=\"divrplyfwdmsg",
    "id=\"appendonsend",
    "id=\"mail-editor-reference-message-container",
    "class=\"yahoo_quoted",
    "class=\"moz-cite-prefix",
    "class=\"moz-forward-container",
    "class=\"outlookmessageheader",
    "class=\"protonmail_quote",
    "class=\"zmail_extra",
    "class=\"tutanota_quote",
    "id=\"isforwardcontent",
    "name=\"quote\"",
    "border:none;border-top:solid #e1e1e1",
    "border:none;border-top:solid #b5c4df",
];

/// Elements that begin a new line of text, where the converter would run the words together.
const BREAKS: &[&str] =
    &["<br", "<p", "</p", "<div", "</div", "<li", "<tr", "</td", "<h1", "<h2", "<h3", "<hr", "<table"];

/// What its sender wrote.
pub(super) fn unquoted(markup: &str) -> String {
    let lower = markup.to_ascii_lowercase();
    let quote = QUOTES.iter().filter_map(|mark| lower.find(mark)).min();
    if let Some(at) = quote {
        let above = plain(&markup[..tag_start(&lower, at)]);
        if !above.trim().is_empty() {
            return above;
        }
    }
    // Answered below the quotation, or nothing is quoted.
    plain(&without_quotations(markup, &lower))
}

fn tag_start(lower: &str, at: usize) -> usize {
    if lower[at..].starts_with('<') { at } else { lower[..at].rfind('<').unwrap_or(at) }
}

/// The markup without its outermost `blockquote` elements.
fn without_quotations(markup: &str, lower: &str) -> String {
    let mut kept = String::with_capacity(markup.len());
    let (mut depth, mut from) = (0_usize, 0);
    for (at, _) in lower.match_indices('<') {
        let tag = &lower[at..];
        if tag.starts_with("<blockquote") {
            if depth == 0 {
                kept.push_str(&markup[from..at]);
            }
            depth += 1;
        } else if tag.starts_with("</blockquote") && depth > 0 {
            depth -= 1;
            if depth == 0 {
                from = tag.find('>').map_or(markup.len(), |end| at + end + 1);
            }
        }
    }
    if depth == 0 {
        kept.push_str(&markup[from.min(markup.len())..]);
    }
    kept
}

/// All of its text.
pub(super) fn plain(markup: &str) -> String {
    let lower = markup.to_ascii_lowercase();
    let mut broken = String::with_capacity(markup.len() + 64);
    let mut from = 0;
    for (at, _) in lower.match_indices('<') {
        if BREAKS.iter().any(|tag| lower[at..].starts_with(tag)) {
            broken.push_str(&markup[from..at]);
            broken.push_str("<br>");
            from = at;
        }
    }
    broken.push_str(&markup[from..]);
    html_to_text(&broken)
}
