//! `outreachd contact`: what people keep of a contact by hand, checked, and told by the log.

use serde_json::{Value, json};

use crate::support::project::{Kind, Project};

const ID: &str = "00000000-0000-0000-0000-000000000001";

async fn show(project: &Project) -> Value {
    let finished = project.run(&["contact", "show", ID, "--format", "json"]).await.ended(0);
    finished.json()[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_set_checked_and_logged() {
    let project = Project::new(Kind::File, 2).await;
    let set = project
        .run(&[
            "contact",
            "set",
            "P1@c1.example",
            "--client-status",
            "client",
            "--test-date",
            "2026-12-01",
            "--test-status",
            "завершено:успех",
            "--format",
            "json",
        ])
        .await
        .ended(0)
        .json();
    assert_eq!(set[0]["employee_id"], ID);
    assert_eq!(set[0]["changed"]["test_status"], json!({ "old": null, "new": "Завершено:Успех" }));
    let shown = show(&project).await;
    assert_eq!(
        shown["kept"],
        json!({
            "client_status": "client",
            "test_date": "2026-12-01T00:00:00Z",
            "test_status": "Завершено:Успех",
            "processing_status": "pending",
        })
    );
    let event = &shown["events"][0];
    assert_eq!(
        (&event["kind"], &event["detail"]["client_status"]["new"]),
        (&json!("contact_set"), &json!("client"))
    );

    // Saying it again is no change and no event.
    let again = project.run(&["contact", "set", ID, "--client-status", "client", "--format", "json"]).await;
    assert_eq!(again.ended(0).json()[0]["changed"], json!({}));
    assert_eq!(show(&project).await["events"].as_array().unwrap().len(), 1);

    project
        .run(&["contact", "set", ID, "--clear", "test_date", "--processing-status", "on hold"])
        .await
        .ended(0);
    let kept = show(&project).await["kept"].clone();
    assert_eq!((&kept["test_date"], &kept["processing_status"]), (&Value::Null, &json!("on hold")));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_test_status_of_the_reference_is_taken_and_no_other() {
    let project = Project::new(Kind::File, 1).await;
    for status in ["Начато", "Идет", "Завершено:Успех", "Завершено:Неудача", "Завершено:Требуется доработка"]
    {
        project.run(&["contact", "set", ID, "--test-status", status]).await.ended(0);
        assert_eq!(show(&project).await["kept"]["test_status"], status);
    }
    for (arguments, says) in [
        (&["--test-status", "Finished"][..], "Начато"),
        (&["--test-date", "tomorrow"], "2026-12-01"),
        (&["--client-status", " "], "--clear client_status"),
        (&["--client-status", "two\nlines"], "one line"),
        (&["--client-status", "a", "--clear", "client_status"], "both set and cleared"),
        (&[], "required"),
    ] {
        let refused = project.run(&[&["contact", "set", ID], arguments].concat()).await.ended(64);
        assert!(refused.stderr.contains(says), "{refused:?}");
    }
    assert_eq!(project.count("outreach.events").await, 5, "what is refused changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_several_rows_is_not_guessed_at() {
    let project = Project::new(Kind::File, 2).await;
    project.db.execute("update employees set work_email = 'same@c.example'").await;
    let refused = project.run(&["contact", "set", "same@c.example", "--client-status", "x"]).await.ended(64);
    assert!(refused.stderr.contains(ID), "{refused:?}");
    project.run(&["contact", "set", "same@c.example", "--client-status", "x", "--all"]).await.ended(0);
    assert_eq!(project.count("employees where client_status = 'x'").await, 2);
    project.run(&["contact", "show", "nobody@c.example"]).await.ended(1);
}
