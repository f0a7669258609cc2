//! Until when somebody is away, where a text states a date.

use chrono::{Datelike as _, Days, NaiveDate, Weekday};

/// Words before a last day or a day of return.
const UNTIL: &[&str] = &[
    "until",
    "till",
    "til",
    "through",
    "thru",
    "back",
    "return",
    "returning",
    "returns",
    "resume",
    "до",
    "по",
    "вернусь",
    "вернется",
    "вернётся",
    "возвращаюсь",
    "выйду",
    "выхожу",
    "выйдет",
    "буду",
    "bis",
    "ab",
    "zurück",
    "jusqu'au",
    "jusqu’au",
    "retour",
    "hasta",
    "vuelta",
    "regreso",
    "fino",
    "tot",
    "até",
];

/// Words between such a word and its date.
const REACH: usize = 6;
/// An absence is not longer than this, and a date before the mail by more than that belongs to the next year.
const LONGEST_DAYS: i64 = 400;
const PAST_DAYS: i64 = 45;
/// A date without a year is not further ahead than this.
const AHEAD_DAYS: i64 = 200;

const MONTHS: &[(&str, u32)] = &[
    ("jan", 1),
    ("янв", 1),
    ("ene", 1),
    ("janv", 1),
    ("feb", 2),
    ("фев", 2),
    ("fév", 2),
    ("mar", 3),
    ("мар", 3),
    ("mär", 3),
    ("apr", 4),
    ("апр", 4),
    ("avr", 4),
    ("abr", 4),
    ("may", 5),
    ("мая", 5),
    ("май", 5),
    ("mai", 5),
    ("mag", 5),
    ("jun", 6),
    ("июн", 6),
    ("juin", 6),
    ("giu", 6),
    ("jul", 7),
    ("июл", 7),
    ("juil", 7),
    ("lug", 7),
    ("aug", 8),
    ("авг", 8),
    ("août", 8),
    ("ago", 8),
    ("sep", 9),
    ("сен", 9),
    ("set", 9),
    ("oct", 10),
    ("окт", 10),
    ("okt", 10),
    ("ott", 10),
    ("nov", 11),
    ("ноя", 11),
    ("dec", 12),
    ("дек", 12),
    ("dez", 12),
    ("déc", 12),
    ("dic", 12),
];

const WEEKDAYS: &[(&str, Weekday)] = &[
    ("monday", Weekday::Mon),
    ("tuesday", Weekday::Tue),
    ("wednesday", Weekday::Wed),
    ("thursday", Weekday::Thu),
    ("friday", Weekday::Fri),
    ("saturday", Weekday::Sat),
    ("sunday", Weekday::Sun),
    ("понедельник", Weekday::Mon),
    ("вторник", Weekday::Tue),
    ("сред", Weekday::Wed),
    ("четверг", Weekday::Thu),
    ("пятниц", Weekday::Fri),
    ("montag", Weekday::Mon),
    ("dienstag", Weekday::Tue),
    ("mittwoch", Weekday::Wed),
    ("donnerstag", Weekday::Thu),
    ("freitag", Weekday::Fri),
];

/// The latest stated date after a word like "until" or "back", or the end of a stated range; `written` is the mail's own day.
pub(super) fn until(text: &str, written: Option<NaiveDate>) -> Option<NaiveDate> {
    let words: Vec<String> = text
        .split(|c: char| c.is_whitespace() || "()[]\"«»".contains(c))
        .map(|word| word.trim_matches([',', '.', ';', ':', '!', '?', '*']).to_lowercase())
        .filter(|word| !word.is_empty())
        .take(400)
        .collect();
    let mut latest: Option<NaiveDate> = None;
    for at in 0..words.len() {
        let found = if UNTIL.contains(&words[at].as_str()) {
            (at + 1..(at + 1 + REACH).min(words.len())).find_map(|from| date(&words[from..], written))
        } else {
            range_end(&words[at..], written)
        };
        let sane = |date: &NaiveDate| {
            written.is_none_or(|day| (-PAST_DAYS..LONGEST_DAYS).contains(&(*date - day).num_days()))
        };
        latest = latest.max(found.filter(sane));
    }
    latest
}

/// `10-31 July`, `July 10-31`: a range that needs no word before it.
fn range_end(words: &[String], written: Option<NaiveDate>) -> Option<NaiveDate> {
    let is_range =
        |word: &str| word.split_once(['-', '–']).and_then(|(from, to)| Some((day(from)?, day(to)?)));
    let (first, second) = (words.first()?, words.get(1)?);
    let month_first = || Some((month(first)?, is_range(second)?.1));
    let month_last = || Some((month(second)?, is_range(first)?.1));
    let (month, last) = month_first().or_else(month_last)?;
    dated(year(words.get(2)), month, last, written)
}

