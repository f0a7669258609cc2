//! What mails say: mails invented for the project, mutations of them, and the public samples where they are at hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use outreachd::reply::{self, Action, Confidence, Reading};
use proptest::prelude::*;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn mail(name: &str) -> Vec<u8> {
    fs::read(root().join("tests/data/mails").join(name).with_extension("eml")).unwrap()
}

fn read(name: &str) -> Reading {
    reply::read(&mail(name))
}

/// Every mail of the project, by name.
fn mails() -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = fs::read_dir(root().join("tests/data/mails"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()))
        .collect();
    found.sort();
    found
}

static MAILS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(mails);

/// `-` for what is not there, as in `expected.tsv`.
fn shown(reading: &Reading) -> [String; 4] {
    let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let failed: Vec<&str> = reading.failed().map(|delivery| delivery.address.as_str()).collect();
    let first = reading.recipient();
    let recipients = if failed.is_empty() {
        first.map(|first| first.address.clone()).or_else(|| reading.complainant.clone()).unwrap_or_default()
    } else {
        failed.join(",")
    };
    [
        reading.kind.as_str().to_owned(),
        dash(recipients),
        dash(first.and_then(|first| first.hard).map(|hard| hard.to_string()).unwrap_or_default()),
        dash(first.and_then(|first| first.status.clone()).unwrap_or_default()),
    ]
}

