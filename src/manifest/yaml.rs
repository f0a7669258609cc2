//! YAML text -> one JSON value, and where in the text each part of it stands.
//!
//! Strict: one document, text keys only, no key twice, no tags, no merge keys. Bounded: size, depth
//! and the number of values after aliases are expanded have limits, so hostile text ends in an
//! error. Never recurses on input.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};
use serde_yaml::granit_parser::{Event, Marker, Options, Parser, ScalarStyle, ScanError, Span as RawSpan};

use super::budget::{Budget, MAX_ALL_VALUES};

/// Manifests are written by people: the longest sensible one is a hundredth of this.
pub(super) const MAX_BYTES: usize = 1024 * 1024;
/// Rules nested deeper than this cannot be read by people either; twice what they need.
const MAX_DEPTH: usize = 48;
/// Values of one document after aliases are expanded.
const MAX_VALUES: usize = 50_000;
/// Long keys are what makes pointers long.
const MAX_KEY: usize = 200;
/// One mistake made often is reported this often.
pub(super) const MAX_FINDINGS: usize = 100;

/// A place in the text: line and column from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
    pub length: usize,
}

impl Place {
    pub(super) const START: Self = Self { line: 1, column: 1, length: 1 };

    fn of(span: &RawSpan) -> Self {
        let one_line = span.end.line() == span.start.line();
        let length = if one_line { span.end.index().saturating_sub(span.start.index()) } else { 1 };
        Self { length: length.max(1), ..Self::at(&span.start) }
    }

    fn at(mark: &Marker) -> Self {
        Self { line: mark.line().max(1), column: mark.col() + 1, length: 1 }
    }
}

#[derive(Debug, Clone, Copy)]
struct Places {
    key: Option<Place>,
    value: Place,
    /// First line of a `|` text: inside it a line of the text is a line of the file.
    text_line: Option<usize>,
    collection: bool,
}

/// The checked text.
#[derive(Debug, Clone, Default)]
pub(super) struct Document {
    pub value: Value,
    /// By JSON pointer. What an alias brought in is found at the alias.
    places: HashMap<String, Places>,
}

impl Document {
    /// Where the value stands; where its nearest known parent does, when it has no place of its own.
    /// A list or map with a key is found at the key: its own first character says nothing.
    pub(super) fn value_at(&self, pointer: &str) -> Place {
        self.nearest(pointer).map_or(Place::START, |places| match places.key {
            Some(key) if places.collection => key,
            _ => places.value,
        })
    }

    /// Where the key stands; the value's place when it has none.
    pub(super) fn key_at(&self, pointer: &str) -> Place {
        self.nearest(pointer).map_or(Place::START, |places| places.key.unwrap_or(places.value))
    }

    /// The line in which a `|` text begins.
    pub(super) fn text_line(&self, pointer: &str) -> Option<usize> {
        self.nearest(pointer)?.text_line
    }

