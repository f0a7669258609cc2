//! What people want, in the words of their languages. A language is a file of phrases.

mod elsewhere;
mod english;
mod russian;

use std::sync::LazyLock;

use super::super::words::{self, Phrases, Words};

/// Signs of an intent, as written in the language files.
pub(super) type Phrase = &'static str;

static LEAVE_ME_ALONE: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(&[english::LEAVE_ME_ALONE, russian::LEAVE_ME_ALONE, elsewhere::LEAVE_ME_ALONE])
});
static IN_FEW_WORDS: LazyLock<Phrases> =
    LazyLock::new(|| Phrases::new(&[english::IN_FEW_WORDS, russian::IN_FEW_WORDS, elsewhere::IN_FEW_WORDS]));
static REQUESTS: LazyLock<Phrases> =
    LazyLock::new(|| Phrases::new(&[english::REQUESTS, russian::REQUESTS, elsewhere::REQUESTS]));
static DECLINES: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(&[english::DECLINES, russian::DECLINES]));
static LEFT: LazyLock<Phrases> =
    LazyLock::new(|| Phrases::new(&[english::LEFT, russian::LEFT, elsewhere::LEFT]));
static AWAY: LazyLock<Phrases> =
    LazyLock::new(|| Phrases::new(&[english::AWAY, russian::AWAY, elsewhere::AWAY]));
static ENGAGES: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(&[english::ENGAGES, russian::ENGAGES]));
static SOURCE: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(&[english::SOURCE, russian::SOURCE]));

/// Beyond this many words, a bare "stop" or "remove" is about something else.
const FEW: usize = 7;
/// Words that turn what follows into its opposite.
const NEGATIONS: &[&str] =
    &["not", "don't", "doesn't", "didn't", "never", "won't", "wouldn't", "can't", "не", "никогда"];
/// Verbs that ask something of us only where nobody else is their subject.
const ORDERS: &[&str] =
    &["stop", "quit", "cease", "remove", "delete", "take", "drop", "get", "don't", "never"];
/// "We should stop sending these reports", "they don't email us any more": not about us.
const SUBJECTS: &[&str] = &[
    "we", "i", "they", "he", "she", "it", "should", "we'll", "i'll", "they'll", "will", "would", "could",
    "can", "who", "people",
];

/// The words that ask to be written to no more.
pub(super) fn leave_me_alone(words: &Words) -> Option<String> {
    let meant = LEAVE_ME_ALONE.find(words, |words, hit| {
        let first = words.at(hit.at);
        // "I don't want your mails" is about us, whoever does not want them.
        let wishes = ["want", "wish", "like", "need", "have"].contains(&words.at(hit.at + 1));
        if ORDERS.contains(&first) && !wishes && words::stands_before(words, hit.at, 1, SUBJECTS) {
            return false;
        }
        // A phrase that carries its own "not" means it.
        NEGATIONS.iter().any(|not| hit.phrase.split([' ', '|']).any(|word| word == *not))
            || !words::stands_before(words, hit.at, 2, NEGATIONS)
    });
    let few = || {
        (words.count() <= FEW).then(|| {
            IN_FEW_WORDS.find(words, |words, hit| !words::stands_before(words, hit.at, 3, NEGATIONS))
        })
    };
    meant.or_else(|| few().flatten()).map(|hit| words.excerpt(hit.at))
}

/// The words that ask for something.
pub(super) fn request(words: &Words) -> Option<String> {
    REQUESTS
        .find(words, |words, hit| !words::stands_before(words, hit.at, 3, NEGATIONS))
        .map(|hit| words.excerpt(hit.at))
}

/// The words that say no without more.
pub(super) fn decline(words: &Words) -> Option<String> {
    DECLINES.find(words, |_, _| true).map(|hit| words.excerpt(hit.at))
}

/// Where did you get my address?
pub(super) fn asks_for_source(words: &Words) -> Option<String> {
    SOURCE.find(words, |_, _| true).map(|hit| words.excerpt(hit.at))
}

/// Words of automatic answers near the beginning.
pub(super) fn away(words: &Words) -> Option<String> {
    const BEGINNING: usize = 60;
    AWAY.find(words, |_, hit| hit.at < BEGINNING).map(|hit| words.excerpt(hit.at))
}

/// Whether the writer takes part in a conversation, as no machine does.
pub(super) fn engages(words: &Words) -> bool {
    ENGAGES.find(words, |_, _| true).is_some()
}

pub(super) fn left_company(said: &str) -> bool {
    LEFT.find(&Words::of(said), |_, _| true).is_some()
}

/// Questions of manners want no answer.
pub(super) fn is_polite(sentence: &[String]) -> bool {
    const MANNERS: &[&str] =
        &["how are you", "how are things", "how do you do", "как дела", "how is it going", "how's it going"];
    let text = sentence.join(" ");
    MANNERS.iter().any(|manners| text.starts_with(manners))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_words_that_ask_to_be_let_go_and_few_that_do_not() {
        for said in [
            "Take me off this.",
            "please take us off these",
            "Thanks but please remove.",
            "Thanks, please stop",
            "No thanks, pls unsubscribe!",
        ] {
            assert!(leave_me_alone(&Words::of(said)).is_some(), "{said}");
        }
        for said in [
            "Please do not remove.",
            "Could you take me off this thread and add Anna instead? She decides.",
            "Please take us off the waiting room when you start",
            "We can't please remove",
        ] {
            assert!(leave_me_alone(&Words::of(said)).is_none(), "{said}");
        }
    }
}
