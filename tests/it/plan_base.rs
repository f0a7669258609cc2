//! `plan --base REV`: what a change of files does to people, from git's objects to the answer.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::project::{Kind, Project};

fn git(project: &Project, arguments: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@t.example", "-C"])
        .arg(project.path())
        .args(arguments)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Three enrolled, two who are about to be; all of it committed.
async fn committed() -> Project {
    let project = Project::new(Kind::File, 3).await;
    project.run(&["apply", "--yes"]).await.ended(0);
    project.add_contacts(10, 2).await;
    git(&project, &["init", "--quiet"]);
    git(&project, &["add", "outreach.yaml", "segments", "campaigns"]);
    git(&project, &["commit", "--quiet", "-m", "as it is"]);
    project
}

async fn compared(project: &Project) -> Value {
    project.run(&["plan", "--base", "HEAD", "--format", "json"]).await.ended(0).json()
}

/// `[way, people, cause]` of the first campaign.
fn moves(comparison: &Value) -> Vec<Value> {
    let movements = comparison["campaigns"][0]["movements"].as_array().unwrap();
    movements.iter().map(|one| json!([one["way"], one["people"], one["cause"]])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_who_moves_is_told_with_the_clause_that_moves_it() {
    let project = committed().await;
    let nothing = compared(&project).await;
    assert_eq!(moves(&nothing), Vec::<Value>::new());
    assert_eq!(nothing["campaigns"][0]["declared"], "same");
    project.run(&["plan", "--base", "HEAD", "--detailed-exitcode"]).await.ended(0);

    // A clause more: who is enrolled stays, who would have entered does not.
    let segment = project.read("segments/fintech.yaml");
    project.write("segments/fintech.yaml", &format!("{segment}    - employee.first_name: {{ ne: P10 }}\n"));
    let narrower = compared(&project).await;
    let clause =
        json!({ "kind": "clause", "segment": "fintech", "clause": "employee.first_name ne \"P10\"" });
    assert_eq!(moves(&narrower), [json!(["no_longer_enters", 1, clause])]);
    let one = &narrower["campaigns"][0]["movements"][0]["sample"][0];
    assert_eq!(one["email"], "p10@c10.example");
    assert_eq!(narrower["campaigns"][0]["declared"], "changed");
    let text = project.run(&["plan", "--base", "HEAD", "--detailed-exitcode"]).await.ended(2).stdout;
    assert!(text.contains("- 1 no longer enter: fintech asks that employee.first_name ne \"P10\""), "{text}");

    // The other way round: what the base asked and the files no longer do.
    git(&project, &["commit", "--quiet", "-am", "narrower"]);
    project.write("segments/fintech.yaml", &segment);
    assert_eq!(moves(&compared(&project).await), [json!(["enters", 1, clause])]);

    // The plan agrees: with the wider rule both enter.
    let plan = project.run(&["plan", "--format", "json"]).await.ended(0).json();
    assert_eq!(plan["campaigns"][0]["enroll"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_beside_the_rule_moves_people_too() {
    let project = committed().await;
    let file = project.read("campaigns/first.yaml");
    project.campaign("state: archived\n");
    let state = json!({ "kind": "state", "state": "archived" });
    let archived = json!({ "kind": "reason", "code": "archived" });
    let over = compared(&project).await;
    assert_eq!(moves(&over), [json!(["leaves", 3, archived]), json!(["no_longer_enters", 2, state])]);
    project.campaign("holdout: 99.99%\n");
    let held = compared(&project).await;
    assert_eq!(moves(&held)[0][2], json!({ "kind": "reason", "code": "held_out" }));
    // Fields alone.
    project.write("campaigns/first.yaml", &file.replace("employee.first_name }", "employee.full_name }"));
    let fields = compared(&project).await;
    assert_eq!((moves(&fields), &fields["campaigns"][0]["updates"]), (Vec::new(), &json!(3)));
    // Its file is gone: who is enrolled stays.
    std::fs::remove_file(project.path().join("campaigns/first.yaml")).unwrap();
    let gone = compared(&project).await;
    assert_eq!(gone["campaigns"][0]["declared"], "removed");
    assert_eq!(moves(&gone), [json!(["no_longer_enters", 2, { "kind": "undeclared" }])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_reads_figures_and_no_people_unless_asked() {
    let project = committed().await;
    project.campaign("state: paused\n");
    let comment =
        project.run(&["plan", "--base", "HEAD", "--format", "markdown", "--show", "0"]).await.ended(0).stdout;
    assert!(comment.contains("- 2 no longer enter: the campaign is paused"), "{comment}");
    assert!(comment.contains("| first | 1 | changed | 0 | 0 | 0 | 2 | 0 |"), "{comment}");
    assert!(!comment.contains('@'), "{comment}");

    let unknown = project.run(&["plan", "--base", "no-such-branch"]).await.ended(64);
    assert!(unknown.stderr.contains("git knows no commit no-such-branch"), "{}", unknown.stderr);
    let option = project.run(&["plan", "--base=--output=x"]).await.ended(64);
    assert!(!project.path().join("x").exists(), "{}", option.stderr);
    // A base that is at fault itself.
    project.write("campaigns/first.yaml", "campaign: first\n");
    git(&project, &["commit", "--quiet", "-am", "broken"]);
    project.campaign("");
    project.run(&["plan", "--base", "HEAD"]).await.ended(65);
    // The project may be a folder of the repository.
    project.run(&["plan", "--base", "HEAD~1"]).await.ended(0);
}
