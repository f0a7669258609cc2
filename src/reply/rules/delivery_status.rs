//! Delivery status notifications (RFC 3464).

use super::super::addresses;
use super::super::fields::Fields;
use super::super::mail::Mail;
use super::super::reading::{Action, Delivery, Kind};
use super::super::status;
use super::{Finding, notice};

const FAILED: &str = "dsn-failed";
const DELAYED: &str = "dsn-delayed";
const REACHED: &str = "dsn-reached";
pub(super) const RULES: &[&str] = &[FAILED, DELAYED, REACHED];

/// A mail to more recipients than this is sent in parts (RFC 5321 asks servers to take 100).
const MOST: usize = 1000;

pub(super) fn look(mail: &Mail<'_>) -> Option<Finding> {
    // Fields without their part count only in what a machine sent: people quote reports to each other.
    if !mail.has_status_part() && !mail.broken && !notice::is_from_machine(mail) {
        return None;
    }
    let blocks = recipient_blocks(mail.status_blocks());
    let mut deliveries: Vec<Delivery> = Vec::new();
    for block in blocks.iter().take(MOST) {
        let Some(action) = action(block) else { continue };
        let found = addresses_of(block);
        // Servers that name nobody here name them in the text.
        let (first, forwarded) = match found {
            Some((first, forwarded)) => (vec![first], forwarded),
            None if blocks.len() == 1 => (notice::recipients(mail), None),
            None => continue,
        };
        for address in first {
            let delivery = delivery(mail, block, action, address, forwarded.clone(), blocks.len() == 1);
            if !deliveries.iter().any(|known| known.address == delivery.address) {
                deliveries.push(delivery);
            }
        }
    }
    let worst = deliveries.iter().map(|delivery| delivery.action).min_by_key(|action| match action {
        Action::Failed => 0,
        Action::Delayed => 1,
        _ => 2,
    })?;
    let (kind, rule) = match worst {
        Action::Failed => (Kind::Bounce, FAILED),
        Action::Delayed => (Kind::Other, DELAYED),
        _ => (Kind::Other, REACHED),
    };
    let told = deliveries.iter().find(|delivery| delivery.action == worst)?;
    let evidence = format!("{} {}", told.status.as_deref().unwrap_or("no status"), told.diagnostic);
    Some(Finding::new(kind, rule, evidence.trim()).about(deliveries))
}

/// One block a recipient. Blank lines between fields of one recipient, or missing ones between two, are common.
fn recipient_blocks(blocks: &[Fields]) -> Vec<Fields> {
    let parts: Vec<Fields> =
        blocks.iter().cloned().flat_map(|block| block.split_at_each("final-recipient")).collect();
    let about_someone = |part: &&Fields| names_someone(part) || part.get("action").is_some();
    let mut found: Vec<Fields> = parts.iter().filter(about_someone).cloned().collect();
    let someone = found.iter().filter(|part| names_someone(part)).count();
    if someone == 1 && found.iter().any(|part| part.get("action").is_none()) {
        // One recipient, scattered.
        let mut whole = Fields::default();
        for part in parts {
            whole.append(part);
        }
        found = vec![whole];
    }
    found
}

fn names_someone(block: &Fields) -> bool {
    ["final-recipient", "original-recipient", "x-actual-recipient"]
        .iter()
        .any(|name| block.get(name).is_some())
}

/// The address that was written to, and the one at the end of forwarding.
fn addresses_of(block: &Fields) -> Option<(String, Option<String>)> {
    let of = |name: &str| block.all(name).find_map(addresses::first);
    let last = of("final-recipient").or_else(|| of("x-actual-recipient"));
    match of("original-recipient") {
        Some(first) => Some((first.clone(), last.filter(|last| *last != first))),
        None => last.map(|last| (last, None)),
    }
}

fn action(block: &Fields) -> Option<Action> {
    let word = block.get("action").unwrap_or_default().to_ascii_lowercase();
    let class = block.get("status").and_then(|status| status.trim().chars().next());
    Some(match word.get(..4).unwrap_or_default() {
        "fail" | "erro" | "expi" => Action::Failed,
        "dela" => Action::Delayed,
        "rela" => Action::Relayed,
        "expa" => Action::Expanded,
        "deli" => Action::Delivered,
        _ => match class {
            Some('5') => Action::Failed,
            Some('4') => Action::Delayed,
            Some('2') => Action::Delivered,
            _ if block.get("diagnostic-code").is_some() => Action::Failed,
            _ => return None,
        },
    })
}

fn delivery(
    mail: &Mail<'_>,
    block: &Fields,
    action: Action,
    address: String,
    forwarded_to: Option<String>,
    only_one: bool,
) -> Delivery {
    let declared = block.get("status").unwrap_or_default();
    let diagnostic = block.get("diagnostic-code").unwrap_or_default();
    let diagnostic = match diagnostic.split_once(';') {
        Some((kind, text)) if kind.len() < 20 && !kind.contains(' ') => text.trim(),
        _ => diagnostic,
    };
    let mut verdict = status::verdict(declared, diagnostic);
    if !status::speaks(diagnostic) && status::codes(diagnostic).is_empty() {
        // The fields say little, the text for people may say more.
        let told = format!("{diagnostic}\n{}", notice::words_about(mail, &address, only_one));
        let told = status::verdict(declared, &told);
        verdict.hard = told.hard;
        verdict.status = verdict.status.or(told.status);
    }
    let hard = match action {
        Action::Failed => Some(verdict.hard),
        Action::Delayed => Some(false),
        _ => None,
    };
    Delivery {
        address,
        forwarded_to,
        action,
        status: verdict.status,
        hard,
        diagnostic: diagnostic.to_owned(),
    }
}
