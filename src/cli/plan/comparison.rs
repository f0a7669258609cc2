//! A comparison of files by what they do to people, as text and for a pull request.

use std::fmt::Write as _;

use super::markdown::cell;
use crate::cli::output::{BOLD, DIM, GREEN, RED, YELLOW, count, paint};
use crate::model::{CampaignComparison, Comparison, Declared, Way, printable};

const fn sign(way: Way) -> char {
    match way {
        Way::Enters | Way::NoLongerLeaves => '+',
        Way::Leaves | Way::NoLongerEnters => '-',
    }
}

const fn word(declared: Declared) -> &'static str {
    match declared {
        Declared::Added => "new",
        Declared::Removed => "no longer declared",
        Declared::Changed => "changed",
        Declared::Same => "not changed itself",
    }
}

/// For people on a terminal.
pub(super) fn text(comparison: &Comparison) -> String {
    let mut text = format!(
        "{} since {} as of {}\n",
        paint(BOLD, "What the files do to people"),
        comparison.base,
        comparison.as_of.format("%Y-%m-%d %H:%M UTC")
    );
    for part in comparison.campaigns.iter().filter(|part| !part.is_quiet()) {
        let _ = writeln!(
            text,
            "\n{} {}",
            paint(BOLD, &part.campaign),
            paint(DIM, format!("#{}, {}", part.number, word(part.declared)))
        );
        if let Some(untold) = &part.untold {
            let _ = writeln!(text, "  {} {}", paint(RED, "cannot tell:"), printable(untold));
        }
        for movement in &part.movements {
            let style = if sign(movement.way) == '+' { GREEN } else { RED };
            let _ = writeln!(
                text,
                "  {} {}: {}",
                paint(style, format!("{} {}", sign(movement.way), movement.people)),
                movement.way.text(),
                printable(&movement.cause.text(movement.way))
            );
            for one in &movement.sample {
                let _ = writeln!(text, "      {} <{}>", printable(&one.who), printable(&one.email));
            }
            let rest = movement.people - movement.sample.len() as i64;
            if rest > 0 && !movement.sample.is_empty() {
                let _ = writeln!(text, "      {}", paint(DIM, format!("and {rest} more")));
            }
        }
        if part.updates > 0 {
            let _ = writeln!(
                text,
                "  {} have their fields updated",
                paint(YELLOW, format!("~ {}", count(part.updates, "enrolled contact")))
            );
        }
    }
    let _ = writeln!(text, "\n{} {}", paint(BOLD, "Total:"), totals(comparison));
    text
}

/// For a pull request's comment.
pub(super) fn markdown(comparison: &Comparison) -> String {
    let mut text = format!(
        "### outreachd: what this change does to people\n\nCompared with `{}`: **{}**\n",
        comparison.base,
        totals(comparison)
    );
    let loud: Vec<&CampaignComparison> =
        comparison.campaigns.iter().filter(|part| !part.is_quiet()).collect();
    if !loud.is_empty() {
        text.push_str("\n| campaign | number | file | + enter | + no longer leave | - leave | - no longer enter | ~ update |\n");
        text.push_str("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |\n");
    }
    for part in &loud {
        let _ = write!(text, "| {} | {} | {} |", cell(&part.campaign), part.number, word(part.declared));
        for figure in Way::ALL.map(|way| part.people(way)).into_iter().chain([part.updates]) {
            let _ = match part.untold {
                Some(_) => write!(text, " ? |"),
                None => write!(text, " {figure} |"),
            };
        }
        text.push('\n');
    }
    for part in loud {
        let _ = writeln!(text, "\n<details><summary>{}</summary>\n", cell(&part.campaign));
        if let Some(untold) = &part.untold {
            let _ = writeln!(text, "- cannot tell: {}", cell(untold));
        }
        for movement in &part.movements {
            let _ = writeln!(
                text,
                "- {} {} {}: {}",
                sign(movement.way),
                movement.people,
                movement.way.text(),
                cell(&movement.cause.text(movement.way))
            );
        }
        let sampled: Vec<String> = part
            .movements
            .iter()
            .flat_map(|movement| {
                let sign = sign(movement.way);
                // Values come from the database: no line of theirs may end the block.
                movement.sample.iter().map(move |one| {
                    format!("{sign} {} <{}>", one.who, one.email).replace(['\n', '\r', '`'], " ")
                })
            })
            .collect();
        if !sampled.is_empty() {
            let _ = writeln!(text, "\n```diff\n{}\n```", sampled.join("\n"));
        }
        text.push_str("\n</details>\n");
    }
    let _ = writeln!(text, "\n<sub>as of {}</sub>", comparison.as_of.to_rfc3339());
    text
}

fn totals(comparison: &Comparison) -> String {
    let mut parts: Vec<String> = Way::ALL
        .into_iter()
        .map(|way| (way, comparison.people(way)))
        .filter(|(_, people)| *people > 0)
        .map(|(way, people)| format!("{} {people} {}", sign(way), way.text()))
        .collect();
    if comparison.updates() > 0 {
        parts.push(format!("~ {} updated", comparison.updates()));
    }
    if comparison.untold() > 0 {
        parts.push(format!("and what {} would do", count(comparison.untold(), "untold campaign")));
    }
    if parts.is_empty() { "nobody moves".to_owned() } else { parts.join(", ") }
}