    fn nearest(&self, pointer: &str) -> Option<&Places> {
        let mut pointer = pointer;
        loop {
            if let Some(places) = self.places.get(pointer) {
                return Some(places);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }
}

/// Why the text is not a document.
#[derive(Debug)]
pub(super) struct Refusal {
    pub code: &'static str,
    pub message: String,
    pub place: Place,
    pub advice: Option<String>,
}

impl Refusal {
    fn new(code: &'static str, message: impl Into<String>, place: Place) -> Self {
        Self { code, message: message.into(), place, advice: None }
    }

    fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// Reads one document. Duplicate keys are collected, all other refusals end the reading.
pub(super) fn parse(text: &str, budget: &mut Budget) -> Result<(Document, Vec<Refusal>), Refusal> {
    if text.len() > MAX_BYTES {
        return Err(too_large());
    }
    let mut builder = Builder { spent: *budget, ..Builder::default() };
    let mut parser = Parser::new_from_str_with_options(text, Options::default());
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| syntax(&error))?;
        builder.take(event, &span).inspect_err(|_| {
            if builder.spent.is_spent() {
                *budget = builder.spent;
            }
        })?;
    }
    *budget = builder.spent;
    let document = Document { value: builder.root.unwrap_or(Value::Null), places: builder.places };
    Ok((document, builder.duplicates))
}

pub(super) fn too_large() -> Refusal {
    Refusal::new("too-large", "the file is larger than 1 MiB", Place::START)
        .advise("a segment or campaign is a page of text: lists of contacts belong into the database")
}

fn syntax(error: &ScanError) -> Refusal {
    let message = error.to_string();
    let message = message.rsplit_once(" at char ").map_or(message.as_str(), |(message, _)| message);
    Refusal::new("yaml-syntax", format!("this is not YAML: {message}"), Place::at(error.marker()))
}

/// A collection that is not closed yet.
struct Open {
    pointer: String,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Value>),
    Map { entries: Map<String, Value>, key: Option<(String, Place)>, duplicate: bool },
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    places: HashMap<String, Places>,
    anchors: HashMap<usize, Value>,
    duplicates: Vec<Refusal>,
    documents: usize,
    values: usize,
    /// By all documents.
    spent: Budget,
    root: Option<Value>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: &RawSpan) -> Result<(), Refusal> {
        let place = Place::of(span);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Refusal::new("several-documents", "a second document begins here", place)
                        .advise("one document a file: move it into a file of its own"));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.is_some(), place)?;
                self.scalar(&text, style, anchor, place)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_tag(tag.is_some(), place)?;
                self.begin(Content::List(Vec::new()), anchor, place)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_tag(tag.is_some(), place)?;
                self.begin(Content::Map { entries: Map::new(), key: None, duplicate: false }, anchor, place)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(place)?,
            Event::Alias(anchor) => self.alias(anchor, place)?,
            _ => {}
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, place: Place) -> Result<(), Refusal> {
        if let Some(Open { pointer, content: Content::Map { entries, key, duplicate }, .. }) =
            self.open.last_mut()
            && key.is_none()
        {
            if text.len() > MAX_KEY {
                return Err(Refusal::new("too-long", format!("a key longer than {MAX_KEY} bytes"), place));
            }
            if text == "<<" && style == ScalarStyle::Plain {
                return Err(Refusal::new("merge-key", "merge keys (`<<`) are not read", place)
                    .advise("write the keys out: what stands in a file is what it says"));
            }
            *duplicate = entries.contains_key(text);
            if *duplicate && self.duplicates.len() < MAX_FINDINGS {
                let first = self.places.get(&child(pointer, text)).and_then(|places| places.key);
                let line = first.map_or(0, |place| place.line);
                self.duplicates.push(
                    Refusal::new(
                        "duplicate-key",
                        format!("`{text}` is here twice; the first is on line {line}"),
                        place,
                    )
                    .advise("keep one of the two"),
                );
            }
            *key = Some((text.to_owned(), place));
            return Ok(());
        }
        let value = if style == ScalarStyle::Plain { plain(text) } else { Value::String(text.to_owned()) };
        // The mark stands at the first character that is no line break.
        let blank = text.chars().take_while(|c| *c == '\n').count();
        let text_line = (style == ScalarStyle::Literal).then(|| place.line.saturating_sub(blank).max(1));
        self.register(place, text_line, false)?;
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        self.put(value);
        Ok(())
    }

    fn begin(&mut self, content: Content, anchor: usize, place: Place) -> Result<(), Refusal> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Refusal::new(
                "too-deep",
                format!("this is nested deeper than {MAX_DEPTH} levels"),
                place,
            )
            .advise("split the rule: `in_segment` names a rule of another file"));
        }
        let pointer = self.register(place, None, true)?;
        self.open.push(Open { pointer, anchor, content });
        Ok(())
    }

    fn end(&mut self, place: Place) -> Result<(), Refusal> {
        let Some(Open { anchor, content, .. }) = self.open.pop() else { return Ok(()) };
        let value = match content {
            Content::List(items) => Value::Array(items),
            Content::Map { entries, .. } => Value::Object(entries),
        };
        if anchor != 0 {
            // A copy is kept, so it counts: anchors inside of anchors multiply, too.
            self.spend(count(&value), place)?;
            self.anchors.insert(anchor, value.clone());
        }
        self.put(value);
        Ok(())
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Refusal> {
        // An anchor that is still open would contain itself.
        let Some(size) = self.anchors.get(&anchor).map(count) else {
            return Err(Refusal::new("yaml-syntax", "this alias refers to what contains it", place));
        };
        self.spend(size, place)?;
        let value = self.anchors.get(&anchor).cloned().unwrap_or_default();
        self.register(place, None, false)?;
        self.put(value);
        Ok(())
    }

    fn spend(&mut self, values: usize, place: Place) -> Result<(), Refusal> {
        self.values += values;
        self.spent.values += values;
        let message = if self.values > MAX_VALUES {
            format!("more than {MAX_VALUES} values")
        } else if self.spent.is_spent() {
            format!("more than {MAX_ALL_VALUES} values in all files together")
        } else {
            return Ok(());
        };
        Err(Refusal::new("too-many-values", message, place)
            .advise("aliases count as what they stand for; lists of contacts belong into the database"))
    }

    /// Counts and places the value that comes next, and tells its pointer.
    fn register(
        &mut self,
        place: Place,
        text_line: Option<usize>,
        collection: bool,
    ) -> Result<String, Refusal> {
        self.spend(1, place)?;
        let (pointer, key) = match self.open.last() {
            None => (String::new(), None),
            Some(Open { pointer, content: Content::List(items), .. }) => {
                (format!("{pointer}/{}", items.len()), None)
            }
            Some(Open { pointer, content: Content::Map { key, .. }, .. }) => {
                let Some((name, key_place)) = key else {
                    return Err(Refusal::new("key-not-text", "a key must be plain text", place));
                };
                (child(pointer, name), Some(*key_place))
            }
        };
        let places = Places { key, value: place, text_line, collection };
        self.spent.pointers += pointer.len();
        self.places.entry(pointer.clone()).or_insert(places);
        Ok(pointer)
    }

    fn put(&mut self, value: Value) {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(value),
            Some(Content::List(items)) => items.push(value),
            Some(Content::Map { entries, key, duplicate }) => {
                if let Some((name, _)) = key.take()
                    && !*duplicate
                {
                    entries.insert(name, value);
                }
            }
        }
    }
}

