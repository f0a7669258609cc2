//! The commands as people and scripts see them: exit codes, answers, and what never leaks into them.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::TestDb;
use crate::support::process::Running;
use crate::support::project::{Kind, Project};
use crate::support::receiver::{Behaviour, SECRET};

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn edit(project: &Project, path: &str, from: &str, to: &str) {
    let text = project.read(path);
    assert!(text.contains(from), "{text}");
    project.write(path, &text.replace(from, to));
}

const CAMPAIGN: &str = "campaigns/first.yaml";

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_as_json_has_the_documented_shape_and_every_action() {
    let project = Project::new(Kind::File, 8).await;
    project.run(&["apply", "--yes"]).await.ended(0);
    project.db.execute("update employees set first_name = 'New' where first_name = 'P1'").await;
    project.db.execute("update employees set reply_bounce = true where first_name = 'P2'").await;
    project.db.execute("update employees set work_email = 'nonsense' where first_name = 'P3'").await;
    project.add_contacts(20, 7).await;
    project.db.execute("update employees set work_email = null where first_name = 'P20'").await;
    let finished = project.run(&["plan", "--format", "json", "--detailed-exitcode"]).await.ended(2);
    let plan = finished.json();
    let top = ["format_version", "digest", "as_of", "campaigns", "totals", "orphaned"];
    assert_eq!(keys(&plan), BTreeSet::from(top));
    assert_eq!(plan["format_version"], 1);
    assert!(chrono::DateTime::parse_from_rfc3339(plan["as_of"].as_str().unwrap()).is_ok());
    let campaign = &plan["campaigns"][0];
    let documented = [
        "campaign", "number", "provider", "enroll", "update", "withdraw", "keep", "skipped", "blocked",
        "actions",
    ];
    let more = ["digest", "stops", "in_flight", "funnel", "notes"];
    assert_eq!(keys(campaign), documented.into_iter().chain(more).collect());
    assert_eq!(keys(&plan["totals"]), BTreeSet::from(["enroll", "update", "withdraw", "keep", "blocked"]));
    assert_eq!(campaign["campaign"], "first");
    assert_eq!(campaign["number"], 1);
    assert_eq!(campaign["provider"], "out");
    assert_eq!(campaign["blocked"], Value::Null);
    assert_eq!(campaign["skipped"], json!({ "no_address": 1 }));
    assert_eq!(plan["totals"], json!({ "enroll": 6, "update": 1, "withdraw": 1, "keep": 6, "blocked": 0 }));
    let actions = campaign["actions"].as_array().unwrap();
    assert_eq!(actions.len(), 8, "every action, not a sample");
    for action in actions {
        assert_eq!(keys(action), BTreeSet::from(["action", "employee_id", "email", "reason", "changes"]));
        assert_eq!(action["changes"].as_array().unwrap().is_empty(), action["action"] != "update");
    }
    let update = actions.iter().find(|action| action["action"] == "update").unwrap();
    assert_eq!(update["changes"], json!([{ "field": "first_name", "old": "P1", "new": "New" }]));
    let withdraw = actions.iter().find(|action| action["action"] == "withdraw").unwrap();
    assert_eq!((&withdraw["reason"], &withdraw["email"]), (&json!("bounced"), &json!("p2@c2.example")));

    edit(&project, CAMPAIGN, "max_enroll: 1000", "max_enroll: 3");
    let plan = project.run(&["plan", "--format", "json"]).await.ended(0).json();
    assert_eq!(keys(&plan["campaigns"][0]["blocked"]), BTreeSet::from(["guard", "message"]));
    assert_eq!(plan["campaigns"][0]["blocked"]["guard"], "max_enroll");
    assert_eq!(plan["totals"]["blocked"], 1);
    let before = project.taken().len();
    project.run(&["plan", "--format", "markdown"]).await.ended(0);
    assert_eq!(project.taken().len(), before, "a plan changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_say_what_happened() {
    let project = Project::new(Kind::File, 3).await;
    let plan = ["plan", "--detailed-exitcode"];
    project.run(&plan).await.ended(2);
    project.run(&["plan"]).await.ended(0);
    project.run(&["--help"]).await.ended(0);
    project.run(&["--version"]).await.ended(0);
    let misuse = project.run(&["apply"]).await.ended(64);
    assert!(misuse.stderr.contains("--yes"), "{}", misuse.stderr);
    assert_eq!(project.taken().len(), 0);
    project.run(&["aply"]).await.ended(64);
    project.run(&["plan", "nobody"]).await.ended(64);
    project.run(&["apply", "--yes", "--approve", "nobody"]).await.ended(64);
    project.run(&["apply", "--yes"]).await.ended(0);
    project.run(&plan).await.ended(0);
    project.run(&["apply", "--yes"]).await.ended(0);
    project.run(&["audit"]).await.ended(0);

    let away = "postgres://nobody:hunter2@127.0.0.1:1/nothing".to_owned();
    for arguments in [&["plan"][..], &["apply", "--yes"], &["status"], &["suppress", "list"]] {
        let away = project.start_on(away.clone(), arguments).finish().await.ended(75);
        assert!(!away.stderr.contains("hunter2") && away.stdout.is_empty(), "{away:?}");
    }
    let empty = TestDb::empty().await;
    let unprepared = project.start_on(empty.url(), &["plan"]).finish().await.ended(1);
    assert!(unprepared.stderr.contains("outreachd migrate"), "{}", unprepared.stderr);
    let migrated = project.start_on(empty.url(), &["migrate"]).finish().await.ended(0).stdout;
    assert!(migrated.contains("+ table public.employees\n") && migrated.lines().count() < 60, "{migrated}");
    project.start_on(empty.url(), &plan).finish().await.ended(0);

    project.db.execute("update employees set campaign_number = 99 where first_name = 'P1'").await;
    project.db.execute("update employees set outreach_type = null where first_name = 'P2'").await;
    let broken = project.run(&["audit"]).await.ended(1).stdout;
    assert!(broken.contains("accepted by campaign 1 and written back as 99"), "{broken}");
    assert!(broken.contains("without date or type"), "{broken}");
    project.db.execute("update employees set campaign_number = 1, outreach_type = 'sales'").await;
    project.run(&["audit"]).await.ended(0);
    // A limit that is declared later says nothing of the day on which it was; on the next one it holds.
    edit(&project, CAMPAIGN, "type: sales", "type: sales\nlimits: { per_day: 2 }");
    project.run(&["apply", "--yes"]).await.ended(0);
    project.run(&["audit"]).await.ended(0);
    project.db.execute("update outreach.campaigns set limits_since = '2020-01-01'").await;
    let broken = project.run(&["audit"]).await.ended(1).stdout;
    assert!(
        broken.contains("BROKEN daily_limit_held") && broken.contains("3 contacts enrolled on"),
        "{broken}"
    );
    edit(&project, CAMPAIGN, "limits: { per_day: 2 }", "description: none");
    project.run(&["apply", "--yes"]).await.ended(0);

    project.db.execute("update outreach.enrollments set ordinal = 7; delete from outreach.pushes").await;
    let broken = project.run(&["audit"]).await.ended(1);
    assert!(broken.stdout.contains("BROKEN ledger_agrees"), "{}", broken.stdout);

    edit(&project, CAMPAIGN, "segment: fintech", "segment: fintec");
    for arguments in [&["validate"][..], &["plan"], &["apply", "--yes"], &["status"]] {
        let invalid = project.run(arguments).await.ended(65);
        assert!(invalid.stderr.contains("fintech"), "did you mean: {invalid:?}");
    }
    // A stop gets through a broken file.
    project.run(&["suppress", "add", "p9@c9.example"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviewed_plan_is_applied_or_refused_with_what_changed() {
    let project = Project::new(Kind::File, 3).await;
    project.run(&["plan", "--out", "plan.json"]).await.ended(0);
    let mode = std::fs::metadata(project.path().join("plan.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds addresses");
    let piped = project.run(&["plan", "--out", "/dev/stderr"]).await.ended(0).stderr;
    assert!(piped.starts_with("{\"format_version\":1,"), "{piped}");
    let plan: Value = serde_json::from_str(&project.read("plan.json")).unwrap();
    assert_eq!(plan["campaigns"][0]["actions"].as_array().unwrap().len(), 3);
    project.add_contacts(10, 2).await;
    let stale = project.run(&["apply", "plan.json"]).await.ended(3);
    assert!(stale.stderr.contains("first: + 3 ~ 0 - 0 became + 5 ~ 0 - 0"), "{}", stale.stderr);
    assert_eq!(project.taken().len(), 0);

    project.run(&["plan", "--out", "plan.json"]).await.ended(0);
    project.db.execute("update employees set first_name = 'Other' where first_name = 'P1'").await;
    let stale = project.run(&["apply", "plan.json"]).await.ended(3);
    assert!(stale.stderr.contains("as many actions"), "{}", stale.stderr);
    assert_eq!(project.taken().len(), 0);

    project.run(&["plan", "--out", "plan.json"]).await.ended(0);
    project.run(&["apply", "plan.json"]).await.ended(0);
    project.agrees(5).await;
    project.run(&["apply", "plan.json"]).await.ended(3);
    assert_eq!(project.taken().len(), 5, "a plan is applied once");
    project.run(&["apply", "nowhere.json"]).await.ended(64);
    project.write("plan.json", "{}");
    project.run(&["apply", "plan.json"]).await.ended(65);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_holds_back_all_but_stops_until_a_person_lets_it_through() {
    let project = Project::new(Kind::File, 4).await;
    project.run(&["apply", "--yes"]).await.ended(0);
    project.add_contacts(10, 6).await;
    edit(&project, CAMPAIGN, "max_enroll: 1000", "max_enroll: 5");
    project.db.execute("update employees set reply_unsubscribe = true where first_name = 'P1'").await;
    let blocked = project.run(&["apply", "--yes"]).await.ended(3);
    assert!(blocked.stdout.contains("would enroll 6 contacts; the limit is 5"), "{}", blocked.stdout);
    assert_eq!(project.taken().len(), 5, "four came and one left");
    assert_eq!(project.taken()[4].action, "withdraw");
    assert_eq!(project.count("employees where campaign_status = 'unsubscribed'").await, 1);
    project.run(&["apply", "--yes"]).await.ended(3);
    assert_eq!(project.taken().len(), 5);
    let status = project.run(&["status"]).await.ended(0);
    assert!(status.stdout.contains("blocked"), "{}", status.stdout);
    project.run(&["apply", "--yes", "--approve", "first"]).await.ended(0);
    assert_eq!(project.taken().len(), 11);

    edit(&project, CAMPAIGN, "type: sales", "type: sales\nstate: paused");
    project.add_contacts(20, 1).await;
    project.run(&["suppress", "add", "@c2.example", "--reason", "complained"]).await.ended(0);
    project.run(&["apply", "--yes"]).await.ended(0);
    let last = project.taken().pop().unwrap();
    assert_eq!((last.action.as_str(), last.email.as_str()), ("withdraw", "p2@c2.example"));
    assert_eq!(project.taken().len(), 12, "a paused campaign takes nobody in and lets stops out");
    project.run(&["audit"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_never_shown_as_nothing_to_do() {
    let project = Project::new(Kind::File, 3).await;
    project.run(&["apply", "--yes"]).await.ended(0);
    let faulty = "    - sql: \"1 / (length(c.company_name) - length(c.company_name)) > 0\"\n";
    project.write("segments/fintech.yaml", &format!("{}{faulty}", project.read("segments/fintech.yaml")));
    for arguments in [&["plan"][..], &["plan", "--detailed-exitcode"], &["apply", "--yes"]] {
        let unknown = project.run(arguments).await.ended(3);
        assert!(unknown.stdout.contains("cannot tell: division by zero"), "{unknown:?}");
        assert!(unknown.stdout.contains("+ ? enroll   ~ ? update   - ? withdraw   = ? keep"), "{unknown:?}");
    }
    let plan = project.run(&["plan"]).await.ended(3).stdout;
    assert!(plan.contains("= 0 keep   and what 1 untold campaign would do"), "{plan}");
    let plan = project.run(&["plan", "--format", "markdown"]).await.ended(3).stdout;
    assert!(
        plan.contains("| ? | ? | ? | ? |") && plan.contains("and what 1 untold campaign would do"),
        "{plan}"
    );
    let plan = project.run(&["plan", "--format", "json"]).await.ended(3).json();
    assert_eq!(plan["campaigns"][0]["blocked"]["guard"], "query_failed");
    let approved = project.run(&["apply", "--yes", "--approve", "first"]).await.ended(3);
    assert!(approved.stdout.contains("cannot tell"), "nobody can approve what nobody knows: {approved:?}");
    assert_eq!(project.taken().len(), 3);
    let explained = project.run(&["explain", "p1@c1.example"]).await;
    assert!(
        format!("{explained:?}").contains("division by zero") || explained.stdout.contains("cannot tell"),
        "{explained:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_without_a_file_is_listed_and_left_alone() {
    let project = Project::new(Kind::File, 3).await;
    project.run(&["apply", "--yes"]).await.ended(0);
    let renamed = project
        .read(CAMPAIGN)
        .replace("campaign: first", "campaign: second")
        .replace("number: 1", "number: 2");
    std::fs::remove_file(project.path().join(CAMPAIGN)).unwrap();
    project.write("campaigns/second.yaml", &renamed);
    let plan = project.run(&["plan"]).await.ended(0);
    assert!(plan.stdout.contains("orphaned first #1"), "{}", plan.stdout);
    assert!(plan.stdout.contains("state: archived"), "{}", plan.stdout);
    let plan = project.run(&["plan", "--format", "json"]).await.ended(0).json();
    assert_eq!(plan["orphaned"], json!([{ "campaign": "first", "number": 1, "enrolled": 3, "open": 0 }]));
    assert_eq!(plan["totals"]["withdraw"], 0);
    let status = project.run(&["status"]).await.ended(0);
    assert!(status.stdout.contains("orphaned first #1 with 3 enrolled"), "{}", status.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_without_a_file_whose_pushes_are_in_doubt_can_be_settled() {
    let project = Project::new(Kind::Blind, 2).await;
    project.campaign("write_back: { employee.processing_status: enrolled }\n");
    project.receiver.always(Behaviour::Drop { keep: true });
    project.run(&["apply", "--yes"]).await.ended(3);
    std::fs::remove_file(project.path().join(CAMPAIGN)).unwrap();
    let plan = project.run(&["plan", "--format", "json"]).await.ended(0).json();
    assert_eq!(plan["orphaned"], json!([{ "campaign": "first", "number": 1, "enrolled": 0, "open": 2 }]));
    let status = project.run(&["status"]).await.ended(0);
    assert!(status.stdout.contains("orphaned first #1 with 0 enrolled and 2 open pushes"), "{status:?}");
    for key in project.in_doubt().await {
        project.run(&["resolve", &key, "--arrived"]).await.ended(0);
    }
    let written = "employees where campaign_number = 1 and outreach_type = 'sales'
                   and processing_status = 'enrolled' and outreach_sent_date is not null";
    assert_eq!(project.count(written).await, 2);
    project.run(&["audit"]).await.ended(0);
    project.run(&["resolve", "77:00000000-0000-0000-0000-000000000001:1", "--arrived"]).await.ended(64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_that_the_database_refuses_ends_alone() {
    let project = Project::new(Kind::File, 2).await;
    let second = project.read(CAMPAIGN).replace("campaign: first", "campaign: second");
    let second = second.replace("number: 1", "number: 2\noverlap: true");
    project.write("campaigns/second.yaml", &second);
    edit(&project, CAMPAIGN, "number: 1", "number: 1\noverlap: true\npriority: 5");
    project
        .db
        .execute(
            "create function refuse() returns trigger language plpgsql as
                 $$ begin raise exception 'a trigger of somebody else'; end $$;
             create trigger refuse before insert on outreach.enrollments for each row
                 when (new.campaign_number = 1) execute function refuse()",
        )
        .await;
    let applied = project.run(&["apply", "--yes"]).await.ended(1);
    assert_eq!(applied.stderr.matches("a trigger of somebody else").count(), 1, "{}", applied.stderr);
    assert_eq!(project.count("outreach.enrollments where campaign_number = 2").await, 2);
    let why = "could not settle pushes: the database says: a trigger of somebody else";
    let history = project.run(&["history", "first", "--format", "json"]).await.ended(0).json();
    assert_eq!(history[0]["message"], why);
    let status = project.run(&["status"]).await.ended(0);
    assert!(status.stdout.contains(why), "{}", status.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_does_not_leave_its_contacts_at_another_provider() {
    let project = Project::new(Kind::File, 3).await;
    project.run(&["apply", "--yes"]).await.ended(0);
    let files = project.read("outreach.yaml");
    let line = files.lines().find(|line| line.trim_start().starts_with("out:")).unwrap().to_owned();
    let other = line.replacen("out:", "other:", 1);
    project.write("outreach.yaml", &files.replace(&line, &format!("{line}\n{other}")));
    edit(&project, CAMPAIGN, "provider: out", "provider: other");

    let plan = project.run(&["plan", "--format", "json"]).await.ended(3).json();
    assert_eq!(plan["campaigns"][0]["blocked"]["guard"], "provider_changed");
    let before = project.taken().len();
    let apply = project.run(&["apply", "--yes", "--approve", "first"]).await.ended(3);
    assert!(apply.stderr.contains("still has contacts at provider out"), "{}", apply.stderr);
    assert_eq!(project.taken().len(), before, "nothing is handed to the new provider");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_get_answers() {
    let project = Project::new(Kind::Blind, 4).await;
    project.receiver.script([Behaviour::Accept, Behaviour::Drop { keep: true }]);
    project.run(&["apply", "--yes"]).await.ended(3);
    project.db.execute("update companies set segment = 'Trade' where company_name = 'Company 1'").await;
    project.add_contacts(10, 1).await;
    project.run(&["suppress", "add", " P10@C10.example ", "--note", "asked on the phone"]).await.ended(0);
    let list = project.run(&["suppress", "list", "--format", "json"]).await.ended(0).json();
    assert_eq!(
        (&list[0]["target"], &list[0]["note"]),
        (&json!("p10@c10.example"), &json!("asked on the phone"))
    );
    project.run(&["suppress", "add", "nonsense"]).await.ended(64);

    let by_address = project.run(&["explain", "P10@c10.example"]).await.ended(0);
    assert!(by_address.stdout.contains("suppressed"), "{}", by_address.stdout);
    let id = "00000000-0000-0000-0000-000000000001";
    let by_id =
        project.run(&["explain", id, "--campaign", "first", "--format", "json"]).await.ended(0).json();
    assert_eq!(by_id[0]["campaigns"][0]["status"], "queued");
    project.run(&["explain", "nobody@x.example"]).await.ended(1);
    project.run(&["explain", id, "--campaign", "nobody"]).await.ended(64);
    project.run(&["suppress", "remove", "p10@c10.example"]).await.ended(0);
    let freed = project.run(&["explain", "p10@c10.example"]).await.ended(0);
    assert!(!freed.stdout.contains("suppressed"), "{}", freed.stdout);

    let segment = project.run(&["segment", "show", "fintech", "--format", "json"]).await.ended(0).json();
    assert_eq!(segment["contacts"], 5);
    assert_eq!(segment["clauses"][0]["left"], 4);
    project.run(&["segment", "show", "nothing"]).await.ended(64);

    let doubts = project.in_doubt().await;
    assert_eq!(doubts.len(), 2, "the second batch");
    let status = project.run(&["status"]).await.ended(0);
    assert!(doubts.iter().all(|key| status.stdout.contains(key)), "{}", status.stdout);
    let unsaid = project.run(&["resolve", &doubts[0]]).await.ended(64);
    assert!(unsaid.stderr.contains("--not-arrived when it has not"), "{}", unsaid.stderr);
    project.run(&["resolve", "1:nobody:1", "--arrived"]).await.ended(64);
    project.run(&["resolve", &format!("1:{id}:1"), "--arrived"]).await.ended(64);
    project.run(&["resolve", &doubts[0], "--arrived"]).await.ended(0);
    assert_eq!(project.in_doubt().await, &doubts[1..]);
    project.quiet().await;
    project.agrees(5).await;

    // As a process leaves it that is killed.
    let dies = "update outreach.reconciles set outcome = 'running', finished_at = null
                where id = (select id from outreach.reconciles order by started_at desc limit 1)";
    project.db.execute(dies).await;
    project.run(&["apply", "--yes"]).await.ended(0);
    assert_eq!(project.count("outreach.reconciles where outcome = 'running'").await, 0);
    assert_eq!(project.count("outreach.reconciles where message like 'the process ended%'").await, 1);
    let history = project.run(&["history", "first", "--format", "json"]).await.ended(0).json();
    let oldest = history.as_array().unwrap().last().unwrap();
    assert_eq!(
        (&oldest["outcome"], &oldest["accepted"], &oldest["in_doubt"]),
        (&json!("partial"), &json!(2), &json!(2))
    );
    project.run(&["history"]).await.ended(0);
    let audit = project.run(&["audit", "--format", "json"]).await.ended(0).json();
    assert!(audit.as_array().unwrap().iter().all(|promise| promise["holds"] == true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_no_project_is_said_so_before_a_database_is_made() {
    let folder = crate::support::folder();
    for arguments in [&["validate"][..], &["plan"], &["apply", "--yes"], &["status"]] {
        let lost = Running::start(folder.path(), &[], arguments).finish().await.ended(65);
        assert!(lost.stderr.contains("no outreach.yaml, no segments/ and no campaigns/"), "{}", lost.stderr);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let project = Project::new(Kind::File, 1).await;
    std::fs::remove_file(project.path().join("outreach.yaml")).unwrap();
    let lost = project.run(&["plan"]).await.ended(65);
    assert!(lost.stderr.contains("there is no outreach.yaml"), "{}", lost.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_says_against_a_comparison_stands_at_its_line() {
    let project = Project::new(Kind::File, 1).await;
    let rule = "    - any:\n        - employee.position: { is_set: true, matches: \"[\" }\n";
    project.write("segments/fintech.yaml", &format!("{}{rule}", project.read("segments/fintech.yaml")));
    project.run(&["validate"]).await.ended(0);
    let found = project.run(&["validate", "--database"]).await.ended(65);
    assert!(found.stderr.contains("segments/fintech.yaml:6:55"), "{}", found.stderr);
    assert!(found.stderr.contains("brackets [] not balanced"), "{}", found.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_gives_every_reason_and_goes_on_where_it_cannot_tell() {
    let project = Project::new(Kind::File, 2).await;
    project.write(
        "segments/faulty.yaml",
        "segment: faulty\nwhere: { sql: \"1 / (length(e.full_name) - length(e.full_name)) > 0\" }\n",
    );
    let second = project.read(CAMPAIGN).replace("campaign: first", "campaign: second");
    let second = second.replace("number: 1", "number: 2").replace("segment: fintech", "segment: faulty");
    project.write("campaigns/second.yaml", &second);
    project
        .db
        .execute(
            "update employees set first_name = ' ', full_name = e'\\x1b[31mEve', reply_info_request = true
                 where first_name = 'P1';
             update companies set revenue = 7;
             insert into outreach.suppressions (target, reason, source) values ('@c1.example', 'bounced', 'test')",
        )
        .await;
    let rule = "    - company.revenue: { gte: 5 }\n";
    project.write("segments/fintech.yaml", &format!("{}{rule}", project.read("segments/fintech.yaml")));
    let explained = project.run(&["explain", "p1@c1.example"]).await.ended(0).stdout;
    for line in [
        "is not enrolled: replied",
        "and: suppressed",
        "and: a required field is not set",
        "missing: employee.first_name is not set",
        "cannot tell: division by zero",
        "company.segment = \"Fintech\" is \"Fintech\"",
        "company.revenue gte 5 is 7\n",
        "�[31mEve",
    ] {
        assert!(explained.contains(line), "{line} is not in\n{explained}");
    }
    assert!(!explained.contains('\u{1b}'), "{explained}");
    let json = project.run(&["explain", "p1@c1.example", "--format", "json"]).await.ended(0).json();
    assert_eq!(json[0]["campaigns"][0]["skip"], "replied");
    assert_eq!(json[0]["campaigns"][0]["further"], json!(["suppressed", "missing_field"]));

    project.db.execute("update employees set reply_info_request = false, first_name = 'P1'; delete from outreach.suppressions").await;
    project.run(&["apply", "--yes", "--only", "first"]).await.ended(0);
    project
        .db
        .execute(
            "update employees set reply_info_request = true, reply_bounce = true where first_name = 'P1'",
        )
        .await;
    let leaves = project.run(&["explain", "p1@c1.example", "--campaign", "1"]).await.ended(0).stdout;
    assert!(leaves.contains("will be withdrawn: bounced"), "{leaves}");
    assert!(leaves.contains("and: replied") && leaves.contains("and: suppressed"), "{leaves}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_suppresses_stays_when_the_flag_is_lifted() {
    let project = Project::new(Kind::File, 2).await;
    project.db.execute("update employees set reply_bounce = true where first_name = 'P1'").await;
    let note = ["--reason", "complained", "--note", "by letter"];
    project.run(&[&["suppress", "add", "p1@c1.example"], &note[..]].concat()).await.ended(0);
    let again = project.run(&["suppress", "add", "p1@c1.example"]).await.ended(0);
    assert!(again.stdout.contains("already"), "{}", again.stdout);
    project.db.execute("update employees set reply_bounce = false").await;
    let list = project.run(&["suppress", "list", "--format", "json"]).await.ended(0).json();
    assert_eq!(
        (&list[0]["reason"], &list[0]["source"], &list[0]["note"]),
        (&json!("complained"), &json!("cli"), &json!("by letter"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_rows_are_told_by_the_exit_code() {
    let project = Project::new(Kind::File, 0).await;
    project.write("good.csv", "company_name,tin\nA,7701000001\n");
    project.write("bad.csv", "company_name,tin\n,7701000002\nC,7701000003\n");
    project.run(&["import", "companies", "good.csv"]).await.ended(0);
    project.run(&["import", "companies", "bad.csv"]).await.ended(3);
    assert_eq!(project.count("companies").await, 2, "a bad row stops no good one");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_tell_no_secret_no_address_and_no_name() {
    for kind in [Kind::File, Kind::LookedUp] {
        let project = Project::new(kind, 4).await;
        project.receiver.script([Behaviour::Drop { keep: true }, Behaviour::Status(400)]);
        let url = project.db.url().replacen('@', ":hunter2@", 1);
        let mut said = String::new();
        for arguments in [
            &["-v", "-v", "apply", "--yes"][..],
            &["-v", "-v", "suppress", "add", "p1@c1.example"],
            &["-v", "-v", "apply", "--yes"],
            &["-v", "-v", "explain", "p2@c2.example"],
            &["-v", "-v", "plan", "--format", "json"],
        ] {
            let finished = project.start_on(url.clone(), arguments).finish().await;
            assert!(
                !finished.stdout.contains('\u{1b}') && !finished.stderr.contains('\u{1b}'),
                "colour in a pipe"
            );
            said.push_str(&finished.stderr);
        }
        assert!(said.contains("settled"), "the logs do say something: {said}");
        for private in ["hunter2", &SECRET[6..], "c1.example", "c2.example", "Person"] {
            let line = said.lines().find(|line| line.contains(private));
            assert_eq!(line, None, "{private} in the logs of {kind:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn colour_is_for_terminals() {
    let project = Project::new(Kind::File, 3).await;
    for arguments in [&["plan"][..], &["apply", "--yes"], &["status"], &["audit"], &["plan", "nobody"]] {
        let finished = project.run(arguments).await;
        assert!(!format!("{finished:?}").contains("\\u{1b}"), "{finished:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_is_named_and_nothing_is_lost() {
    let project = Project::new(Kind::Deduping, 3).await;
    let environment = [("DATABASE_URL", project.db.url())];
    let failed = Running::start(project.path(), &environment, &["apply", "--yes"]).finish().await.ended(1);
    assert!(failed.stderr.contains("HOOK_SECRET"), "{}", failed.stderr);
    assert_eq!(project.taken().len(), 0);
    project.quiet().await;
    project.agrees(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_line_says_what_it_is_about_once_whether_spans_are_exported_or_not() {
    let project = Project::new(Kind::File, 3).await;
    let environment = [
        ("DATABASE_URL", project.db.url()),
        // Nobody listens there.
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9".to_owned()),
    ];
    let arguments = ["run", "--once", "--log-format", "json"];
    let log = Running::start(project.path(), &environment, &arguments).finish().await.ended(0).stderr;
    let lines: Vec<&str> = log.lines().collect();
    for line in &lines {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line.get("span").is_none() && line.get("spans").is_none(), "{line}");
    }
    let pass = lines.iter().find(|line| line.contains("\"message\":\"pass\"")).unwrap();
    assert_eq!(pass.matches("campaign").count(), 1, "{pass}");
    let told = if cfg!(feature = "otlp") { "does not take spans" } else { "`--features otlp`" };
    assert_eq!(log.matches(told).count(), 1, "{log}");
    let text =
        Running::start(project.path(), &environment, &["run", "--once"]).finish().await.ended(0).stderr;
    assert!(!text.contains("pass{"), "{text}");
}
