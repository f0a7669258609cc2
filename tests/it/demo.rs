//! README's first command: the demo, twice in one place, and what it leaves behind.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::folder;

fn demo(dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_outreachd"))
        .arg("demo")
        .arg("--dir")
        .arg(dir)
        // Whatever database the environment names, the demo has its own.
        .env("DATABASE_URL", "postgres://nobody@127.0.0.1:9/nothing")
        .current_dir(dir.parent().unwrap())
        .output()
        .unwrap()
}

fn in_dir(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_outreachd"))
        .arg("-C")
        .arg(dir)
        .args(arguments)
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// The part of the output below a heading.
fn chapter<'t>(text: &'t str, title: &str) -> &'t str {
    let start = text.find(&format!(". {title} ")).unwrap_or_else(|| panic!("no chapter {title} in\n{text}"));
    let rest = &text[start..];
    let end = rest.match_indices("\n\n").find(|(at, _)| {
        rest[at + 2..].split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok())
    });
    end.map_or(rest, |(at, _)| &rest[..at])
}

#[test]
fn the_demo_runs_twice_and_leaves_nothing_running() {
    let place = folder();
    let dir = place.path().join("a demo");
    for _ in 0..2 {
        let output = demo(&dir);
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{text}\n{errors}");
        assert_eq!(errors, "");
        assert!(!text.contains('\u{1b}'), "colour without a terminal");
        let imported = chapter(&text, "Import");
        assert!(imported.contains("employees.csv        80    80 "), "{imported}");
        assert!(imported.contains("line 8, employee_count: `about 40` is not a whole number"), "{imported}");
        assert!(chapter(&text, "Apply").contains("1 refused"));
        assert!(chapter(&text, "Plan again").contains("Total: + 0 enroll   ~ 0 update   - 0 withdraw"));
        let stops = chapter(&text, "Apply the stops");
        for status in ["queued -> unsubscribed", "queued -> replied", "queued -> bounced"] {
            assert!(stops.contains(status), "{status} is not in\n{stops}");
        }
        assert_eq!(
            chapter(&text, "Audit").matches("holds ").count(),
            outreachd::store::audit::INVARIANTS.len()
        );
        assert!(!dir.join(".outreachd/pg/data/postmaster.pid").exists(), "the server still runs");
    }
    // What it names at the end works.
    let (code, status) = in_dir(&dir, &["status"]);
    assert_eq!(code, Some(0));
    assert!(status.contains("young-companies-welcome"), "{status}");
    assert_eq!(in_dir(&dir, &["plan", "--detailed-exitcode"]).0, Some(0));
}

#[test]
fn a_folder_that_the_demo_did_not_make_is_left_alone() {
    let place = folder();
    std::fs::write(place.path().join("precious"), "x").unwrap();
    let output = demo(place.path());
    assert_eq!(output.status.code(), Some(64));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("was not made by the demo"), "{errors}");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn the_smartlead_demo_tells_its_story() {
    let place = folder();
    let dir = place.path().join("demo");
    let output = Command::new(env!("CARGO_BIN_EXE_outreachd"))
        .args(["demo", "--provider", "smartlead", "--dir"])
        .arg(&dir)
        .env("DATABASE_URL", "postgres://nobody@127.0.0.1:9/nothing")
        .current_dir(place.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}\n{errors}");
    assert!(chapter(&text, "Plan").contains("+ campaign at smartlead: to be created"), "{text}");
    assert!(chapter(&text, "Apply").contains("`fintech-cto #12`: "), "{text}");
    let edited = chapter(&text, "Somebody edits it there");
    assert!(edited.contains("was edited at smartlead: left alone"), "{edited}");
    assert!(edited.contains("became \"Edited by hand.\""), "{edited}");
    let answers = chapter(&text, "People answer");
    for status in ["-> replied", "-> unsubscribed", "queued -> active"] {
        assert!(answers.contains(status), "{status} is not in\n{answers}");
    }
    assert!(chapter(&text, "A stop of ours").contains("on the block list"), "{text}");
    assert_eq!(chapter(&text, "Audit").matches("holds ").count(), outreachd::store::audit::INVARIANTS.len());
}