#[test]
fn every_mail_of_the_project_is_read_as_expected() {
    let expected = fs::read_to_string(root().join("tests/data/mails/expected.tsv")).unwrap();
    let expected: BTreeMap<&str, Vec<&str>> = expected
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('\t').map(|(name, rest)| (name, rest.split('\t').collect())).unwrap())
        .collect();
    let mut wrong = Vec::new();
    assert_eq!(MAILS.len(), expected.len(), "each mail has its line in expected.tsv");
    for (name, bytes) in MAILS.iter() {
        // IMAP hands out CRLF.
        let crlf = String::from_utf8_lossy(bytes).replace('\n', "\r\n").into_bytes();
        for bytes in [bytes, &crlf] {
            let reading = reply::read(bytes);
            let found = shown(&reading);
            let fits =
                expected[name.as_str()].iter().zip(&found).all(|(want, have)| *want == "-" || want == have);
            if !fits {
                wrong.push(format!(
                    "{name}: {found:?} by {}, not {:?}",
                    reading.rule,
                    expected[name.as_str()]
                ));
            }
            assert!(reply::rule_names().any(|rule| rule == reading.rule));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_have_names_of_their_own() {
    let mut names: Vec<&str> = reply::rule_names().collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn a_bounce_can_be_tied_to_what_it_answers() {
    let ids = read("dsn-failed").ids;
    assert_eq!(ids.tokens().collect::<Vec<_>>(), ["t0k3nAbC"], "letter case is part of a token");
    assert_eq!(ids.delivered_to, ["b+t0k3nAbC@bounce.sender.example", "rep@sender.example"]);
    assert_eq!(ids.envelope_id.as_deref(), Some("env-77"));
    assert_eq!(ids.returned_ids, ["m-1@sender.example"]);
    assert_eq!(ids.marks, [("x-outreachd-push".to_owned(), "12:0001:1".to_owned())]);
    assert_eq!(ids.returned_to, ["anna@acme.example"]);
    // The same from a returned mail that is plain text.
    let ids = read("bounce-qmail").ids;
    assert_eq!((ids.returned_ids.len(), ids.marks.len()), (1, 1));
    assert_eq!(read("mdn-displayed").ids.returned_ids, ["m-1@sender.example"]);
    let ids = read("human-01").ids;
    assert_eq!(ids.in_reply_to, ["m-1@sender.example"]);
    assert_eq!(ids.references, ["m-1@sender.example", "m-0@sender.example"], "the nearest first");
    assert_eq!(ids.message_id.as_deref(), Some("r-1@acme.example"));
}

#[test]
fn a_report_tells_recipients_apart() {
    let reading = read("dsn-two");
    let told: Vec<_> = reading
        .deliveries
        .iter()
        .map(|delivery| (delivery.address.as_str(), delivery.action, delivery.hard))
        .collect();
    assert_eq!(
        told,
        [
            ("anna@acme.example", Action::Failed, Some(false)),
            ("boris@acme.example", Action::Failed, Some(true)),
            ("ok@acme.example", Action::Delivered, None),
        ]
    );
    assert_eq!(reading.deliveries[0].forwarded_to.as_deref(), Some("anna@inside.example"));
}

#[test]
fn what_was_said_has_no_quotes() {
    for name in ["human-01", "human-outlook", "human-html", "human-below-the-quote"] {
        let said = read(name).said;
        assert!(said.len() < 30 && !said.to_lowercase().contains("unsubscribe"), "{name}: {said}");
    }
    assert_eq!(read("stop-html").said, "Please unsubscribe me");
}

#[test]
fn absences_have_their_dates_and_departures_their_flag() {
    let until = |name: &str| read(name).away_until.map(|date| date.to_string());
    assert_eq!(until("auto-01").as_deref(), Some("2026-12-04"));
    assert_eq!(until("auto-05").as_deref(), Some("2026-12-06"));
    assert_eq!(until("auto-06").as_deref(), Some("2026-12-06"));
    assert_eq!(until("auto-08").as_deref(), Some("2026-12-05"));
    assert_eq!(until("auto-02"), None);
    assert!(read("auto-11").left_company && read("human-13").left_company);
    assert!(!read("auto-01").left_company && !read("human-01").left_company);
    assert_eq!(read("auto-03").confidence, Confidence::Unsure, "only words say so");
    assert_eq!(read("auto-01").confidence, Confidence::Sure);
}

fn classify(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_outreachd"))
        .arg("classify")
        .args(arguments)
        .env_clear()
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap()
}

#[test]
fn the_command_prints_a_line_a_mail_and_goes_on_after_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("b/deep")).unwrap();
    fs::write(path("b/deep/one.txt"), mail("dsn-failed")).unwrap();
    fs::write(path("a"), mail("human-01")).unwrap();
    fs::write(path("empty.eml"), b"").unwrap();
    fs::write(path("noise.bin"), [0_u8, 255, 13, 10, 58, 10]).unwrap();
    let good = classify(&[folder.path().to_str().unwrap()]);
    assert_eq!(good.status.code(), Some(0), "{}", String::from_utf8_lossy(&good.stderr));
    let lines: Vec<Value> = String::from_utf8(good.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let files: Vec<&str> = lines.iter().map(|line| line["file"].as_str().unwrap()).collect();
    let expected = ["a", "b/deep/one.txt", "empty.eml", "noise.bin"]
        .map(|name| path(name).to_string_lossy().into_owned());
    assert_eq!(files, expected, "sorted, whatever the names");
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reply", "bounce", "other", "other"]);
    let bounce = &lines[1];
    assert_eq!(bounce["recipient"], "anna@acme.example");
    assert_eq!(
        (&bounce["hard"], &bounce["status"], &bounce["rule"]),
        (&true.into(), &"5.1.1".into(), &"dsn-failed".into())
    );
    assert_eq!(bounce["recipients"].as_array().unwrap().len(), 1);
    assert!(lines[0]["recipient"].is_null() && lines[0]["hard"].is_null() && lines[0]["status"].is_null());

    fs::File::create(path("huge.eml")).unwrap().set_len(26 * 1024 * 1024).unwrap();
    let arguments = [path("missing"), path("huge.eml"), path("a"), path("a")]
        .map(|path| path.to_string_lossy().into_owned());
    let mixed = classify(&arguments.each_ref().map(String::as_str));
    assert_eq!(mixed.status.code(), Some(1));
    assert_eq!(String::from_utf8(mixed.stdout).unwrap().lines().count(), 1, "the others go on, each once");
    let errors = String::from_utf8(mixed.stderr).unwrap();
    assert!(errors.contains("missing") && errors.contains("25 MiB"), "{errors}");
    assert_eq!(classify(&[]).status.code(), Some(64));
}

#[test]
fn chains_of_nested_mails_cost_neither_stack_nor_time() {
    let start = std::time::Instant::now();
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(30_000);
    reply::read(nested.as_bytes());
    let mut multiparts = String::new();
    for index in 0..5_000 {
        write!(multiparts, "Content-Type: multipart/mixed; boundary=b{index}\r\n\r\n--b{index}\r\n").unwrap();
    }
    reply::read(multiparts.as_bytes());
    for filler in [
        "a@",
        "<blockquote>",
        "On 1 wrote:\n",
        "From: x\n",
        "5.1.1 ",
        ">\n",
        "unsubscribe not ",
        "a: b\n",
        "&amp",
        "stop sending me ",
        "a@b.c ",
        "-- \n\n",
        "regards\n",
    ] {
        let body = filler.repeat(400_000 / filler.len());
        for kind in ["text/plain", "text/html", "multipart/report; report-type=delivery-status"] {
            let head =
                format!("From: mailer-daemon@x.example\nSubject: Undeliverable\nContent-Type: {kind}\n\n");
            reply::read((head.clone() + &body).as_bytes());
            reply::read(head.replace("mailer-daemon", "anna").replace("Undeliverable", "Re: x").as_bytes());
            reply::read(
                (head.replace("mailer-daemon", "anna").replace("Undeliverable", "Re: x") + &body).as_bytes(),
            );
        }
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn noise_is_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        reply::read(&bytes);
    }

    #[test]
    fn broken_mails_are_read_without_harm(
        which in any::<prop::sample::Index>(),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..40, proptest::collection::vec(any::<u8>(), 0..12)), 1..12),
    ) {
        let mut bytes = which.get(&MAILS).1.clone();
        for (at, length, new) in cuts {
            let at = at.index(bytes.len() + 1);
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, new);
        }
        let reading = reply::read(&bytes);
        prop_assert!(reply::rule_names().any(|name| name == reading.rule));
    }
}

