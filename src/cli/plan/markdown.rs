//! A plan for the comment of a pull request.

use std::fmt::Write as _;

use crate::cli::output::count;
use crate::model::{ActionKind, CampaignPlan, Change, Plan, RemotePlan, Skip};

/// The whole plan.
pub(super) fn plan(plan: &Plan) -> String {
    let totals = plan.totals;
    let mut text = format!(
        "### outreachd plan\n\n**+ {} enroll, ~ {} update, - {} withdraw, = {} keep**{}, {} blocked\n\n",
        totals.enroll,
        totals.update,
        totals.withdraw,
        totals.keep,
        match plan.untold() {
            0 => String::new(),
            n => format!(" **and what {} would do**", count(n, "untold campaign")),
        },
        totals.blocked
    );
    text.push_str("| campaign | number | provider | + enroll | ~ update | - withdraw | = keep | |\n");
    text.push_str("| --- | ---: | --- | ---: | ---: | ---: | ---: | --- |\n");
    for part in &plan.campaigns {
        let figure = |n: i64| if part.is_told() { n.to_string() } else { "?".to_owned() };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            cell(&part.campaign),
            part.number,
            cell(&part.provider),
            figure(part.enroll),
            figure(part.update),
            figure(part.withdraw),
            figure(part.keep),
            part.blocked
                .as_ref()
                .map_or_else(String::new, |blocked| format!("**blocked**: {}", cell(&blocked.message))),
        );
    }
    for orphan in &plan.orphaned {
        let _ = writeln!(
            text,
            "\nOrphaned: {} (number {}) is declared by no file; {} and {} stay as they are.",
            cell(&orphan.campaign),
            orphan.number,
            count(orphan.enrolled, "enrolled contact"),
            count(orphan.open, "open push")
        );
    }
    for part in plan.campaigns.iter().filter(|part| {
        part.changes() > 0 || !part.skipped.is_empty() || part.remote.as_ref().is_some_and(has_drift)
    }) {
        details(&mut text, part);
    }
    let _ = writeln!(text, "\n<sub>as of {}, digest {}</sub>", plan.as_of.to_rfc3339(), plan.digest);
    text
}

fn has_drift(remote: &RemotePlan) -> bool {
    !remote.drift.is_empty()
}

fn details(text: &mut String, part: &CampaignPlan) {
    let _ = writeln!(text, "\n<details><summary>{}</summary>\n", cell(&part.campaign));
    if let Some(remote) = &part.remote {
        remote_lines(text, part, remote);
    }
    for step in &part.funnel {
        let _ = writeln!(text, "- {} left: {}", step.left, code(&step.clause));
    }
    if !part.funnel.is_empty() {
        text.push('\n');
    }
    for (reason, n) in &part.skipped {
        let words = Skip::parse(reason).map_or(reason.as_str(), |skip| skip.text());
        let _ = writeln!(text, "- {n} skipped: {words}");
    }
    if !part.actions.is_empty() {
        text.push_str("\n```diff\n");
        for action in &part.actions {
            let sign = match action.action {
                ActionKind::Enroll => '+',
                ActionKind::Update => '!',
                ActionKind::Withdraw => '-',
                ActionKind::Send => '>',
            };
            // Values come from the database: no line of theirs may end the block.
            let line = format!("{sign} {} <{}> {}", action.who, action.email, action.reason);
            let _ = writeln!(text, "{}", line.replace(['\n', '\r', '`'], " "));
            for change in &action.changes {
                let line = format!("!   {}: {} -> {}", change.field, change.old, change.new);
                let _ = writeln!(text, "{}", line.replace(['\n', '\r', '`'], " "));
            }
        }
        text.push_str("```\n");
    }
    text.push_str("\n</details>\n");
}

fn remote_lines(text: &mut String, part: &CampaignPlan, remote: &RemotePlan) {
    let place = cell(&part.provider);
    let Some(id) = &remote.id else {
        let _ = writeln!(text, "Campaign at {place}: to be created.\n");
        return;
    };
    let list = |text: &mut String, title: String, changes: &[Change], arrow: &str| {
        if changes.is_empty() {
            return;
        }
        let _ = writeln!(text, "{title}\n");
        for change in changes {
            let line = format!("{}: {} {arrow} {}", change.field, change.old, change.new);
            let _ = writeln!(text, "- {}", code(&line));
        }
        text.push('\n');
    };
    let id = cell(id);
    list(text, format!("Campaign {id} at {place} changes:"), &remote.changes, "->");
    let fate = if remote.restores { "restored" } else { "left alone" };
    list(text, format!("Campaign {id} was edited at {place}, which is {fate}:"), &remote.drift, "became");
}

/// Text inside a table cell or a line: nothing of it may become markup.
pub(super) fn cell(value: &str) -> String {
    value.replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

fn code(value: &str) -> String {
    format!("`{}`", value.replace('`', "'").replace(['\n', '\r'], " "))
}
