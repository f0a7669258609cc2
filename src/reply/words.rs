//! Phrases as data: how the words of rules are written down and looked for.
//!
//! A phrase is words with blanks between them. `a|b` is either, `stem*` any word that begins so, `[a|b]` may be missing,
//! `..` is up to four words of any kind, `.` the end of a sentence and `^` its beginning. `don't`, `don’t`, `dont` and `do not`
//! are one word, `ё` is `е`. A phrase never reaches over the end of a sentence.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// Longer texts are letters, not answers; what a person wants stands at the beginning.
const MOST_WORDS: usize = 800;
/// Words that `..` may skip.
const GAP: usize = 4;
/// Ends a sentence in a list of words.
const STOP: &str = ".";
const QUESTION: &str = "?";

/// Looks for any of many strings at once, in lower-cased text.
pub(super) fn automaton(strings: &[&str]) -> AhoCorasick {
    AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .match_kind(MatchKind::Standard)
        .build(strings)
        .unwrap_or_else(|_| unreachable!("a few hundred short strings always fit"))
}

/// Lower-cased words of a text, with the ends of its sentences between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words(Vec<String>);

impl Words {
    pub(super) fn of(text: &str) -> Self {
        let mut words: Vec<String> = Vec::new();
        let mut word = String::new();
        let mut breaks = 0;
        let mut letters = text.chars().chain(['\n', '\n']).peekable();
        while let Some(c) = letters.next() {
            let c = match c {
                '’' | '‘' | '`' | '´' => '\'',
                'ё' | 'Ё' => 'е',
                other => other,
            };
            // `e-mail` is one word.
            if c == '-' && word == "e" {
                continue;
            }
            if c.is_alphanumeric() || (c == '\'' && !word.is_empty()) {
                word.extend(c.to_lowercase());
                breaks = 0;
                continue;
            }
            if !word.is_empty() {
                push(&mut words, std::mem::take(&mut word).trim_end_matches('\''));
            }
            breaks += usize::from(c == '\n');
            let end = match c {
                '?' => Some(QUESTION),
                // Dots inside of addresses and numbers end nothing.
                '.' if letters.peek().is_some_and(|next| next.is_alphanumeric()) => None,
                '.' | '!' | ';' | '…' => Some(STOP),
                _ if breaks == 2 => Some(STOP),
                _ => None,
            };
            if let Some(end) = end
                && words.last().is_some_and(|last| last != STOP && last != QUESTION)
            {
                words.push(end.to_owned());
            }
            if words.len() >= MOST_WORDS {
                break;
            }
        }
        Self(words)
    }

    /// The word at a place, or nothing.
    pub(super) fn at(&self, index: usize) -> &str {
        self.0.get(index).map_or("", String::as_str)
    }

    /// A few words from a place on, for people to see.
    pub(super) fn excerpt(&self, from: usize) -> String {
        const LENGTH: usize = 10;
        let words: Vec<&str> = self
            .0
            .iter()
            .skip(from)
            .take(LENGTH)
            .map(String::as_str)
            .take_while(|word| !ends(word))
            .collect();
        format!("“{}”", words.join(" "))
    }

    /// Words without the ends of sentences.
    pub(super) fn count(&self) -> usize {
        self.0.iter().filter(|word| !ends(word)).count()
    }

    /// Sentences, each with whether it is a question.
    pub(super) fn sentences(&self) -> impl Iterator<Item = (&[String], bool)> {
        self.0.split_inclusive(|word| ends(word)).map(|sentence| match sentence.split_last() {
            Some((end, words)) if ends(end) => (words, end == QUESTION),
            _ => (sentence, false),
        })
    }
}

/// What takes a "not", and the one word that the two of them are.
const CONTRACTIONS: &[(&str, &str)] = &[
    ("do", "don't"),
    ("does", "doesn't"),
    ("did", "didn't"),
    ("is", "isn't"),
    ("are", "aren't"),
    ("was", "wasn't"),
    ("will", "won't"),
    ("would", "wouldn't"),
    ("can", "can't"),
    ("could", "couldn't"),
    ("should", "shouldn't"),
    ("have", "haven't"),
    ("has", "hasn't"),
];

/// `do not`, `dont` and `don't` are one word.
fn push(words: &mut Vec<String>, word: &str) {
    let contracted = CONTRACTIONS.iter().find(|(verb, contraction)| match word {
        "not" => words.last().is_some_and(|last| last == verb),
        "cannot" => *verb == "can",
        _ => word
            .strip_suffix("nt")
            .is_some_and(|stem| !stem.is_empty() && contraction.strip_suffix("n't") == Some(stem)),
    });
    match contracted {
        Some((_, contraction)) => {
            if word == "not" {
                words.pop();
            }
            words.push((*contraction).to_owned());
        }
        None => words.push(word.to_owned()),
    }
}

fn ends(word: &str) -> bool {
    word == STOP || word == QUESTION
}

#[derive(Debug, Clone)]
enum Step {
    /// One of these; a trailing `*` was taken off and means any ending.
    Word {
        any_of: Vec<(String, bool)>,
        optional: bool,
    },
    Gap,
    End,
    Start,
}

