//! A plan for people on a terminal.

use std::fmt::Write as _;

use crate::cli::output::{BOLD, CYAN, DIM, GREEN, RED, YELLOW, count, paint};
use crate::model::{Action, ActionKind, CampaignPlan, Plan, RemotePlan, Skip, printable};

/// The whole plan.
pub(crate) fn plan(plan: &Plan) -> String {
    let mut text = format!(
        "{} as of {}, {}\n",
        paint(BOLD, "Plan"),
        plan.as_of.format("%Y-%m-%d %H:%M UTC"),
        count(plan.campaigns.len() as i64, "campaign"),
    );
    for part in &plan.campaigns {
        text.push('\n');
        text.push_str(&campaign(part));
    }
    for orphan in &plan.orphaned {
        let _ = write!(
            text,
            "\n{} {} #{}: no file declares it, {} and {} stay as they are.\n  To end it, restore its file with `state: archived`.\n",
            paint(YELLOW, "orphaned"),
            orphan.campaign,
            orphan.number,
            count(orphan.enrolled, "enrolled contact"),
            count(orphan.open, "open push"),
        );
    }
    let totals = plan.totals;
    let figures = [totals.enroll, totals.update, totals.withdraw, totals.keep];
    let _ = write!(text, "\n{} {}", paint(BOLD, "Total:"), counts(figures.map(Some), totals.send));
    if plan.untold() > 0 {
        let _ = write!(
            text,
            "   {}",
            paint(RED, format!("and what {} would do", count(plan.untold(), "untold campaign")))
        );
    }
    if totals.blocked > 0 {
        let _ = write!(text, "   {}", paint(RED, format!("{} blocked", totals.blocked)));
    }
    let _ = writeln!(text, "\n{}", paint(DIM, format!("digest {}", plan.digest)));
    text
}

/// `None` is a figure that nobody can tell.
fn counts([enroll, update, withdraw, keep]: [Option<i64>; 4], send: i64) -> String {
    let part = |style, sign, n: Option<i64>, word| match n {
        None => paint(RED, format!("{sign} ? {word}")),
        Some(0) => paint(DIM, format!("{sign} 0 {word}")),
        Some(n) => paint(style, format!("{sign} {n} {word}")),
    };
    let mut parts = vec![
        part(GREEN, '+', enroll, "enroll"),
        part(YELLOW, '~', update, "update"),
        part(RED, '-', withdraw, "withdraw"),
        part(CYAN, '=', keep, "keep"),
    ];
    // Only where we send each mail ourselves.
    if send > 0 {
        parts.push(part(GREEN, '>', Some(send), "send"));
    }
    parts.join("   ")
}

/// One campaign's part.
pub(crate) fn campaign(part: &CampaignPlan) -> String {
    let mut text = format!(
        "{} {}\n  {}\n",
        paint(BOLD, &part.campaign),
        paint(DIM, format!("#{} -> {}", part.number, part.provider)),
        counts(
            [part.enroll, part.update, part.withdraw, part.keep].map(|n| part.is_told().then_some(n)),
            part.send
        ),
    );
    if let Some(blocked) = &part.blocked {
        let _ = writeln!(text, "  {} {}", paint(RED, "blocked:"), blocked.message);
        if blocked.can_be_approved() {
            let hint = format!("let it through once: outreachd apply --approve {}", part.campaign);
            let _ = writeln!(text, "  {}", paint(DIM, hint));
        }
    }
    for note in &part.notes {
        let _ = writeln!(text, "  {} {note}", paint(YELLOW, "note:"));
    }
    if let Some(remote) = &part.remote {
        remote_lines(&mut text, part, remote);
    }
    numbers(&mut text, "funnel", part.funnel.iter().map(|step| (step.clause.clone(), step.left)));
    let skipped = part.skipped.iter().map(|(code, n)| {
        let words = Skip::parse(code).map_or(code.as_str(), |skip| skip.text());
        (words.to_owned(), *n)
    });
    numbers(&mut text, "skipped", skipped);
    for kind in ActionKind::ALL {
        let shown: Vec<&Action> = part.actions.iter().filter(|action| action.action == kind).collect();
        let all = match kind {
            ActionKind::Enroll => part.enroll,
            ActionKind::Update => part.update,
            ActionKind::Withdraw => part.withdraw,
            ActionKind::Send => part.send,
        };
        for action in &shown {
            action_lines(&mut text, action);
        }
        let rest = all - shown.len() as i64;
        if rest > 0 && !shown.is_empty() {
            let _ = writeln!(text, "    {}", paint(DIM, format!("and {rest} more to {}", kind.as_str())));
        }
    }
    text
}

/// The campaign at its provider: what apply changes there, and what somebody else has.
fn remote_lines(text: &mut String, part: &CampaignPlan, remote: &RemotePlan) {
    let Some(id) = &remote.id else {
        let _ = writeln!(text, "  {} campaign at {}: to be created", paint(GREEN, "+"), part.provider);
        return;
    };
    if !remote.changes.is_empty() {
        let _ = writeln!(text, "  {} campaign {id} at {}", paint(YELLOW, "~"), part.provider);
    }
    for change in &remote.changes {
        let _ = writeln!(text, "      {}: {} -> {}", change.field, change.old, change.new);
    }
    if remote.drift.is_empty() {
        return;
    }
    let fate = if remote.restores { "restored" } else { "left alone (on_drift: report)" };
    let _ = writeln!(text, "  {} campaign {id} was edited at {}: {fate}", paint(RED, "drift"), part.provider);
    for change in &remote.drift {
        let _ = writeln!(text, "      {}: {} became {}", change.field, change.old, change.new);
    }
}

fn numbers(text: &mut String, title: &str, rows: impl Iterator<Item = (String, i64)>) {
    let rows: Vec<_> = rows.collect();
    let Some(width) = rows.iter().map(|(_, n)| n.to_string().len()).max() else { return };
    let _ = writeln!(text, "  {}", paint(DIM, title));
    for (label, n) in rows {
        let _ = writeln!(text, "    {n:>width$}  {label}");
    }
}

fn action_lines(text: &mut String, action: &Action) {
    let (style, sign) = match action.action {
        ActionKind::Enroll => (GREEN, '+'),
        ActionKind::Update => (YELLOW, '~'),
        ActionKind::Withdraw => (RED, '-'),
        ActionKind::Send => (CYAN, '>'),
    };
    let who = if action.who.is_empty() { action.employee_id.to_string() } else { printable(&action.who) };
    let (email, reason) = (printable(&action.email), printable(&action.reason));
    let _ = writeln!(text, "  {} {who} <{email}> {}", paint(style, sign), paint(DIM, reason));
    for change in &action.changes {
        let line = format!("{}: {} -> {}", change.field, change.old, change.new);
        let _ = writeln!(text, "      {}", printable(&line));
    }
}
