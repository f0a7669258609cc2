//! What the writer of a mail said: without quotes, attribution, signature, disclaimer and our own footer.

/// Lines that stand above somebody else's text, in lower case.
const ORIGINAL: &[&str] = &[
    "original message",
    "original-nachricht",
    "ursprüngliche nachricht",
    "message d'origine",
    "mensaje original",
    "mensagem original",
    "messaggio originale",
    "oorspronkelijk bericht",
    "forwarded message",
    "begin forwarded message",
    "исходное сообщение",
    "пересылаемое сообщение",
    "пересланное сообщение",
    "конец пересылаемого сообщения",
    "reply above this line",
];

/// Words at the end of the line above a quotation.
const WROTE: &[&str] = &[
    "wrote:",
    "writes:",
    "schrieb:",
    "schrieb ",
    "a écrit :",
    "a écrit:",
    "escribió:",
    "ha scritto:",
    "escreveu:",
    "schreef:",
    "skrev:",
    "napisał(a):",
    "napisał:",
    "написал:",
    "написала:",
    "написал(а):",
    "писал:",
    "писала:",
    "писал(а):",
    "пишет:",
    "пише:",
    "kirjoitti:",
    "yazdı:",
    "さんは書きました:",
    "写道:",
    "写道：",
];

/// Header names of mail programs in several languages, by two of which a quoted header block is known.
const HEADERS: &[&str] = &[
    "from:",
    "sent:",
    "date:",
    "to:",
    "cc:",
    "subject:",
    "reply-to:",
    "от:",
    "отправлено:",
    "дата:",
    "кому:",
    "копия:",
    "тема:",
    "von:",
    "gesendet:",
    "datum:",
    "an:",
    "betreff:",
    "de:",
    "envoyé:",
    "envoyé :",
    "à:",
    "à :",
    "objet:",
    "objet :",
    "enviado:",
    "para:",
    "asunto:",
    "da:",
    "inviato:",
    "a:",
    "oggetto:",
    "van:",
    "verzonden:",
    "aan:",
    "onderwerp:",
];

/// A line that begins so says how the mail was typed, not what.
const DEVICES: &[&str] = &[
    "sent from my",
    "sent from mail for",
    "sent from outlook",
    "sent from yahoo",
    "sent via",
    "get outlook for",
    "отправлено с",
    "отправлено из",
    "von meinem",
    "envoyé de mon",
    "enviado desde mi",
    "inviato da",
];

/// Closings; names and titles come after them.
const CLOSINGS: &[&str] = &[
    "best regards",
    "kind regards",
    "warm regards",
    "regards",
    "best wishes",
    "sincerely",
    "yours sincerely",
    "yours truly",
    "cheers",
    "thanks and regards",
    "many thanks and regards",
    "с уважением",
    "с наилучшими пожеланиями",
    "всего доброго",
    "mit freundlichen grüßen",
    "viele grüße",
    "cordialement",
    "saludos",
    "un saludo",
    "met vriendelijke groet",
];

/// Beginnings of disclaimers and of unsubscribe footers, ours among them.
const FOOTERS: &[&str] = &[
    "this e-mail and any",
    "this email and any",
    "this message and any",
    "the information contained in",
    "the information in this",
    "confidentiality notice",
    "disclaimer:",
    "this e-mail is confidential",
    "this email is confidential",
    "this message is confidential",
    "это сообщение и любые",
    "это электронное сообщение",
    "настоящее сообщение",
    "информация, содержащаяся",
    "if you would rather not",
    "if you'd rather not",
    "if you do not wish to receive",
    "if you don't wish to receive",
    "if you no longer wish",
    "if you do not want to receive",
    "if you don't want to receive",
    "if you wish to unsubscribe",
    "if you want to unsubscribe",
    "to unsubscribe",
    "to stop receiving",
    "click here to unsubscribe",
    "unsubscribe here",
    "unsubscribe:",
    "unsubscribe <http",
    "unsubscribe http",
    "unsubscribe |",
    "you are receiving this",
    "you received this",
    "you're receiving this",
    "если вы не хотите получать",
    "если вы больше не хотите",
    "чтобы отписаться",
    "для отписки",
    "отписаться:",
    "отписаться <http",
    "отписаться http",
    "отписаться от рассылки:",
    "вы получили это письмо",
    "вы получаете это",
];

