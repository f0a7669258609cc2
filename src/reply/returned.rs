//! Where the notice of a bounce ends and the returned mail begins.

use super::fields::{self, Fields};

/// Lines that say "here comes your mail", in lower case, wherever they stand in a line.
const MARKERS: &[&str] = &[
    "below this line is a copy of",
    "below the next line is a copy of",
    "this is a copy of the message",
    "this is a copy of your message",
    "this is a copy of the headers",
    "the header of the original message",
    "original message follows",
    "original message headers",
    "original message header",
    "original message attached",
    "the original message follows",
    "original mail as follows",
    "returned message follows",
    "returned mail follows",
    "here is your returned mail",
    "start of returned message",
    "text of your message follows",
    "message text follows",
    "message headers follow",
    "message header follows",
    "unsent message follows",
    "unsent message below",
    "header and top 20 lines",
    "a copy of the original message",
    "below is a copy of the original message",
    "the attachment contains the original mail headers",
    "contents of your message",
    "your message reads",
    "content-type: message/rfc822",
    "content-type: text/rfc822-headers",
    "en-têtes de message d'origine",
    "ursprüngliche nachrichtenkopfzeilen",
    "оригинальные заголовки сообщения",
    "исходные заголовки сообщения",
    "元のメッセージ",
];

/// Titles that must stand between dashes, or alone, to count.
const TITLES: &[&str] = &[
    "original message",
    "original mail",
    "original mail info",
    "returned message",
    "returned mail",
    "message header",
    "message headers",
    "message contents",
    "message text",
    "old message",
    "unsent message",
    "undelivered message",
    "исходное сообщение",
];

/// Header names by which a block of headers gives itself away, among others that any text may have.
const TRACES: &[&str] =
    &["received", "return-path", "message-id", "mime-version", "dkim-signature", "content-type", "x-mailer"];

/// Where the returned mail begins, and its headers. The end of the text where nothing is returned.
pub(super) fn cut(body: &str) -> (usize, Fields) {
    let mut offset = 0;
    let mut previous_blank = true;
    for line in body.split_inclusive('\n') {
        let text = line.trim_end();
        if is_marker(text) && has_letters(&body[..offset]) {
            return (offset, headers(&body[offset + line.len()..]));
        }
        if previous_blank && offset > 0 && begins_headers(&body[offset..]) && has_letters(&body[..offset]) {
            return (offset, headers(&body[offset..]));
        }
        previous_blank = text.trim().is_empty() || text.trim().chars().all(|c| "-=_* ".contains(c));
        offset += line.len();
    }
    (body.len(), Fields::default())
}

fn has_letters(text: &str) -> bool {
    text.chars().any(char::is_alphabetic)
}

fn is_marker(line: &str) -> bool {
    // The longest marker line known is well below this.
    if line.len() > 160 || line.len() < 8 {
        return false;
    }
    let lower = line.trim().to_lowercase();
    if MARKERS.iter().any(|marker| lower.contains(marker)) {
        return !lower.starts_with("if ");
    }
    let bare = lower.trim_matches(|c: char| c.is_whitespace() || "-=_*+~:.".contains(c));
    bare.len() < lower.len() && TITLES.contains(&bare)
}

/// Whether a block of mail headers begins here: three of them in a row, one of which no text has by chance.
fn begins_headers(text: &str) -> bool {
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return false;
    }
    let (mut names, mut traces) = (0, 0);
    for line in text.lines().take(12) {
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((name, _)) = fields::name_and_value(line) else { break };
        let name = name.to_ascii_lowercase();
        if ["reporting-mta", "final-recipient", "original-recipient", "action", "arrival-date"]
            .contains(&name.as_str())
        {
            return false;
        }
        names += 1;
        traces += usize::from(TRACES.contains(&name.as_str()) || name.starts_with("x-"));
        if names >= 3 && traces >= 1 {
            return true;
        }
    }
    false
}

/// The headers at the top of a returned mail: its first block of lines that looks like headers.
pub(super) fn headers(text: &str) -> Fields {
    let mut skipped = 0;
    let mut block = String::new();
    for line in text.lines() {
        let is_field = fields::name_and_value(line).is_some();
        let continues = !block.is_empty() && line.starts_with([' ', '\t']) && !line.trim().is_empty();
        if is_field || continues {
            block.push_str(line);
            block.push('\n');
        } else if block.lines().count() >= 2 {
            break;
        } else {
            block.clear();
            skipped += 1;
            // Part headers and blank lines stand before it, not pages of text.
            if skipped > 30 {
                break;
            }
        }
    }
    Fields::parse(&block)
}

/// A delivery status whose MIME part was lost: from its first field to where the returned mail begins.
pub(super) fn status_in(body: &str) -> Option<&str> {
    const FIRST: &[&str] = &["reporting-mta:", "final-recipient:", "original-recipient:"];
    let mut offset = 0;
    let mut start = None;
    for line in body.split_inclusive('\n') {
        let lower = line.get(..24.min(line.len())).unwrap_or_default().to_ascii_lowercase();
        match start {
            None if FIRST.iter().any(|name| lower.starts_with(name)) => start = Some(offset),
            Some(from) if is_marker(line.trim_end()) || lower.starts_with("return-path:") => {
                return Some(&body[from..offset]);
            }
            _ => {}
        }
        offset += line.len();
    }
    start.map(|from| &body[from..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_ends_where_the_mail_begins() {
        for (body, notice) in [
            (
                "No such user.\n\n--- Below this line is a copy of the message.\n\nTo: a@x.example\n",
                "No such user.\n\n",
            ),
            (
                "No such user.\n\n----- Original message -----\n\nFrom: a@x.example\nTo: b@x.example\n",
                "No such user.\n\n",
            ),
            ("It failed.\n\nReceived: from x\nDate: now\nTo: b@x.example\n\nHi", "It failed.\n\n"),
            ("Original message follows in your mind\n", "Original message follows in your mind\n"),
            ("Subject: x\nTo: y\nabc\n", "Subject: x\nTo: y\nabc\n"),
        ] {
            assert_eq!(&body[..cut(body).0], notice);
        }
        let (_, headers) = cut(
            "Gone.\n\n-- Returned mail --\n\nReceived: by x\n\tfor y\nTo: Anna\n <a@x.example>\n\nText: none",
        );
        assert_eq!(headers.get("to"), Some("Anna <a@x.example>"));
    }

    #[test]
    fn a_status_without_its_part_is_found() {
        let body = "It failed.\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@x.example\n\nReturn-Path: <b@y.example>\n";
        assert_eq!(status_in(body).unwrap().lines().count(), 4);
        assert_eq!(status_in("nothing"), None);
    }
}
