//! The registry: which rule looks at a mail first.

mod automatic;
mod delivery_status;
mod disposition;
mod feedback;
mod intent;
mod newsletter;
mod notice;
mod notification;
mod person;

use super::ids::Ids;
use super::mail::Mail;
use super::reading::{Action, Confidence, Delivery, Kind, Reading};
use super::{away, said};

pub(super) const UNREADABLE: &str = "unreadable";

/// What a rule found.
struct Finding {
    kind: Kind,
    rule: &'static str,
    evidence: String,
    confidence: Confidence,
    deliveries: Vec<Delivery>,
    complainant: Option<String>,
}

impl Finding {
    fn new(kind: Kind, rule: &'static str, evidence: impl Into<String>) -> Self {
        Self {
            kind,
            rule,
            evidence: evidence.into(),
            confidence: Confidence::Sure,
            deliveries: Vec::new(),
            complainant: None,
        }
    }

    fn unsure(mut self) -> Self {
        self.confidence = Confidence::Unsure;
        self
    }

    /// Those not reached come first.
    fn about(mut self, mut deliveries: Vec<Delivery>) -> Self {
        deliveries.sort_by_key(|delivery| delivery.action != Action::Failed);
        self.deliveries = deliveries;
        self
    }
}

/// Rules that look for the same kind of thing, and their names.
struct Family {
    rules: &'static [&'static str],
    look: fn(&Mail<'_>) -> Option<Finding>,
}

/// The first family that knows a mail decides. Machines before people, what is declared before what is guessed at.
const FAMILIES: &[Family] = &[
    Family { rules: notification::RULES, look: notification::look },
    Family { rules: feedback::RULES, look: feedback::look },
    Family { rules: disposition::RULES, look: disposition::look },
    Family { rules: delivery_status::RULES, look: delivery_status::look },
    Family { rules: notice::RULES, look: notice::look },
    Family { rules: automatic::RULES, look: automatic::look },
    Family { rules: newsletter::RULES, look: newsletter::look },
    Family { rules: person::RULES, look: person::look },
];

/// Every name that [`Reading::rule`] can have. Names are stored and stay what they are.
pub fn rule_names() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().flat_map(|family| family.rules.iter().copied()).chain([UNREADABLE])
}

pub(super) fn judge(mail: &Mail<'_>) -> Reading {
    let found = FAMILIES.iter().find_map(|family| (family.look)(mail));
    let found = found.unwrap_or_else(|| Finding::new(Kind::Other, UNREADABLE, "nothing in it"));
    debug_assert!(rule_names().any(|name| name == found.rule), "{} is not registered", found.rule);
    let speaks = matches!(found.kind, Kind::AutoReply | Kind::Reply | Kind::InfoRequest | Kind::Unsubscribe);
    let said = if speaks { mail.said().to_owned() } else { String::new() };
    let is_automatic = found.kind == Kind::AutoReply;
    Reading {
        kind: found.kind,
        rule: found.rule,
        evidence: said::shortened(&found.evidence),
        confidence: found.confidence,
        deliveries: found.deliveries,
        complainant: found.complainant,
        sender: mail.from.clone(),
        away_until: is_automatic.then(|| away::until(&said, mail.date())).flatten(),
        left_company: speaks && intent::left_company(&said),
        said,
        ids: Ids::of(mail),
    }
}