/// A signature is at most this long; what is longer is more text.
const SIGNATURE: usize = 12;

pub(super) fn strip(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let lower: Vec<String> = lines.iter().map(|line| clean(line).to_lowercase()).collect();
    let mut kept: Vec<String> = Vec::new();
    let mut has_text = false;
    let mut at = 0;
    while at < lines.len() {
        let line = lower[at].as_str();
        if is_quoted(line) {
            at += 1;
            continue;
        }
        if line == "--"
            || (line.starts_with("__")
                && line.trim_matches('_').is_empty()
                && next_is_headers(&lower, at + 1))
        {
            if has_text || line != "--" {
                break;
            }
            at += 1;
            continue;
        }
        if is_original(line) || headers_begin(&lower, at) {
            break;
        }
        if let Some(length) = attribution(&lower, at) {
            at += length;
            // Answered below or between the quotes, or the quote has no marks and is all that follows.
            match lower[at..].iter().find(|line| !line.is_empty()) {
                Some(next) if is_quoted(next) => continue,
                _ => break,
            }
        }
        if FOOTERS.iter().any(|footer| line.starts_with(footer)) || says_how_to_leave(line) {
            if has_text {
                break;
            }
            at += 1;
            continue;
        }
        if DEVICES.iter().any(|device| line.starts_with(device)) && line.len() < 80 {
            at += 1;
            continue;
        }
        let closing = line.trim_end_matches([',', '.', '!', ' ']);
        if CLOSINGS.contains(&closing) && has_text && unquoted_after(&lower, at + 1) <= SIGNATURE {
            break;
        }
        has_text |= line.chars().any(char::is_alphanumeric);
        kept.push(clean(lines[at]));
        at += 1;
    }
    kept.join("\n").trim().to_owned()
}

/// Evidence is read in lists: one line, not too long.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 200;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Without marks that only a screen understands.
fn clean(line: &str) -> String {
    line.replace(['\u{200b}', '\u{200c}', '\u{200d}', '\u{feff}', '\u{2060}'], "")
        .replace('\u{a0}', " ")
        .trim()
        .to_owned()
}

fn is_quoted(line: &str) -> bool {
    line.starts_with('>') || line.starts_with("| ") || line == "|"
}

fn is_original(line: &str) -> bool {
    let bare = line.trim_matches(|c: char| "-_=*> :".contains(c));
    bare.len() + 2 < 60 && bare.len() < line.len() && ORIGINAL.contains(&bare)
}

/// `reply with "unsubscribe"`: advice to us, not a wish of the writer.
fn says_how_to_leave(line: &str) -> bool {
    [
        "reply with \"unsubscribe",
        "reply \"unsubscribe",
        "reply with “unsubscribe",
        "reply with 'unsubscribe",
        "с темой \"отписаться",
        "словом «отписаться",
    ]
    .iter()
    .any(|advice| line.contains(advice))
}

fn is_header(line: &str) -> bool {
    let line = line.trim_start_matches(['*', ' ']);
    HEADERS.iter().any(|name| line.starts_with(name))
}

fn next_is_headers(lower: &[String], from: usize) -> bool {
    lower[from.min(lower.len())..].iter().find(|line| !line.is_empty()).is_some_and(|line| is_header(line))
}

/// A block of at least three header lines, as mail programs put above what they quote without marks.
fn headers_begin(lower: &[String], at: usize) -> bool {
    is_header(&lower[at]) && lower[at..].iter().take(5).filter(|line| is_header(line)).count() >= 3
}

