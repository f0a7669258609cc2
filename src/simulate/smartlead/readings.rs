//! What the sources disagree about: each conflict with its readings. The first one is what was observed.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! readings {
    ($($(#[$doc:meta])* $field:ident, $name:literal: $kind:ident { $($variant:ident = $word:literal),+ };)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
            #[serde(rename_all = "snake_case")]
            pub enum $kind { #[default] $($variant),+ }
        )+

        /// One reading of each conflict.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Readings { $($(#[$doc])* pub $field: $kind),+ }

        impl Readings {
            /// Every conflict with its readings, the default first.
            pub const ALL: &'static [(&'static str, &'static [&'static str])] =
                &[$(($name, &[$($word),+])),+];

            /// Takes `name=reading`.
            pub fn set(&mut self, text: &str) -> Result<(), String> {
                let (name, word) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=READING"))?;
                match (name, word) {
                    $($(($name, $word) => self.$field = $kind::$variant,)+)+
                    _ => {
                        let known: Vec<String> = Self::ALL
                            .iter()
                            .map(|(name, words)| format!("{name}={}", words.join("|")))
                            .collect();
                        return Err(format!("there is no reading `{text}`; there are: {}", known.join(", ")));
                    }
                }
                Ok(())
            }
        }
    };
}

readings! {
    /// What `ignore_duplicate_leads_in_other_campaign: true` means: import new e-mails only, or import all.
    duplicates, "duplicates": Duplicates { NewOnly = "new-only", Allow = "allow" };
    /// How an e-mail that is in the campaign already is answered: counted, or the call refused with 409.
    repeats, "repeats": Repeats { Counted = "counted", Conflict = "conflict" };
    /// The reply to added leads: counters, or one of the shapes of the pages.
    added, "added": Added { Counters = "counters", Inserted = "inserted", Skipped = "skipped" };
    /// `unsubscribed_leads`: a number, or the addresses.
    unsubscribed, "unsubscribed": Unsubscribed { Count = "count", List = "list" };
    /// Whether counters arrive as text.
    numbers, "numbers": Numbers { Text = "text", Plain = "plain" };
    /// The roster's envelope.
    roster, "roster": Roster { Data = "data", Leads = "leads" };
    /// Verb of status and settings.
    verb, "verb": Verb { Post = "post", Patch = "patch" };
    /// Shape of a schedule that is written.
    schedule, "schedule": ScheduleShape { Flat = "flat", Nested = "nested" };
    /// The statistics page: a row a mail, or sums a step.
    statistics, "statistics": Statistics { Mails = "mails", Steps = "steps" };
    /// Shape of errors outside of request validation.
    errors, "errors": Errors { Flat = "flat", Nested = "nested" };
    /// Body of a 429.
    limit, "limit": LimitBody { Plain = "plain", Message = "message", Guide = "guide" };
    /// Names of webhook events.
    events, "events": Events { Live = "live", Page = "page" };
}

impl FromStr for Readings {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut readings = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            readings.set(part)?;
        }
        Ok(readings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reading_can_be_named_and_the_first_is_the_default() {
        for (name, words) in Readings::ALL {
            let first: Readings = format!("{name}={}", words[0]).parse().unwrap();
            assert_eq!(first, Readings::default());
            for other in &words[1..] {
                let other: Readings = format!("{name}={other}").parse().unwrap();
                assert_ne!(other, Readings::default());
            }
        }
        assert!("duplicates=both".parse::<Readings>().unwrap_err().contains("duplicates=new-only|allow"));
    }
}
