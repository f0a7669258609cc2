//! What a person should know of a campaign's plan although nothing is held back. Pure.

use super::mail::Room;
use crate::model::{Campaign, Skip, State};
use crate::store::diff::Report;

/// `room` is that of the mailboxes, where we send the mails ourselves.
pub(super) fn of(campaign: &Campaign, report: &Report, room: Option<&Room>) -> Vec<String> {
    let mut notes = Vec::new();
    if report.in_flight + report.on_the_way > 0 {
        notes.push(format!(
            "{} pushes of an earlier pass are not settled yet; their contacts are left alone",
            report.in_flight + report.on_the_way
        ));
    }
    if let Some(waiting) = report.skipped.get(Skip::NotVerified.code()) {
        notes.push(format!("{waiting} wait for their address to be verified: outreachd enrich"));
    }
    if let Some(waiting) = report.skipped.get(Skip::NoDraft.code()) {
        notes.push(format!("{waiting} wait for a draft: outreachd draft"));
    }
    if let Some(waiting) = report.skipped.get(Skip::DraftNotApproved.code()) {
        notes.push(format!("{waiting} wait for somebody to approve a draft: outreachd drafts list"));
    }
    if let Some(room) = room.filter(|_| campaign.state == State::Active) {
        notes.extend(of_mailboxes(room, report.enroll + report.send));
    }
    if campaign.state != State::Active {
        notes.push(format!("the campaign is {}: nobody enters", state_word(campaign.state)));
    }
    notes
}

fn of_mailboxes(room: &Room, mails: i64) -> Vec<String> {
    let mut notes = Vec::new();
    if !room.silent.is_empty() {
        let names = room.silent.join(", ");
        notes.push(format!("nothing leaves from {names} for now: outreachd status says why"));
    }
    if let Some(left) = room.mails.filter(|left| *left < mails) {
        let waiting = mails - left;
        notes.push(format!(
            "the mailboxes send {left} more today; {waiting} of the mails wait for another day"
        ));
    }
    notes
}

const fn state_word(state: State) -> &'static str {
    match state {
        State::Active => "active",
        State::Paused => "paused",
        State::Archived => "archived",
    }
}