/// How many lines the attribution takes that begins here.
fn attribution(lower: &[String], at: usize) -> Option<usize> {
    if !lower[at].contains('@') && !begins_attribution(&lower[at]) {
        return None;
    }
    let mut joined = String::new();
    for (index, line) in lower[at..].iter().take(4).enumerate() {
        if line.is_empty() || is_quoted(line) || (index > 0 && begins_attribution(line)) {
            return None;
        }
        joined.push_str(line);
        joined.push(' ');
        if joined.len() > 400 {
            return None;
        }
        let line = joined.trim_end();
        let dated = line.chars().any(|c| c.is_ascii_digit());
        if (WROTE.iter().any(|wrote| line.ends_with(wrote.trim_end())) && (dated || line.contains('@')))
            || (line.ends_with(':') && dated && line.contains('@') && !line.starts_with(['"', '-']))
        {
            return Some(index + 1);
        }
    }
    None
}

/// `On Mon, 2 Nov`, `02.11.2026`, `Monday, 2 November`.
fn begins_attribution(line: &str) -> bool {
    const BEGINNINGS: &[&str] =
        &["on ", "le ", "am ", "el ", "il ", "em ", "op ", "den ", "w dniu ", "в ", "от "];
    let dated = line.bytes().any(|byte| byte.is_ascii_digit());
    let begins = BEGINNINGS.iter().any(|beginning| line.starts_with(beginning));
    let by_day =
        line.split_once(',').is_some_and(|(day, _)| day.len() < 24 && day.chars().all(char::is_alphabetic));
    dated && (begins || by_day || line.starts_with(|c: char| c.is_ascii_digit()))
}

fn unquoted_after(lower: &[String], from: usize) -> usize {
    lower[from.min(lower.len())..]
        .iter()
        .take_while(|line| !is_original(line) && !is_header(line))
        .filter(|line| !line.is_empty() && !is_quoted(line))
        .take(SIGNATURE + 1)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_left() {
        for (text, said) in [
            (
                "Hello\n\nOn Mon, 2 Nov 2026 at 09:00, Rep <rep@s.example> wrote:\n\n> Hi\n> unsubscribe",
                "Hello",
            ),
            (
                "Hello\n\nOn Mon, 2 Nov 2026 at 09:00, A Very Long Name\n<rep@s.example>\nwrote:\n\nHi, unsubscribe",
                "Hello",
            ),
            ("On 04/02/2026 06:26 PM, Rep wrote:\n> Hi\nHello", "Hello"),
            ("> Hi\nYes\n> And?\nNo", "Yes\nNo"),
            ("Да\n\n02.11.2026, 09:00, \"Отдел продаж\" <rep@s.example>:\n> Привет", "Да"),
            ("Да\n\nПонедельник, 2 ноября 2026, 9:00 +03:00 от Rep <rep@s.example>:\nПривет", "Да"),
            (
                "Call me at 5\n02.11.2026 14:20 пользователь \"rep@s.example\" <\nrep@s.example> написал:\n> Hi",
                "Call me at 5",
            ),
            ("Ok\n\n-----Original Message-----\nFrom: Rep\n\nHi", "Ok"),
            ("Ok\n\nFrom: Rep <rep@s.example>\nSent: Monday\nTo: Anna\nSubject: Hi\n\nHi", "Ok"),
            ("Ok\n________________________________\nОт: Rep\nОтправлено: вчера\nКому: Анна\n\nHi", "Ok"),
            ("Thanks, no.\n\nBest regards,\nAnna\nCTO, Acme", "Thanks, no."),
            ("Fine\n-- \nAnna\nunsubscribe", "Fine"),
            ("Fine\n\nSent from my iPhone", "Fine"),
            ("Fine\n\nIf you would rather not hear from us, reply with \"unsubscribe\".", "Fine"),
            ("From: field is wrong", "From: field is wrong"),
            ("", ""),
        ] {
            assert_eq!(strip(text), said, "{text}");
        }
    }
}