fn refuse_tag(tagged: bool, place: Place) -> Result<(), Refusal> {
    if tagged {
        return Err(Refusal::new("yaml-tag", "tags (`!...`) are not read", place)
            .advise("write the plain value; put text into quotes"));
    }
    Ok(())
}

/// Size of a value. The depth of what an alias names was bounded when it was read.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(entries) => entries.values().map(count).sum(),
        _ => 0,
    }
}

/// The pointer of a key below another pointer (RFC 6901).
pub(super) fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// What a plain scalar stands for: YAML 1.2 core words, and numbers as people write them
/// (`10_000_000`, `12e6`). A number with leading zeros is a code, not a number, and stays text.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let separated = digits.contains('_');
    let proper = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && !digits.contains("__")
        && digits.chars().all(|c| c.is_ascii_digit() || "._eE+-".contains(c))
        && !(digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0."));
    if !proper {
        return None;
    }
    let text = if separated { text.replace('_', "") } else { text.to_owned() };
    let text = text.strip_prefix('+').unwrap_or(&text);
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    let real = text.parse::<f64>().ok().filter(|real| real.is_finite())?;
    // `12e6` is a whole number to whoever writes it; above 2^53 a float no longer counts by ones.
    if real.fract() == 0.0 && real.abs() < 9_007_199_254_740_992.0 {
        return Some((real as i64).into());
    }
    Number::from_f64(real)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<(Document, Vec<Refusal>), Refusal> {
        parse(text, &mut Budget::default())
    }

    fn value(text: &str) -> Value {
        match read(text) {
            Ok((document, _)) => document.value,
            Err(refusal) => json!({"refused": refusal.code}),
        }
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, number) in [
            ("10_000_000", json!(10_000_000)),
            ("12e6", json!(12_000_000)),
            ("1.5E3", json!(1500)),
            ("-0.5", json!(-0.5)),
            ("+7", json!(7)),
            ("0", json!(0)),
            ("287532829.01", json!(287_532_829.01)),
        ] {
            assert_eq!(value(text), number, "{text}");
        }
        for text in [
            "0278123456",
            "1__0",
            "_1",
            "1_",
            "0x1F",
            "1e999",
            ".inf",
            "12e",
            "1.2.3",
            "yes",
            "on",
            "5%",
            "09:00",
        ] {
            assert_eq!(value(text), json!(text));
        }
        assert_eq!(value("'12'"), json!("12"));
        assert_eq!(value("~"), Value::Null);
    }

    #[test]
    fn places_point_at_keys_and_values() {
        let (document, _) = read("a:\n  - b: 1\n    ключ: два\n  - |\n    text\n    more\n").unwrap();
        let place = |line, column, length| Place { line, column, length };
        assert_eq!(document.value_at("/a/0/b"), place(2, 8, 1));
        assert_eq!(document.key_at("/a/0/ключ"), place(3, 5, 4));
        assert_eq!(document.value_at("/a/0/ключ"), place(3, 11, 3));
        assert_eq!(document.value_at("/a"), place(1, 1, 1));
        assert_eq!(document.value_at("/a/1"), place(5, 5, 1));
        assert_eq!((document.text_line("/a/1"), document.text_line("/a/0/b")), (Some(5), None));
        assert_eq!(document.value_at("/a/0/b/deeper/still"), place(2, 8, 1));
        let (document, _) = read("a: |\n\n\n  x\nb: >-\n  x\n  y\n").unwrap();
        assert_eq!((document.text_line("/a"), document.text_line("/b")), (Some(2), None));
    }

    #[test]
    fn anchors_are_read_within_the_budget() {
        assert_eq!(value("a: &x [1, 2]\nb: *x"), json!({"a": [1, 2], "b": [1, 2]}));
        let items = vec!["x"; 20_000].join(", ");
        let nested = (0..40).fold(format!("[{items}]"), |inner, level| format!("&a{level} [{inner}]"));
        assert_eq!(value(&nested), json!({"refused": "too-many-values"}));
        let long = format!("{}: 1", "k".repeat(300));
        assert_eq!(value(&long), json!({"refused": "too-long"}));
    }

    proptest! {
        #[test]
        fn quoted_text_is_never_anything_else(text in "\\PC{0,40}") {
            let quoted = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(value(&format!("k: {quoted}")), json!({"k": text}));
        }

        #[test]
        fn whole_numbers_survive(number: i64) {
            prop_assert_eq!(value(&number.to_string()), json!(number));
        }
    }
}
