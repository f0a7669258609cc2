//! Instants, figures and codes as people read them. Pure.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use crate::audience::Tree;
use crate::model::{Action, ActionKind, printable};
use crate::store::history::Entry;
use crate::store::status::CampaignStatus;

/// What templates ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    pub now: DateTime<Utc>,
}

#[expect(
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    clippy::ref_option,
    reason = "templates call methods, and hand references over"
)]
impl Words {
    pub(super) fn ago(&self, at: &DateTime<Utc>) -> String {
        let seconds = (self.now - *at).num_seconds().max(0);
        match seconds {
            0..60 => format!("{seconds} s ago"),
            60..3600 => format!("{} min ago", seconds / 60),
            3600..86_400 => format!("{} h ago", seconds / 3600),
            _ => format!("{} d ago", seconds / 86_400),
        }
    }

    pub(super) fn utc(&self, at: &DateTime<Utc>) -> String {
        at.format("%Y-%m-%d %H:%M UTC").to_string()
    }

    /// Of something that is renewed now and then.
    pub(super) fn clock(&self, at: &DateTime<Utc>) -> String {
        at.format("%H:%M:%S UTC").to_string()
    }

    /// The database's text of an instant, to the minute.
    pub(super) fn minute(&self, at: &str) -> String {
        at.chars().take(16).collect()
    }

    pub(super) fn local(&self, at: &DateTime<Utc>, zone: &str) -> String {
        let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
        at.with_timezone(&zone).format("%a %Y-%m-%d %H:%M %Z").to_string()
    }

    /// An instant that has not come yet.
    pub(super) fn coming(&self, at: &Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        at.filter(|at| *at > self.now)
    }

    /// With thin spaces between thousands.
    pub(super) fn figure(&self, figure: &i64) -> String {
        let digits = figure.unsigned_abs().to_string();
        let mut text = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push('\u{202f}');
            }
            text.push(digit);
        }
        if *figure < 0 { format!("-{text}") } else { text }
    }

    pub(super) fn count(&self, n: &i64, one: &str) -> String {
        format!("{} {one}{}", self.figure(n), if *n == 1 { "" } else { "s" })
    }

    pub(super) fn ended(&self, figures: &CampaignStatus) -> i64 {
        figures.replied + figures.bounced + figures.unsubscribed + figures.finished + figures.withdrawn
    }

    /// The colour of a condition or an outcome.
    pub(super) fn tone(&self, word: &str) -> &'static str {
        match word {
            "ready" | "done" => "good",
            "paused" | "partial" | "not looked at yet" | "running" => "warn",
            "blocked" | "degraded" | "failed" | "not ready" => "bad",
            _ => "",
        }
    }

    pub(super) fn reason(&self, code: &str) -> String {
        crate::reconcile::words(code).replace('_', " ")
    }

    pub(super) fn value(&self, value: &Value) -> String {
        match value {
            Value::Null => "nothing".to_owned(),
            Value::String(text) => printable(text),
            other => other.to_string(),
        }
    }

    pub(super) fn sign(&self, action: &Action) -> (&'static str, &'static str) {
        match action.action {
            ActionKind::Enroll => ("+", "plus"),
            ActionKind::Update => ("~", "change"),
            ActionKind::Withdraw => ("-", "minus"),
            ActionKind::Send => (">", "change"),
        }
    }

    /// As git shortens it; without git, what was declared.
    pub(super) fn files(&self, pass: &Entry) -> String {
        pass.git_revision.clone().unwrap_or_else(|| pass.manifest_digest.chars().take(8).collect())
    }

    /// The page of what an event is about.
    pub(super) fn subject(&self, subject: &str) -> Option<String> {
        let (kind, id) = subject.split_once(':')?;
        match kind {
            "campaign" => Some(format!("/campaigns/{}", id.parse::<i32>().ok()?)),
            "contact" => Some(format!("/contacts/{}", id.parse::<uuid::Uuid>().ok()?)),
            _ => None,
        }
    }

    /// An event's details in a line.
    pub(super) fn detail(&self, detail: &Value) -> String {
        let Value::Object(entries) = detail else { return String::new() };
        let told = entries.iter().filter(|(_, value)| !value.is_null());
        told.map(|(name, value)| format!("{name}: {}", self.value(value))).collect::<Vec<_>>().join(", ")
    }

    /// A rule's tree as nested lists; everything in it is escaped here.
    pub(super) fn tree(&self, tree: &Tree) -> String {
        let mut html = String::from("<ul class=\"tree\">");
        branch(&mut html, tree);
        html.push_str("</ul>");
        html
    }
}

fn branch(html: &mut String, tree: &Tree) {
    let (class, mark, word) = if tree.verdict { ("yes", "✓", "true") } else { ("no", "✗", "false") };
    html.push_str("<li><span class=\"mark ");
    html.push_str(class);
    html.push_str("\" aria-hidden=\"true\">");
    html.push_str(mark);
    html.push_str("</span> <span class=\"hidden\">");
    html.push_str(word);
    html.push_str(":</span> ");
    html.push_str(&escaped(&tree.label));
    match &tree.value {
        Some(value) => {
            html.push_str(" <span class=\"faint\">is <code>");
            html.push_str(&escaped(&printable(value)));
            html.push_str("</code></span>");
        }
        None if tree.unset => html.push_str(" <span class=\"faint\">is not set</span>"),
        None => {}
    }
    if !tree.children.is_empty() {
        html.push_str("<ul>");
        for child in &tree.children {
            branch(html, child);
        }
        html.push_str("</ul>");
    }
    html.push_str("</li>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_lets_no_markup_through() {
        let leaf = Tree {
            label: "company.segment = \"<script>\"".to_owned(),
            verdict: false,
            value: Some("</code><img src=x>".to_owned()),
            unset: false,
            text: true,
            children: Vec::new(),
        };
        let html = Words { now: DateTime::default() }.tree(&leaf);
        assert!(!html.contains("<script>") && !html.contains("<img"), "{html}");
        assert!(html.contains("&lt;script&gt;"));
    }

    #[test]
    fn figures_are_read_in_threes() {
        let words = Words { now: DateTime::default() };
        assert_eq!(words.figure(&1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(words.figure(&-999), "-999");
        assert_eq!(words.count(&1, "error"), "1 error");
    }
}
