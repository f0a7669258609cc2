//! Message disposition notifications (RFC 8098): read, deleted unread. Neither answer nor bounce.

use super::super::mail::Mail;
use super::super::reading::{Action, Delivery, Kind};
use super::super::{addresses, status};
use super::Finding;

const RECEIPT: &str = "mdn-receipt";
const REFUSED: &str = "mdn-refused";
pub(super) const RULES: &[&str] = &[RECEIPT, REFUSED];

pub(super) fn look(mail: &Mail<'_>) -> Option<Finding> {
    if !mail.has_receipt() && mail.report_type.as_deref() != Some("disposition-notification") {
        return None;
    }
    let receipt = mail.receipt();
    let disposition = receipt.get("disposition").unwrap_or("no disposition").to_owned();
    // A mail filter's refusal (RFC 5429) comes in a receipt's clothes.
    if mail.notice().contains("was automatically rejected") {
        let address = receipt
            .get("original-recipient")
            .and_then(addresses::first)
            .or_else(|| receipt.get("final-recipient").and_then(addresses::first))
            .or_else(|| addresses::first(mail.notice()));
        let verdict = status::verdict("", mail.notice());
        let refused = address.map(|address| Delivery {
            address,
            forwarded_to: None,
            action: Action::Failed,
            status: verdict.status,
            hard: Some(verdict.hard),
            diagnostic: disposition.clone(),
        });
        return Some(Finding::new(Kind::Bounce, REFUSED, disposition).about(refused.into_iter().collect()));
    }
    Some(Finding::new(Kind::Other, RECEIPT, disposition))
}