/// A phrase, ready to be looked for, and the text it was written as.
#[derive(Debug, Clone)]
struct Phrase {
    written: &'static str,
    steps: Vec<Step>,
}

/// Many phrases, found by their first word.
#[derive(Debug)]
pub(super) struct Phrases {
    all: Vec<Phrase>,
    by_word: HashMap<String, Vec<usize>>,
    /// Those that begin with a stem, by its first letter.
    by_letter: HashMap<char, Vec<usize>>,
}

/// Where a phrase was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub phrase: &'static str,
    /// Position of its first word.
    pub at: usize,
}

impl Phrases {
    pub(super) fn new(lists: &[&[&'static str]]) -> Self {
        let mut this = Self { all: Vec::new(), by_word: HashMap::new(), by_letter: HashMap::new() };
        for written in lists.iter().copied().flatten() {
            let index = this.all.len();
            let phrase = Phrase { written, steps: written.split(' ').map(step).collect() };
            for step in &phrase.steps {
                let Step::Word { any_of, optional } = step else { continue };
                for (word, is_stem) in any_of {
                    if *is_stem {
                        let letter = word.chars().next().unwrap_or(' ');
                        this.by_letter.entry(letter).or_default().push(index);
                    } else {
                        this.by_word.entry(word.clone()).or_default().push(index);
                    }
                }
                if !optional {
                    break;
                }
            }
            this.all.push(phrase);
        }
        this
    }

    /// The first phrase that the text holds and that `accept` takes.
    pub(super) fn find(&self, words: &Words, accept: impl Fn(&Words, Hit) -> bool) -> Option<Hit> {
        for (at, word) in words.0.iter().enumerate() {
            let letter = word.chars().next().unwrap_or(' ');
            let candidates = self.by_word.get(word).into_iter().chain(self.by_letter.get(&letter)).flatten();
            for index in candidates {
                let phrase = &self.all[*index];
                let hit = Hit { phrase: phrase.written, at };
                if matches(&phrase.steps, &words.0, at) && accept(words, hit) {
                    return Some(hit);
                }
            }
        }
        None
    }
}

/// Whether one of these words stands shortly before a place, in the same sentence.
pub(super) fn stands_before(words: &Words, at: usize, reach: usize, any_of: &[&str]) -> bool {
    words.0[..at]
        .iter()
        .rev()
        .take(reach)
        .take_while(|word| !ends(word))
        .any(|word| any_of.contains(&word.as_str()))
}

fn step(written: &str) -> Step {
    let (inner, optional) = match written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => (inner, true),
        None => (written, false),
    };
    match inner {
        ".." => Step::Gap,
        "." => Step::End,
        "^" => Step::Start,
        _ => {
            let any_of = inner
                .split('|')
                .map(|word| match word.strip_suffix('*') {
                    Some(stem) => (stem.to_owned(), true),
                    None => (word.to_owned(), false),
                })
                .collect();
            Step::Word { any_of, optional }
        }
    }
}

fn matches(steps: &[Step], words: &[String], at: usize) -> bool {
    let Some((step, rest)) = steps.split_first() else { return true };
    match step {
        Step::Start => (at == 0 || ends(&words[at - 1])) && matches(rest, words, at),
        Step::End => words.get(at).is_none_or(|word| ends(word)) && matches(rest, words, at),
        Step::Gap => (0..=GAP)
            .take_while(|skipped| {
                *skipped == 0 || words.get(at + skipped - 1).is_some_and(|word| !ends(word))
            })
            .any(|skipped| matches(rest, words, at + skipped)),
        Step::Word { any_of, optional } => {
            let fits = words.get(at).is_some_and(|word| {
                any_of
                    .iter()
                    .any(|(own, is_stem)| if *is_stem { word.starts_with(own.as_str()) } else { word == own })
            });
            (fits && matches(rest, words, at + 1)) || (*optional && matches(rest, words, at))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(phrase: &'static str, text: &str) -> bool {
        Phrases::new(&[&[phrase]]).find(&Words::of(text), |_, _| true).is_some()
    }

    #[test]
    fn phrases_mean_what_is_written_above() {
        assert!(found("don't email* me", "Please, DON’T emailing\nme") && found("don't e*", "do not e-mail"));
        assert!(found("remove me .. list*", "remove me from all of your lists"));
        assert!(!found("remove me .. list*", "remove me. Then the list"));
        assert!(!found("remove me .. list*", "remove me from this really very long list"));
        assert!(found("[please] stop .", "stop!"));
        assert!(found("^ stop .", "No. Stop. Now"));
        assert!(!found("^ stop .", "Do not stop"));
        assert!(found("не пишите [мне] больше", "НЕ пишите больше"));
        assert!(found("еще", "ещё"));
        assert_eq!(Words::of("Ask anna@acme.example. Or not").sentences().count(), 2);
        assert_eq!(Words::of("Why? Because it is. So\n\nthere").sentences().count(), 4);
        assert_eq!(Words::of("a 'quoted' word's end").0, ["a", "quoted", "word's", "end", "."]);
    }
}