/// The date that begins with the first word.
fn date(words: &[String], written: Option<NaiveDate>) -> Option<NaiveDate> {
    let first = words.first()?.as_str();
    if let Some(date) = numeric(first, written) {
        return Some(date);
    }
    let second = words.get(1).map(String::as_str);
    if let (Some(day), Some(month)) = (day(first), second.and_then(month)) {
        return dated(year(words.get(2)), month, day, written);
    }
    // `3rd of November`
    if let (Some(day), Some("of" | "de"), Some(month)) =
        (day(first), second, words.get(2).and_then(|word| month(word)))
    {
        return dated(year(words.get(3)), month, day, written);
    }
    if let (Some(month), Some(day)) = (month(first), second.and_then(day)) {
        return dated(year(words.get(2)), month, day, written);
    }
    let weekday = WEEKDAYS.iter().find(|(name, _)| first.starts_with(name))?.1;
    // `Monday, 3 November` is the date behind the name.
    for from in 1..=2 {
        if let Some(rest) = words.get(from..).filter(|rest| !rest.is_empty())
            && (numeric(&rest[0], written).is_some() || day(&rest[0]).is_some() || month(&rest[0]).is_some())
            && let Some(date) = date(rest, written)
        {
            return Some(date);
        }
    }
    let written = written?;
    let ahead = (7 + weekday.num_days_from_monday() - written.weekday().num_days_from_monday()) % 7;
    written.checked_add_days(Days::new(if ahead == 0 { 7 } else { u64::from(ahead) }))
}

/// `2026-11-03`, `03.11.2026`, `3.11.`, `11/03/2026`, `3/11`.
fn numeric(word: &str, written: Option<NaiveDate>) -> Option<NaiveDate> {
    let separator = ['-', '.', '/'].into_iter().find(|separator| word.contains(*separator))?;
    let parts: Vec<u32> = word.split(separator).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match (separator, parts.as_slice()) {
        (_, [year, month, day]) if *year > 1900 => {
            NaiveDate::from_ymd_opt(i32::try_from(*year).ok()?, *month, *day)
        }
        // A slash is American unless the month says otherwise.
        ('/', [first, second, rest @ ..]) if *first <= 12 => dated(full_year(rest), *first, *second, written),
        (_, [first, second, rest @ ..]) if rest.len() <= 1 && separator != '-' => {
            dated(full_year(rest), *second, *first, written)
        }
        _ => None,
    }
}

fn full_year(parts: &[u32]) -> Option<i32> {
    let year = i32::try_from(*parts.first()?).ok()?;
    Some(if year < 100 { 2000 + year } else { year })
}

fn year(word: Option<&String>) -> Option<i32> {
    word?.parse().ok().filter(|year| (1990..2200).contains(year))
}

fn day(word: &str) -> Option<u32> {
    let digits = word.trim_end_matches(|c: char| c.is_alphabetic() || c == '.');
    let ending = &word[digits.len()..];
    let is_day = ["", "st", "nd", "rd", "th", ".", "го", "er"].contains(&ending);
    digits.parse().ok().filter(|day| is_day && (1..=31).contains(day))
}

fn month(word: &str) -> Option<u32> {
    let is_word = word.chars().count() <= 10 && word.chars().all(char::is_alphabetic);
    is_word.then(|| MONTHS.iter().find(|(stem, _)| word.starts_with(stem)).map(|(_, month)| *month)).flatten()
}

/// The date in its year; without one, the nearest that is not long past.
fn dated(year: Option<i32>, month: u32, day: u32, written: Option<NaiveDate>) -> Option<NaiveDate> {
    if let Some(year) = year {
        return NaiveDate::from_ymd_opt(year, month, day);
    }
    let written = written?;
    let this_year = NaiveDate::from_ymd_opt(written.year(), month, day)?;
    if (written - this_year).num_days() > PAST_DAYS {
        // Long past and far ahead: an old notice that was never taken down.
        let next = NaiveDate::from_ymd_opt(written.year() + 1, month, day)?;
        return ((next - written).num_days() < AHEAD_DAYS).then_some(next);
    }
    Some(this_year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_dates_that_people_write() {
        let written = NaiveDate::from_ymd_opt(2026, 11, 24);
        for (text, expected) in [
            ("I am away until Friday, 4 December 2026.", "2026-12-04"),
            ("back on December 7th", "2026-12-07"),
            ("I will return on 11/30/2026", "2026-11-30"),
            ("out of office from 23.11. till 27.11.", "2026-11-27"),
            ("out until 3rd of January", "2027-01-03"),
            ("back Monday", "2026-11-30"),
            ("travelling on July 10-31", ""),
            ("travelling on December 10-31.", "2026-12-31"),
            ("Я в отпуске с 23 ноября по 6 декабря", "2026-12-06"),
            ("вернусь 30.11.2026", "2026-11-30"),
            ("Ich bin bis zum 5. Dezember 2026 nicht im Haus", "2026-12-05"),
            ("until further notice", ""),
            ("back in 1066-10-14", ""),
        ] {
            let found = until(text, written).map(|date| date.to_string()).unwrap_or_default();
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(until("until 3 May", None), None);
    }
}