/// Public sample mails with labels; they are not part of the project.
fn samples() -> Option<PathBuf> {
    let folder = std::env::var_os("OUTREACHD_MAIL_SAMPLES")
        .map_or_else(|| root().join("../shared/mail-samples"), PathBuf::from);
    folder.join("labels.jsonl").is_file().then_some(folder)
}

#[test]
fn the_public_samples_are_read_right() {
    let Some(folder) = samples() else {
        println!("NOT SCORED: no sample mails at OUTREACHD_MAIL_SAMPLES or ../shared/mail-samples");
        return;
    };
    let mut scores: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for label in fs::read_to_string(folder.join("labels.jsonl")).unwrap().lines() {
        let label: Value = serde_json::from_str(label).unwrap();
        let texts = |key: &str| -> Vec<String> {
            label[key]
                .as_array()
                .into_iter()
                .flatten()
                .map(|text| text.as_str().unwrap().to_lowercase())
                .collect()
        };
        let name = label["file"].as_str().unwrap();
        let reading = reply::read(&fs::read(folder.join("mails").join(name)).unwrap());
        let recipient = reading.recipient().map(|recipient| recipient.address.clone()).unwrap_or_default();
        let recipients = texts("recipients");
        let good = texts("kinds_ok").contains(&reading.kind.as_str().to_owned())
            && (recipients.is_empty() || recipients.contains(&recipient));
        let score = scores.entry(label["subset"].as_str().unwrap().to_owned()).or_default();
        score.1 += 1;
        if good {
            score.0 += 1;
        } else {
            wrong.push(format!("{name}: {} {recipient} by {}", reading.kind.as_str(), reading.rule));
        }
    }
    for (subset, (good, all)) in &scores {
        println!("{subset}: {good} of {all}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
